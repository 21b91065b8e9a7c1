import test, { type ExecutionContext } from "ava";
import { createWorld, startTraffic, type SimNode, type World } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

/** Longer than an answer is waited for where they come at once, shorter than for a dead peer. */
const SILENCE_MS = 10_000;
const WITHIN_MS = 120_000;

async function atRest(t: ExecutionContext, world: World): Promise<void> {
  const resting = (): boolean => world.nodes.every(({ unrest }) => unrest === undefined);
  await world.runUntil(resting, WITHIN_MS);
  t.deepEqual(
    world.nodes.map(({ unrest }) => unrest),
    world.nodes.map(() => undefined),
  );
}

function worldOf(own: string, late: number): World {
  const seed = SEED_ASKED ?? own;
  const replay = replayOf("timed-out", seed);
  return createWorld({
    seed,
    replay,
    nodes: 2,
    late,
    // Without transactions there is nothing to be told of; what is told of is asked for.
    config: { producer: { emptyBlocks: false }, gossip: { relayTrees: false, blockPushes: 0 } },
    links: { latencyMs: 100, jitterMs: 0 },
  });
}

test("what timed out while a peer was silent holds no place afterwards", async (t) => {
  const world = worldOf("news", 0);
  const [producer, other] = world.nodes as [SimNode, SimNode];
  await world.converge(30_000);
  const traffic = startTraffic(world, { perSecond: 10 });
  await world.runFor(10_000);
  for (const { name } of [producer, other]) {
    const lift = world.obstruct((from) => from === name);
    await world.runFor(SILENCE_MS);
    lift();
    await world.runFor(10_000);
  }
  traffic.stop();
  await atRest(t, world);
});

test("ranges that timed out hold no place afterwards", async (t) => {
  const world = worldOf("ranges", 1);
  const [server, late] = world.nodes as [SimNode, SimNode];
  const traffic = startTraffic(world, { perSecond: 10 });
  t.true(await world.runUntil(() => server.head().height >= 20, 120_000));
  traffic.stop();
  late.start();
  let started = false;
  late.network.subscribe(["SyncStarted"], () => void (started = true));
  t.true(await world.runUntil(() => started, 30_000));
  const lift = world.obstruct((source) => source === server.name);
  await world.runFor(SILENCE_MS);
  lift();
  await world.converge(WITHIN_MS);
  await atRest(t, world);
});
