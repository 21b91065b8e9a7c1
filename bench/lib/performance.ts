// Writes docs/performance.md and its plots from the JSON lines of benches. What people wrote there
// stays: figures stand between markers, and only what is between them is replaced.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { splice, table } from "./document.js";
import { barPlot } from "./plot.js";
import type { FigureLine, Summary } from "./report.js";
import { isFigure, isRatio, runBench, type Line, type MachineLine } from "./run-bench.js";

const SUBJECTS = ["vibecoin", "libp2p", "limit"] as const;

/** Runs the benches in full beside js-libp2p; their lines go to `file`, one bench after another. */
export async function runAll(names: readonly string[], flags: readonly string[], file: string) {
  const lines: Line[] = [];
  for (const name of names) {
    console.error(`bench ${name}`);
    lines.push(...(await runBench(name, ["--vs", "libp2p", ...flags])));
    // After each bench: what was measured so far survives a failure of the next.
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
}

/** Below `docs`: performance.md and plots/NAME.svg. */
export function writePerformance(docs: string, lines: readonly Line[]): void {
  const file = join(docs, "performance.md");
  let document = existsSync(file) ? readFileSync(file, "utf8") : "# Performance\n";
  mkdirSync(join(docs, "plots"), { recursive: true });
  for (const bench of new Set(lines.map((line) => line.bench))) {
    const own = lines.filter((line) => line.bench === bench);
    writeFileSync(join(docs, "plots", `${bench}.svg`), plotOf(bench, own.filter(isFigure)));
    document = splice(document, bench, sectionOf(bench, own));
  }
  writeFileSync(file, document);
}

function sectionOf(bench: string, lines: readonly Line[]): string {
  const machine = lines.find((line): line is MachineLine => "machine" in line);
  const ratios = lines.filter(isRatio);
  const ratioRows = ratios.map((line) => [line.metric, line.ratio, ...values(line)]);
  return [
    ...(machine === undefined ? [] : [conditions(machine)]),
    `![Rates of bench ${bench}](plots/${bench}.svg)`,
    table([["ratio of", "between", "min", "median", "max"], ...ratioRows]),
    table(figureRows(lines.filter(isFigure))),
  ].join("\n\n");
}

function conditions({ machine, cores, node, libp2p, commit, size, date }: MachineLine): string {
  const peer = libp2p === undefined ? "" : `, js-libp2p ${libp2p}`;
  const run = size === "full" ? "" : ` (${size} run: these figures mean little)`;
  return `${cores} cores of ${machine}, Node ${node}${peer}, commit ${commit}, ${date.slice(0, 10)}${run}.`;
}

/** A row a metric, with the median and the range of each subject. */
function figureRows(figures: readonly FigureLine[]): string[][] {
  const rows = [...new Set(figures.map(({ metric }) => metric))].map((metric) => {
    const own = figures.filter((figure) => figure.metric === metric);
    const cells = SUBJECTS.map((subject) => {
      const figure = own.find((each) => each.subject === subject);
      if (figure === undefined) return "";
      const [min, median, max] = values(figure);
      return min === max ? median! : `${median} (${min} to ${max})`;
    });
    return [metric, own[0]!.unit, ...cells];
  });
  return [["metric", "unit", ...SUBJECTS], ...rows];
}

function values({ min, median, max }: Summary): string[] {
  return [min, median, max].map((value) => value.toLocaleString("en-US"));
}

/** Everything that is counted a second: one group a metric. */
function plotOf(bench: string, figures: readonly FigureLine[]): string {
  const rates = figures.filter(({ unit }) => unit.endsWith("/s"));
  const [first] = rates;
  const shown = rates.filter(({ unit }) => unit === first?.unit);
  const groups = [...new Set(shown.map(({ metric }) => metric))].map((metric) => ({
    label: metric,
    bars: SUBJECTS.flatMap((series) => {
      const figure = shown.find((each) => each.metric === metric && each.subject === series);
      return figure === undefined ? [] : [{ series, value: figure.median }];
    }),
  }));
  return barPlot({ title: bench, valueLabel: first?.unit ?? "", groups });
}
