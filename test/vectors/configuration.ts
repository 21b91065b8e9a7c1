// docs/configuration.md's tables, from the settings and from the plan of memory.

import { MEMORY_HOLDERS, memoryHolders, memoryPlan } from "../../src/config/memory-plan.js";
import { DEFAULTS } from "../../src/config.js";
import { isSetting, type Setting, type Settings } from "../../src/config/setting.js";
import { RELATIONS } from "../../src/config/relations.js";
import { SETTINGS } from "../../src/config/settings.js";

/** A table for the settings of the node itself, then one for each section. */
export function renderSettings(): string {
  const entries = Object.entries(SETTINGS as Settings);
  const own = entries.filter(([, entry]) => isSetting(entry));
  const sections = entries.filter(([, entry]) => !isSetting(entry));
  const tables = [
    renderTable("The node", "", Object.fromEntries(own)),
    ...sections.map(([name, section]) =>
      renderTable(`\`${name}\``, `${name}.`, section as Settings),
    ),
  ];
  return [...tables, renderHolders()].join("\n");
}

function renderHolders(): string {
  const plan = memoryPlan(DEFAULTS);
  const rows = memoryHolders.map((name) => {
    const mib = (plan[name] / 2 ** 20).toFixed(1);
    return `| \`${name}\` | ${mib} MiB | ${MEMORY_HOLDERS[name].text} |`;
  });
  const head = ["| holder | at most, by default | what it holds |", "| --- | --- | --- |"];
  const text = "The parts of `memoryBudgetBytes`, as `memory.holders` of the status names them.";
  return ["## Who may hold memory", "", text, "", ...head, ...rows, ""].join("\n");
}

function renderTable(title: string, prefix: string, section: Settings): string {
  const rows = Object.entries(section).map(([name, entry]) => {
    const setting = entry as Setting;
    const text = [setting.text, ...relationsOf(prefix + name)].join(" ").replaceAll("|", "\\|");
    return `| \`${prefix}${name}\` | ${defaultOf(setting)} | ${boundsOf(setting)} | ${text} |`;
  });
  const head = ["| setting | default | allowed | what it is |", "| --- | --- | --- | --- |"];
  return [`## ${title}`, "", ...head, ...rows, ""].join("\n");
}

function relationsOf(path: string): string[] {
  return RELATIONS.filter(({ settings: [first] }) => first === path).map(
    ({ sentence }) => `M${sentence.slice(`${path} m`.length)}.`,
  );
}

function defaultOf(setting: Setting): string {
  if (setting.kind !== "number") return `\`${JSON.stringify(setting.default)}\``;
  return `${plain(setting.default)}${setting.unit === "" ? "" : ` ${setting.unit}`}`;
}

function boundsOf(setting: Setting): string {
  switch (setting.kind) {
    case "number":
      return `${plain(setting.min)} to ${plain(setting.max)}`;
    case "flag":
      return "`true`, `false`";
    case "text":
      return setting.rule.must.replace("must be ", "").replace("must have ", "");
    case "list":
      return `${setting.orOne ? "one, or " : ""}${setting.lengthMax} at most; each ${setting.rule.must}`;
  }
}

function plain(value: number): string {
  return value.toLocaleString("en-US");
}
