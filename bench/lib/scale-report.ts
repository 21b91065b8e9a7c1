// docs/scale.md: runs every size of the sim bench and writes tables and plots of how a network grows,
// between the markers of the document; the words around them are written by hand.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureSize, SCALE_SIZES } from "../sim.js";
import { linePlot, type LineSeries } from "./plot.js";
import type { SimFigures } from "./sim-roles.js";

const START = "<!-- measured: npm run bench -- report-scale -->";
const END = "<!-- end of what was measured -->";

/** Stored lines are drawn again; without them every size is run, some 20 minutes. */
export async function reportScale(docs: string, from: string | undefined): Promise<void> {
  const runs: SimFigures[] = [];
  if (from === undefined) {
    for (const size of SCALE_SIZES) {
      const figures = await measureSize(size);
      runs.push(figures);
      // Kept by the caller's shell: a run of twenty minutes is not to be lost.
      console.log(JSON.stringify(figures));
    }
  } else {
    const lines = readFileSync(from, "utf8").trim().split("\n");
    runs.push(...lines.map((line) => JSON.parse(line) as SimFigures));
  }
  const file = join(docs, "scale.md");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, replaceMeasured(text, tables(runs)));
  mkdirSync(join(docs, "plots"), { recursive: true });
  for (const [name, svg] of plots(runs)) writeFileSync(join(docs, "plots", `${name}.svg`), svg);
}

/** The text with what stands between the markers replaced. Throws when it has no markers. */
export function replaceMeasured(text: string, measured: string): string {
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`The document lacks ${START} … ${END}.`);
  return `${text.slice(0, start + START.length)}\n\n${measured}\n\n${text.slice(end)}`;
}

function tables(runs: readonly SimFigures[]): string {
  const spread = runs.map((run) => [
    ...load(run),
    ...[run.unrivalled, run.propagation].flatMap(({ p50Ms, p95Ms, p99Ms }) =>
      [p50Ms, p95Ms, p99Ms].map(whole),
    ),
    whole(run.races),
  ]);
  const cost = runs.map((run) => [
    ...load(run),
    whole(run.bytesPerNodeAndBlock),
    whole(run.blockBytes),
    (run.bytesPerNodeAndBlock / run.blockBytes).toFixed(2),
    run.connections.toFixed(1),
    whole(run.events),
    whole(run.virtualSeconds),
    whole(run.wallSeconds),
    (run.rssMaxMiB / 1_024).toFixed(2),
  ]);
  return [
    "Propagation in milliseconds of virtual time, of blocks without a rival and of all blocks:",
    table(
      ["nodes", "blocks", "p50", "p95", "p99", "all p50", "all p95", "all p99", "races"],
      spread,
    ),
    "What it costs each node, and what simulating it cost:",
    table(
      [
        "nodes",
        "blocks",
        "bytes a node and block",
        "block bytes",
        "times a block",
        "connections",
        "events",
        "virtual s",
        "wall s",
        "RSS GiB",
      ],
      cost,
    ),
    "![Block propagation by number of nodes](plots/scale-propagation.svg)",
    "![Bytes a node and block by number of nodes](plots/scale-bytes.svg)",
    "![Connections by number of nodes](plots/scale-connections.svg)",
  ].join("\n\n");
}

function plots(runs: readonly SimFigures[]): readonly (readonly [string, string])[] {
  const x = { label: "nodes", scale: "log" } as const;
  const sizes = [...new Set(runs.map(({ transactionsPerBlock }) => transactionsPerBlock))];
  const series = (
    what: string,
    of: (run: SimFigures) => number,
    wanted: readonly number[] = sizes,
  ): LineSeries[] =>
    wanted.map((size) => ({
      name: [what, `${size} transactions`].filter((part) => part !== "").join(", "),
      points: runs
        .filter(({ transactionsPerBlock }) => transactionsPerBlock === size)
        .map((run) => [run.nodes, of(run)] as const),
    }));
  const propagation = linePlot({
    title: "From the first store of a block to that of another node (no rival)",
    x,
    y: { label: "ms", scale: "log" },
    series: [
      ...series("p50", ({ unrivalled }) => unrivalled.p50Ms),
      ...series("p95", ({ unrivalled }) => unrivalled.p95Ms),
      ...series("p99", ({ unrivalled }) => unrivalled.p99Ms),
    ],
  });
  const bytes = linePlot({
    title: "Bytes that the mean node writes for a block, as multiples of the block",
    x,
    y: { label: "blocks' worth", scale: "linear" },
    series: series("", (run) => run.bytesPerNodeAndBlock / run.blockBytes),
  });
  const connections = linePlot({
    title: "Connections of the mean node",
    x,
    y: { label: "connections", scale: "linear" },
    series: series("", (run) => run.connections),
  });
  return [
    ["scale-propagation", propagation],
    ["scale-bytes", bytes],
    ["scale-connections", connections],
  ];
}

function load({ nodes, blocks, transactionsPerBlock }: SimFigures): string[] {
  return [whole(nodes), `${blocks} × ${transactionsPerBlock}`];
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---:")), ...rows.map(line)].join("\n");
}
