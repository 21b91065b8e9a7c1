import test from "ava";
import { createWorld, startTraffic, type SimNode } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const KIB = 1_024;

test("what the windows of a connection grew by comes back with its end", async (t) => {
  const seed = SEED_ASKED ?? "windows";
  const world = createWorld({
    seed,
    replay: replayOf("windows", seed),
    nodes: 2,
    late: 1,
    links: { latencyMs: 100, jitterMs: 0 },
    config: { lanes: { windowInitialBytes: 64 * KIB }, mempool: { perSenderMax: 1_000 } },
  });
  const [early, late] = world.nodes as [SimNode, SimNode];
  const traffic = startTraffic(world, { perSecond: 20, dataBytes: 10_000 });
  await world.runFor(30_000);
  traffic.stop();
  late.start();
  await world.converge(60_000);
  // An actor's invariant: who has no connections has lent nothing.
  for (const name of [early.name, late.name]) {
    world.crash(name);
    await world.runFor(10_000);
    t.notThrows(() => world.checkInvariants());
    world.restart(name);
    await world.converge(60_000);
  }
});
