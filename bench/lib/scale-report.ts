// docs/scale.md: runs every size of the sim bench and writes tables and plots of how a network grows,
// between the markers of the document; the words around them are written by hand.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureSize, SCALE_SIZES } from "../sim.js";
import { splice, table } from "./document.js";
import { linePlot, type LineSeries } from "./plot.js";
import type { SimFigures } from "./sim-roles.js";

/** Runs every size, some 20 minutes, and adds a line of JSON to the file for each. */
export async function runSizes(file: string): Promise<void> {
  writeFileSync(file, "");
  for (const size of SCALE_SIZES) {
    const figures = await measureSize(size);
    appendFileSync(file, `${JSON.stringify(figures)}\n`);
    const { nodes, blocks, wallSeconds } = figures;
    console.log(`${nodes} nodes, ${blocks} blocks: ${wallSeconds.toFixed(0)} s`);
  }
}

/** `lines` are those of `runSizes`. */
export function writeScale(docs: string, lines: string): void {
  const runs = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as SimFigures);
  const file = join(docs, "scale.md");
  writeFileSync(file, splice(readFileSync(file, "utf8"), "scale", tables(runs)));
  mkdirSync(join(docs, "plots"), { recursive: true });
  for (const [name, svg] of plots(runs)) writeFileSync(join(docs, "plots", `${name}.svg`), svg);
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
    table([
      ["nodes", "blocks", "p50", "p95", "p99", "all p50", "all p95", "all p99", "races"],
      ...spread,
    ]),
    "What it costs each node, and what simulating it cost:",
    table([
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
      ...cost,
    ]),
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
      name: [what, `${size} tx`].filter((part) => part !== "").join(", "),
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
