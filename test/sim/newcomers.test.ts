import test from "ava";
import { hasEnough, Newcomers } from "../../src/sim/peers/newcomers.js";
import { replayOf, SEED_ASKED } from "./support.js";

const MINUTE_MS = 60_000;

test("a hundred nodes that each know one seed find each other in two minutes, though it dies", async (t) => {
  const seed = SEED_ASKED ?? "newcomers";
  const replay = replayOf("newcomers", seed);
  const newcomers = new Newcomers({ seed, seedLeavesMs: MINUTE_MS, replay });
  const atMs = await newcomers.allConnected(MINUTE_MS);
  t.true(atMs !== undefined, "within the first minute");
  await newcomers.world.runFor(2 * MINUTE_MS - newcomers.world.nowMs);
  const [fewest] = await newcomers.reached();
  t.true(hasEnough(fewest!), JSON.stringify(fewest));
  newcomers.world.checkInvariants();
});

test("who comes when the seed is gone, and knows one other node, finds the rest too", async (t) => {
  const seed = SEED_ASKED ?? "latecomers";
  const newcomers = new Newcomers({ seed, nodes: 24, replay: replayOf("newcomers", seed) });
  t.true((await newcomers.allConnected(MINUTE_MS)) !== undefined);
  const { world } = newcomers;
  const [gone] = world.nodes.slice(-1);
  world.crash(gone!.name);
  await world.runFor(MINUTE_MS);
  world.crash(world.nodes[0]!.name);
  world.restart(gone!.name);
  await world.runFor(MINUTE_MS);
  const reached = await newcomers.reached();
  t.true(
    reached.every(({ outbound }) => outbound >= 8),
    JSON.stringify(reached[0]),
  );
});
