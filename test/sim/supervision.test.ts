// Crashes of single actors in whole nodes: whatever fails, its policy brings it back or ends the
// node, nobody waits for an answer that cannot come, and nothing is missing in the end.

import test from "ava";
import { createWorld, startFaults, startTraffic, type World } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const EVERY_MS = 1_000;
/** Now and then something is announced again: between two such times all are at rest. */
const REST_MS = 30_000;

/** As a node has them that produces, listens, dials and keeps an index. */
const TYPES = [
  "block-handler",
  "block-repair",
  "broadcaster",
  "consensus",
  "dialer",
  "events",
  "listener",
  "mempool",
  "network",
  "peer",
  "producer",
  "registry",
  "reputation",
  "router",
  "storage",
  "sync",
  "sync-handler",
  "system-router",
  "transaction-handler",
];

function worldOf(own: string): World {
  const seed = SEED_ASKED ?? own;
  const config = { txIndex: true };
  return createWorld({
    seed,
    replay: replayOf("supervision", seed),
    nodes: 3,
    producers: 2,
    config,
  });
}

test("every type of actor may crash, again and again: no answer, place or event is lost", async (t) => {
  t.deepEqual(worldOf("types").node("n0").actorTypes, ["events", "network"]);
  for (const type of TYPES) {
    const world = worldOf(type);
    const traffic = startTraffic(world, { perSecond: 10 });
    await world.runFor(3_000);
    let crashes = 0;
    const end = world.every(EVERY_MS, () => {
      const up = world.nodes.filter((node) => node.healthy && node.actorTypes.includes(type));
      const node = up[crashes++ % up.length];
      const disarm = node?.crashActor(type, world.random.uint32() % 8);
      world.after(EVERY_MS, () => disarm?.());
    });
    await world.runFor(10 * EVERY_MS);
    end();
    await world.runFor(EVERY_MS);
    t.is(crashes, 10, type);
    // One that crashed too often has ended, and is started again.
    t.true(await world.runUntil(() => world.nodes.every(({ up }) => up), 60_000), type);
    await world.converge(60_000);
    traffic.stop();
    t.true(traffic.accepted > 0, type);
    await world.runUntil(() => world.nodes.every(({ unrest }) => unrest === undefined), REST_MS);
    for (const { name, unrest } of world.nodes) t.is(unrest, undefined, `${type} ${name}`);
    for (const node of world.nodes) {
      t.deepEqual(
        (await world.settled(node.network.status())).degraded,
        [],
        `${type} ${node.name}`,
      );
    }
    await world.runFor(0);
  }
});

test("a node whose actor crashes too often ends itself, and comes back", async (t) => {
  const world = worldOf("too often");
  await world.runFor(5_000);
  const node = world.node("n1");
  let ended: unknown;
  node.network.stopped.catch((error: unknown) => (ended = error));
  let disarm = (): void => undefined;
  const end = world.every(100, () => {
    disarm();
    if (ended === undefined && node.up) disarm = node.crashActor("storage", 0);
  });
  t.true(await world.runUntil(() => ended !== undefined, 60_000));
  end();
  t.regex((ended as Error).message, /gave up after repeated faults of its storage/);
  t.true(await world.runUntil(() => node.up, 60_000));
  await world.converge(60_000);
});

test("a node that lost its mempool goes on, and says that it is degraded", async (t) => {
  const world = worldOf("degraded");
  await world.runFor(5_000);
  const node = world.node("n1");
  const degraded = async (): Promise<readonly string[]> =>
    (await world.settled(node.network.status())).degraded.map(({ actor }) => actor);
  for (let at = 0; at < 60 && (await degraded()).length === 0; at++) {
    node.crashActor("mempool", 0);
    await world.runFor(1_000);
  }
  t.deepEqual(await degraded(), ["mempool"]);
  const { height } = node.head();
  await world.runFor(20_000);
  t.true(node.head().height > height);
  await world.converge(60_000);
});

test("crashes of actors are drawn from the seed", async (t) => {
  const hashes = new Set<string>();
  for (let run = 0; run < 2; run++) {
    const world = worldOf("drawn");
    const faults = startFaults(world, { crashActor: { everyMs: [200, 1_000] } });
    await world.runFor(20_000);
    t.true(faults.counts.crashActor > 20);
    faults.stop();
    await world.converge(60_000);
    hashes.add(world.traceHash);
  }
  t.is(hashes.size, 1);
});
