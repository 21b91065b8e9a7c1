// A crowd at the door: 200,000 connections that come and go (mute, garbage, a first message, a whole
// handshake), after which a node must hold no descriptor, timer or byte more than before; then 5,000
// peers that stay and say nothing but pings.

import { startChild } from "./lib/child.js";
import type { Crowd, CrowdedMethods, CrowdMethods, Holdings } from "./lib/crowd-roles.js";
import { Report, type BenchOptions } from "./lib/report.js";

const ROLES = new URL("./lib/crowd-roles.js", import.meta.url);
const CONCURRENT = 48;
/** What was closed is gone, and collected. */
const REST_MS = 3_000;
const IDLE_MS = 20_000;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("crowd", options);
  const size = options.smoke
    ? { warmUp: 200, come: 1_000, stay: 50, idleMs: 1_000 }
    : { warmUp: 20_000, come: 200_000, stay: 5_000, idleMs: IDLE_MS };
  // Once: it takes minutes, and what it counts is not scattered.
  await measure(size, report);
  report.print();
}

async function measure(
  size: { warmUp: number; come: number; stay: number; idleMs: number },
  report: Report,
): Promise<void> {
  const node = await startChild<CrowdedMethods>(ROLES, "crowded");
  const crowd = await startChild<CrowdMethods>(ROLES, "crowd");
  const add = (metric: string, unit: string, value: number): void =>
    report.sample("vibecoin", metric, unit, value);
  try {
    const address = await node.listen({ connectionsMax: size.stay });
    const come = (from: number, count: number): Promise<void> =>
      crowd.come({ address, from, count, concurrent: CONCURRENT } satisfies Crowd);
    await come(0, size.warmUp);
    const before = await rested(node);
    await node.begin(undefined);
    await come(size.warmUp, size.come);
    const busy = await node.finish(undefined);
    const after = await rested(node);
    for (const name of ["descriptors", "timers", "sockets"] as const) {
      add(`${name}-left`, "", after[name] - before[name]);
    }
    add("rss-anon-left", "MiB", after.rssAnonMiB - before.rssAnonMiB);
    add("heap-left", "MiB", after.heapMiB - before.heapMiB);
    add("come-and-go", "1/s", size.come / busy.seconds);
    report.process("vibecoin", "come-and-go", busy);

    await crowd.stay({ address, from: 0, count: size.stay, concurrent: 16 });
    const full = await rested(node);
    add("rss-anon-per-connection", "KiB", perConnection(after, full, size.stay));
    await node.begin(undefined);
    await sleep(size.idleMs);
    report.process("vibecoin", "idle", await node.finish(undefined));
  } finally {
    await Promise.all([node.release(), crowd.release()]);
  }
}

function perConnection(before: Holdings, after: Holdings, count: number): number {
  return ((after.rssAnonMiB - before.rssAnonMiB) * 1_024) / count;
}

async function rested(node: { holds(argument: undefined): Promise<Holdings> }): Promise<Holdings> {
  await sleep(REST_MS);
  return node.holds(undefined);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
