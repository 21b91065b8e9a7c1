import test from "ava";
import { createWorld } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const MINUTES = 60_000;

test("a seed that was down for half an hour is found again within a minute", async (t) => {
  const seed = SEED_ASKED ?? "alone";
  const world = createWorld({
    seed,
    replay: replayOf("alone", seed),
    nodes: 2,
    knownPeers: 1,
    // As in operation: the simulator's own limit is 10 s.
    config: { dial: { backoffMaxMs: 600_000 } },
  });
  await world.converge(10_000);
  const [one, two] = world.nodes;
  world.crash(two!.name);
  await world.runFor(30 * MINUTES);
  const { sync, peers } = await world.settled(one!.network.status());
  t.is(peers.length, 0);
  t.regex(
    sync.waitingFor!,
    /^a peer \(none for 1[78]\d\d s; (1 being dialed|.* next try in \d+ s)\)$/,
  );
  two!.revive();
  t.true(await world.runUntil(() => two!.head().height === one!.head().height, 1 * MINUTES));
});
