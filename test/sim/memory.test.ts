// The ledger of memory over the lives of whole nodes: what holders have while they work is gone when
// they are at rest, when an actor crashed with it, and when the node stopped.

import test, { type ExecutionContext } from "ava";
import type { MemoryHolder } from "../../src/config/memory-plan.js";
import { createWorld, startTraffic, type World } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const REST_MS = 60_000;
/** In turns that leave nothing behind the others have bytes only between two looks. */
const WORKING = [
  "receiveLanes",
  "syncBodies",
  "syncHeaders",
  "poolJobs",
  "fetches",
  "mempool",
  "knownIds",
] as const satisfies readonly MemoryHolder[];

/** The most that any node's holders had. */
async function peaks(world: World): Promise<Map<MemoryHolder, number>> {
  const most = new Map<MemoryHolder, number>();
  for (const { network } of world.nodes) {
    const { memory } = await world.settled(network.status());
    for (const { name, peakBytes } of memory.holders) {
      most.set(name, Math.max(most.get(name) ?? 0, peakBytes));
    }
  }
  return most;
}

async function atRest(t: ExecutionContext, world: World): Promise<void> {
  const up = world.nodes.filter((node) => node.up);
  await world.runUntil(() => up.every(({ unrest }) => unrest === undefined), REST_MS);
  for (const { name, unrest } of up) t.is(unrest, undefined, name);
}

/** After it nothing may be leased: the node checks that as it closes. */
async function stopAll(world: World): Promise<void> {
  for (const node of world.nodes) await world.settled(node.leave());
  await world.runFor(1_000);
}

function worldOf(own: string): World {
  const seed = SEED_ASKED ?? own;
  return createWorld({
    seed,
    replay: replayOf("memory", seed),
    nodes: 3,
    late: 1,
    config: { producer: { emptyBlocks: false } },
  });
}

test("under load holders have bytes, and at rest and after a stop none of what was at work", async (t) => {
  const world = worldOf("load");
  const traffic = startTraffic(world, { perSecond: 40, dataBytes: 5_000 });
  await world.runFor(60_000);
  world.nodes[2]!.start();
  await world.converge(60_000);
  traffic.stop();
  const worked = await peaks(world);
  for (const name of WORKING) t.true(worked.get(name)! > 0, name);
  await atRest(t, world);
  await stopAll(world);
  t.deepEqual(world.violations, []);
});

test("what a crashed actor held comes back, whichever it is, and whatever waited for its answer", async (t) => {
  for (const type of ["peer", "sync", "transaction-handler", "block-handler", "registry"]) {
    const world = worldOf(`crash ${type}`);
    const late = world.nodes[2]!;
    const traffic = startTraffic(world, { perSecond: 40, dataBytes: 5_000 });
    await world.runFor(20_000);
    late.start();
    let crashes = 0;
    const end = world.every(200, () => {
      const node = world.nodes[crashes++ % 3]!;
      const disarm = node.crashActor(type, world.random.uint32() % 8);
      world.after(200, disarm);
    });
    await world.runFor(3_000);
    end();
    await world.converge(120_000);
    traffic.stop();
    await atRest(t, world);
    await stopAll(world);
    t.deepEqual(world.violations, [], type);
  }
});
