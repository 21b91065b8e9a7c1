// A node that gets ten times the transactions that it can check: what becomes of blocks and pings
// meanwhile, what is dropped, how much memory that takes, and how soon it is over.

import { GENESIS } from "../src/drill/drill-chain.js";
import { startChild } from "./lib/child.js";
import { Memory } from "./lib/hostile-run.js";
import type { EndsMethods, FloodMethods, NodeMethods, Pushed } from "./lib/overload-roles.js";
import { Report, type BenchOptions } from "./lib/report.js";

const ROLES = new URL("./lib/overload-roles.js", import.meta.url);
const PEERS = 8;
const TIMES = 10;
const RECOVERED_MS_MAX = 10_000;
/** Over the budget: the process itself. */
const RSS_OVER_BUDGET_MIB_MAX = 150;
const FULL = { quietMs: 10_000, findSeconds: 5, floodSeconds: 60, blockEveryMs: 500 };
const SMOKE = { quietMs: 1_500, findSeconds: 1, floodSeconds: 3, blockEveryMs: 250 };
/** More than any machine checks a second. */
const SATURATING = 40_000;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("overload", options);
  const harm: string[] = [];
  const rounds = options.smoke ? 1 : options.rounds;
  for (let round = 0; round < rounds; round++) harm.push(...(await once(report, options)));
  report.print();
  if (harm.length > 0) throw new Error(harm.join("\n"));
}

/** Answers a sentence for each thing that must not be; a short run on a busy machine is not timed. */
async function once(report: Report, { smoke }: BenchOptions): Promise<string[]> {
  const size = smoke ? SMOKE : FULL;
  const node = await startChild<NodeMethods>(ROLES, "node");
  const ends = await startChild<EndsMethods>(ROLES, "ends");
  const flood = await startChild<FloodMethods>(ROLES, "flood");
  try {
    const trusted = await flood.ids({ peers: PEERS });
    const { address, pid, memoryBudgetMiB } = await node.listen({ trusted });
    await ends.join({ address });
    await flood.join({ address, networkId: GENESIS.hash });
    const memory = new Memory(pid);

    await ends.begin(size);
    await sleep(size.quietMs);
    const quiet = await ends.finish(undefined);

    // What it checks while more comes than it can, is what it sustains.
    const from = await node.pushed(undefined);
    await flood.flood({ perSecond: SATURATING, seconds: size.findSeconds });
    const to = await node.pushed(undefined);
    const sustained = (to.handedOn - from.handedOn) / size.findSeconds;
    await recover(node);

    const before = await node.pushed(undefined);
    await ends.begin(size);
    const flooding = flood.flood({
      perSecond: Math.round(TIMES * sustained),
      seconds: size.floodSeconds,
    });
    const parts: number[] = [];
    let isFlooding = true;
    void flooding.finally(() => (isFlooding = false));
    while (isFlooding) {
      await sleep(500);
      parts.push((await node.pushed(undefined)).dropPart);
    }
    await flooding;
    const recoveredMs = await recover(node);
    const after = await node.pushed(undefined);
    const loaded = await ends.finish(undefined);
    const rssMiB = memory.stop();

    const arrived = (after.received - before.received) / size.floodSeconds;
    const add = (metric: string, unit: string, value: number): void =>
      report.sample("vibecoin", metric, unit, value);
    add("sustained-rate", "1/s", sustained);
    add("arrived-rate", "1/s", arrived);
    add("dropped-part-by-count", "1", partOf(before, after));
    add("dropped-part-told", "1", middle(parts));
    add("quiet/block-relay-p50", "ms", quiet.p50Ms);
    add("quiet/block-relay-p99", "ms", quiet.p99Ms);
    add("quiet/ping-p99", "ms", quiet.pings.p99Ms);
    add("overload/block-relay-p50", "ms", loaded.p50Ms);
    add("overload/block-relay-p99", "ms", loaded.p99Ms);
    add("overload/blocks-lost", "1", loaded.sent - loaded.arrived);
    add("overload/ping-p99", "ms", loaded.pings.p99Ms);
    add("overload/pings-lost", "1", loaded.pings.lost);
    add("overload/rss-anon-max", "MiB", rssMiB);
    add("recovered", "ms", recoveredMs);

    const harm: string[] = [];
    if (loaded.arrived < loaded.sent) harm.push(`${loaded.sent - loaded.arrived} blocks were lost`);
    if (loaded.pings.lost > 0) harm.push(`${loaded.pings.lost} pings were lost`);
    if (rssMiB > memoryBudgetMiB + RSS_OVER_BUDGET_MIB_MAX) harm.push(`${rssMiB} MiB were held`);
    if (!smoke && recoveredMs > RECOVERED_MS_MAX) harm.push(`it took ${recoveredMs} ms to recover`);
    return harm;
  } finally {
    await Promise.all([node.release(), ends.release(), flood.release()]);
  }
}

/** Milliseconds until nothing waits and none is told to be dropped; at most a minute. */
async function recover(node: { pushed(task: undefined): Promise<Pushed> }): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const { open, dropPart } = await node.pushed(undefined);
    const elapsedMs = performance.now() - startMs;
    if ((open === 0 && dropPart < 0.01) || elapsedMs > 60_000) return elapsedMs;
    await sleep(50);
  }
}

function partOf(before: Pushed, after: Pushed): number {
  return (after.dropped - before.dropped) / Math.max(1, after.received - before.received);
}

function middle(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? NaN;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
