// How a simulated network grows: block propagation, bytes and connections by number of nodes.
// `npm run bench -- scale` runs 10 to 1,000 nodes; `npm run report:scale` writes docs/scale.md.

import { NODE_FLAGS, startChild } from "./lib/child.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { ScaleFigures, ScaleMethods, ScaleSize } from "./lib/scale-roles.js";

const ROLES = new URL("./lib/scale-roles.js", import.meta.url);
/** Ten thousand nodes hold some 5 GiB of JavaScript objects. */
const HEAP_FLAGS = ["--max-old-space-size=16384"];
const SEED = "scale";

const FULL: readonly ScaleSize[] = [
  { nodes: 10, blocks: 50, transactionsPerBlock: 200 },
  { nodes: 100, blocks: 50, transactionsPerBlock: 200 },
  { nodes: 1_000, blocks: 50, transactionsPerBlock: 200 },
];
const SMOKE: readonly ScaleSize[] = [{ nodes: 10, blocks: 5, transactionsPerBlock: 20 }];

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("scale", options);
  for (const size of options.smoke ? SMOKE : FULL) {
    const figures = await measureScale(size);
    sample(`${size.nodes} nodes`, figures, report);
  }
  report.print();
}

/** One world in a process of its own. */
export async function measureScale(size: ScaleSize): Promise<ScaleFigures> {
  const child = await startChild<ScaleMethods>(ROLES, "world", [...NODE_FLAGS, ...HEAP_FLAGS]);
  try {
    return await child.measure({ ...size, seed: SEED });
  } finally {
    await child.release();
  }
}

function sample(subject: string, figures: ScaleFigures, report: Report): void {
  const { propagation } = figures;
  const add = (metric: string, unit: string, value: number): void =>
    report.sample(subject, metric, unit, value);
  add("propagation-p50", "ms", propagation.p50Ms);
  add("propagation-p95", "ms", propagation.p95Ms);
  add("propagation-p99", "ms", propagation.p99Ms);
  add("bytes-per-node-and-block", "B", figures.bytesPerNodeAndBlock);
  add("block", "B", figures.blockBytes);
  add("connections", "1", figures.connections);
  add("events", "1", figures.events);
  add("virtual-time", "s", figures.virtualSeconds);
  add("wall-time", "s", figures.wallSeconds);
  add("rss-max", "MiB", figures.rssMaxMiB);
}
