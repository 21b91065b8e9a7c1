// Whom a node dials, in whole nodes: what it was given once is dialed until it is there, whatever
// crashes meanwhile.

import test from "ava";
import { createWorld } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

test("an address that was handed to connect is dialed on after the dialer crashed", async (t) => {
  const seed = SEED_ASKED ?? "dials";
  const replay = replayOf("dials", seed);
  // Nobody knows anybody.
  const world = createWorld({ seed, replay, nodes: 2, knownPeers: 0 });
  await world.runFor(1_000);
  const [node, other] = [world.node("n0"), world.node("n1")];
  const address = other.network.listenAddress!;
  world.crash("n1");
  const failed = await world.settled(
    node.network.connect(address).then(
      () => undefined,
      (error: unknown) => error as { code?: string },
    ),
  );
  t.is(failed?.code, "DIAL_FAILED");
  const disarm = node.crashActor("dialer", 0);
  // Whatever comes to it first crashes it: here the next dial.
  await world.runFor(60_000);
  disarm();
  world.restart("n1");
  const peers = async () => (await world.settled(node.network.peers())).length;
  for (let i = 0; i < 60 && (await peers()) === 0; i++) await world.runFor(1_000);
  t.is(await peers(), 1);
});
