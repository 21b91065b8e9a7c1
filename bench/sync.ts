// A full sync: a node with an empty LMDB store takes a generated chain from another process and
// checks all of it. Beside it the limit: the same signatures in the same pool and nothing else.
// Both run in fresh processes and in turns, so that what disturbs the machine disturbs both.

import { startChild } from "./lib/child.js";
import { Report, type BenchOptions } from "./lib/report.js";
import {
  chainDirectory,
  makeDirectory,
  removeDirectory,
  type ChainSize,
} from "./lib/sync-chain.js";
import type { HolderMethods, LimitMethods, SyncerMethods, SyncFigures } from "./lib/sync-roles.js";
import type { PingLatency } from "./lib/pinger.js";

const ROLES = new URL("./lib/sync-roles.js", import.meta.url);
const RATE = "transactions";
/** No sync can check signatures faster than the limit does; noise is 3%. */
const RATIO_MAX = 1.03;

export async function run(options: BenchOptions): Promise<void> {
  const { smoke } = options;
  const report = new Report("sync", options);
  const size = { blocks: smoke ? 100 : 2_000, transactionsPerBlock: 100 };
  await chainDirectory(size);
  for (let round = 0; round < (smoke ? 1 : 3); round++) {
    report.sample("limit", RATE, "1/s", await measureLimit(size, smoke ? 0 : 5));
    await measureSync(size, report);
  }
  report.ratio("vibecoin", "limit", RATE);
  report.print();
  const limits = report.values("limit", RATE);
  const ratios = report.values("vibecoin", RATE).map((rate, round) => rate / limits[round]!);
  // A smoke run is too short for its ratio to mean anything.
  if (!smoke && ratios.some((ratio) => ratio > RATIO_MAX)) {
    throw new Error(`THE LIMIT IS WRONG: sync reached ${Math.max(...ratios).toFixed(3)} of it`);
  }
}

async function measureLimit(size: ChainSize, secondsMin: number): Promise<number> {
  const child = await startChild<LimitMethods>(ROLES, "limit");
  try {
    return await child.verify({ size, secondsMin });
  } finally {
    await child.release();
  }
}

async function measureSync(size: ChainSize, report: Report): Promise<void> {
  const directory = await makeDirectory();
  const holder = await startChild<HolderMethods>(ROLES, "holder");
  const syncer = await startChild<SyncerMethods>(ROLES, "syncer");
  try {
    const { address, height } = await holder.listen(size);
    const figures = await syncer.sync({ address, directory });
    if (figures.height !== height) throw new Error(`sync ended at ${figures.height} of ${height}`);
    const { cpuSeconds, pings } = await holder.finish(undefined);
    sampleSyncer(figures, size, report);
    report.sample("vibecoin", "server-cpu", "s", cpuSeconds);
    samplePings("server-ping", pings, report);
  } finally {
    await Promise.all([holder.release(), syncer.release()]);
    await removeDirectory(directory);
  }
}

function sampleSyncer(figures: SyncFigures, size: ChainSize, report: Report): void {
  const { seconds, cpuSeconds, loop, pings, rssMiB, rssAnonMiB } = figures;
  const sample = (metric: string, unit: string, value: number): void =>
    report.sample("vibecoin", metric, unit, value);
  sample(RATE, "1/s", (size.blocks * size.transactionsPerBlock) / seconds);
  sample("loop-delay-p99", "ms", loop.p99Ms);
  sample("loop-delay-max", "ms", loop.maxMs);
  samplePings("ping", pings, report);
  sample("cpu", "s", cpuSeconds);
  sample("rss-max", "MiB", rssMiB);
  sample("rss-anon-max", "MiB", rssAnonMiB);
}

function samplePings(name: string, pings: PingLatency, report: Report): void {
  report.sample("vibecoin", `${name}-p50`, "ms", pings.p50Ms);
  report.sample("vibecoin", `${name}-p99`, "ms", pings.p99Ms);
  report.sample("vibecoin", `${name}-max`, "ms", pings.maxMs);
  report.sample("vibecoin", `${name}s-lost`, "1", pings.lost);
}
