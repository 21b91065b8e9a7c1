// Writes docs/performance.md and its plots from the JSON lines of benches. What people wrote there
// stays: figures stand between markers, and only what is between them is replaced.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { splice, table } from "./document.js";
import { goalTable, readGoals } from "./goals.js";
import { barPlot, type BarGroup } from "./plot.js";
import type { ProfileLine } from "./profile.js";
import { PROCESS_METRICS, type FigureLine, type RatioLine, type Summary } from "./report.js";
import {
  isFigure,
  isProfile,
  isRatio,
  runBench,
  type Line,
  type MachineLine,
} from "./run-bench.js";

/** These first, in this order; a bench may have others. */
const SUBJECTS = ["vibecoin", "libp2p", "limit"];
const PROCESS_METRIC = new RegExp(`^(.+)-(${Object.keys(PROCESS_METRICS).join("|")})$`);
/** A thread that is busy for less of its time is no hot path. */
const BUSY_PART_MIN = 0.05;
const FUNCTIONS_SHOWN = 10;

export interface ReportedBench {
  readonly name: string;
  readonly hotRoles: readonly string[];
}

/**
 * Runs the benches beside js-libp2p, then once more with profiles, which cost too much to stand in
 * the measured runs. Their lines go to `file`, one bench after another.
 */
export async function runAll(
  benches: readonly ReportedBench[],
  flags: readonly string[],
  file: string,
): Promise<void> {
  const lines: Line[] = [];
  for (const { name, hotRoles } of benches) {
    console.error(`bench ${name}`);
    lines.push(...(await runBench(name, ["--vs", "libp2p", ...flags])));
    if (hotRoles.length > 0) {
      const profiled = await runBench(name, ["--profile", ...flags]);
      lines.push(...hotPaths(profiled.filter(isProfile), hotRoles));
    }
    // After each bench: what was measured so far survives a failure of the next.
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
}

/** Of each role the process with the busiest loop: its threads that do something. */
export function hotPaths(
  profiles: readonly ProfileLine[],
  roles: readonly string[],
): readonly ProfileLine[] {
  return roles.flatMap((role) => {
    const own = profiles.filter((profile) => profile.role === role);
    const loops = own.filter(({ thread }) => thread === 0);
    const busiest = loops.toSorted((a, b) => busyPart(b) - busyPart(a))[0];
    return own.filter(
      (profile) => profile.process === busiest?.process && busyPart(profile) >= BUSY_PART_MIN,
    );
  });
}

/** Below `docs`: performance.md and plots/NAME.svg. */
export function writePerformance(docs: string, lines: readonly Line[]): void {
  const file = join(docs, "performance.md");
  let document = existsSync(file) ? readFileSync(file, "utf8") : "# Performance\n";
  mkdirSync(join(docs, "plots"), { recursive: true });
  for (const bench of new Set(lines.map((line) => line.bench))) {
    const own = lines.filter((line) => line.bench === bench);
    const groups = comparisons(own.filter(isFigure), own.filter(isRatio));
    writeFileSync(join(docs, "plots", `${bench}.svg`), barPlot({ title: bench, groups }));
    document = splice(document, bench, sectionOf(bench, own));
  }
  const goals = readGoals();
  // Figures of some benches say nothing of the others' goals.
  if (goals.every(({ bench }) => lines.some((line) => line.bench === bench))) {
    document = splice(document, "goals", goalTable(goals, lines));
  }
  writeFileSync(file, document);
}

function sectionOf(bench: string, lines: readonly Line[]): string {
  const machine = lines.find((line): line is MachineLine => "machine" in line);
  const figures = lines.filter(isFigure);
  const processes = figures.filter(({ metric }) => PROCESS_METRIC.test(metric));
  const results = figures.filter((figure) => !processes.includes(figure));
  return [
    ...(machine === undefined ? [] : [conditions(machine)]),
    `![${bench}, compared](plots/${bench}.svg)`,
    ...ratioTable(lines.filter(isRatio)),
    ...resultTable(results),
    ...processTable(processes),
    ...lines.filter(isProfile).flatMap(profileTable),
  ].join("\n\n");
}

function conditions({ machine, cores, node, libp2p, commit, size, date }: MachineLine): string {
  const peer = libp2p === undefined ? "" : `, js-libp2p ${libp2p}`;
  const run = size === "full" ? "" : ` (${size} run: these figures mean little)`;
  return `${cores} cores of ${machine}, Node ${node}${peer}, commit ${commit}, ${date.slice(0, 10)}${run}.`;
}

function ratioTable(ratios: readonly RatioLine[]): string[] {
  const rows = ratios.map((line) => [line.metric, line.ratio, ...values(line)]);
  return tableOf(["ratio of", "between", "min", "median", "max"], rows);
}

/** A row a metric, with the median and the range of each subject. */
function resultTable(figures: readonly FigureLine[]): string[] {
  const subjects = subjectsOf(figures);
  const rows = distinct(figures.map(({ metric }) => metric)).map((metric) => {
    const own = figures.filter((figure) => figure.metric === metric);
    const cells = subjects.map((subject) => {
      const figure = own.find((each) => each.subject === subject);
      if (figure === undefined) return "";
      const [min, median, max] = values(figure);
      return min === max ? median! : `${median} (${min} to ${max})`;
    });
    return [metric, own[0]!.unit, ...cells];
  });
  return tableOf(["metric", "unit", ...subjects], rows);
}

/** A row a process, with medians. */
function processTable(figures: readonly FigureLine[]): string[] {
  const processOf = ({ metric }: FigureLine): string => PROCESS_METRIC.exec(metric)![1]!;
  const units = Object.entries(PROCESS_METRICS);
  const rows = subjectsOf(figures).flatMap((subject) => {
    const own = figures.filter((figure) => figure.subject === subject);
    return distinct(own.map(processOf)).map((process) => [
      subject,
      process,
      ...units.map(([metric]) => {
        const figure = own.find((each) => each.metric === `${process}-${metric}`);
        return figure === undefined ? "" : values(figure)[1]!;
      }),
    ]);
  });
  const heads = units.map(([metric, unit]) => `${metric.replaceAll("-", " ")}, ${unit}`);
  return tableOf(["subject", "process (medians)", ...heads], rows);
}

function busyPart({ busyMs, idleMs }: ProfileLine): number {
  return busyMs / (busyMs + idleMs);
}

function profileTable(profile: ProfileLine): string[] {
  const percent = (part: number): string => `${(100 * part).toFixed(1)}%`;
  const { role, thread } = profile;
  const head = `self time in ${role}, thread ${thread}, ${percent(busyPart(profile))} busy`;
  const rows = profile.functions
    .slice(0, FUNCTIONS_SHOWN)
    .map(({ name, part }) => [`\`${name.replace(/ {2}/, " ")}\``, percent(part)]);
  return tableOf([head, "part"], rows);
}

/** What the ratios compare: a group of bars for each metric of ours that is compared with another. */
function comparisons(figures: readonly FigureLine[], ratios: readonly RatioLine[]): BarGroup[] {
  const figureOf = (subject: string, metric: string): FigureLine | undefined =>
    figures.find((figure) => figure.subject === subject && figure.metric === metric);
  const groups = new Map<string, { unit: string; bars: Map<string, number> }>();
  for (const { ratio, metric: compared } of ratios) {
    const [subject, base] = ratio.split("/") as [string, string];
    const [metric, baseMetric = metric] = compared.split(":") as [string, string?];
    const own = figureOf(subject, metric);
    const other = figureOf(base, baseMetric);
    if (own === undefined || other === undefined) continue;
    const group = groups.get(metric) ?? { unit: own.unit, bars: new Map<string, number>() };
    groups.set(metric, group);
    group.bars.set(subject, own.median);
    const variant = metric === baseMetric ? "" : ` ${baseMetric.split("/")[0]!}`;
    group.bars.set(`${base}${variant}`, other.median);
  }
  return [...groups].map(([label, { unit, bars }]) => ({
    label,
    unit: unit === "1" ? "" : unit,
    bars: [...bars].map(([series, value]) => ({ series, value })),
  }));
}

function subjectsOf(figures: readonly FigureLine[]): string[] {
  const found = distinct(figures.map(({ subject }) => subject));
  const known = SUBJECTS.filter((subject) => found.includes(subject));
  return [...known, ...found.filter((subject) => !SUBJECTS.includes(subject))];
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [table([head, ...rows])];
}

function values({ min, median, max }: Summary): string[] {
  return [min, median, max].map((value) => value.toLocaleString("en-US"));
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
