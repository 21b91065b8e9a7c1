// How a simulated network grows: block propagation, bytes, connections and cost by number of nodes.
// `npm run bench -- sim` runs 10 to 1,000 nodes; `npm run bench -- report-scale` runs 10,000 too and
// writes docs/scale.md.

import { NODE_FLAGS, startChild } from "./lib/child.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { SimFigures, SimMethods, SimSize } from "./lib/sim-roles.js";

const ROLES = new URL("./lib/sim-roles.js", import.meta.url);
/** Ten thousand nodes hold some 5 GiB of JavaScript objects. */
const HEAP_FLAGS = ["--max-old-space-size=16384"];
const SEED = "scale";

const large = { blocks: 50, transactionsPerBlock: 200 };
const small = { blocks: 10, transactionsPerBlock: 20 };
const FULL: readonly SimSize[] = [10, 100, 1_000].map((nodes) => ({ nodes, ...large }));
const SMOKE: readonly SimSize[] = [{ nodes: 10, blocks: 5, transactionsPerBlock: 20 }];
/** Blocks of two sizes, so that ten thousand nodes stand beside fewer of the same load. */
export const SCALE_SIZES: readonly SimSize[] = [
  ...FULL,
  ...[10, 100, 1_000, 10_000].map((nodes) => ({ nodes, ...small })),
];

/** One run a size: one seed is one run, and only its wall time differs from machine to machine. */
export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("sim", options);
  for (const size of options.smoke ? SMOKE : FULL) sample(await measureSize(size), report);
  report.print();
}

/** One world in a process of its own. */
export async function measureSize(size: SimSize): Promise<SimFigures> {
  const child = await startChild<SimMethods>(ROLES, "world", [...NODE_FLAGS, ...HEAP_FLAGS]);
  try {
    return await child.measure({ ...size, seed: SEED });
  } finally {
    await child.release();
  }
}

function sample(figures: SimFigures, report: Report): void {
  const { nodes, propagation, unrivalled } = figures;
  const add = (metric: string, unit: string, value: number): void =>
    report.sample("vibecoin", `${nodes}-nodes/${metric}`, unit, value);
  add("propagation-p50", "ms", propagation.p50Ms);
  add("propagation-p95", "ms", propagation.p95Ms);
  add("propagation-p99", "ms", propagation.p99Ms);
  add("unrivalled-propagation-p50", "ms", unrivalled.p50Ms);
  add("unrivalled-propagation-p95", "ms", unrivalled.p95Ms);
  add("unrivalled-propagation-p99", "ms", unrivalled.p99Ms);
  add("races", "1", figures.races);
  add("bytes-per-node-and-block", "B", figures.bytesPerNodeAndBlock);
  add("block", "B", figures.blockBytes);
  add("connections", "1", figures.connections);
  add("events-rate", "1/s", figures.events / figures.wallSeconds);
  add("virtual-time", "s", figures.virtualSeconds);
  add("wall-time", "s", figures.wallSeconds);
  add("rss-max", "MiB", figures.rssMaxMiB);
}
