// What nodes measure of their peers over simulated links, whose delays are known.

import test from "ava";
import { createWorld } from "../../src/sim/index.js";

const regions = {
  names: ["near", "far"],
  oneWayMs: [
    [0, 400],
    [400, 0],
  ],
};

test("who makes blocks tells of them first, and who is far has long round trips", async (t) => {
  const world = createWorld({
    seed: "peer figures",
    nodes: 6,
    knownPeers: 5,
    links: { regions, regionOf: (host) => (host === "n5" ? "far" : "near") },
  });
  await world.runFor(120_000);
  const peers = await world.settled(world.node("n1").network.peers());
  const byId = new Map(peers.map((peer) => [peer.peerId, peer]));
  const of = (name: string) => byId.get(world.node(name).peerId)!;
  const [producer, others, far] = [of("n0"), ["n2", "n3", "n4"].map(of), of("n5")];
  t.true(far.performance.pingMinMs! >= 800);
  for (const { performance } of [producer, ...others]) t.true(performance.pingMinMs! < 400);
  t.true(producer.deeds.usefulBlocks > 0);
  const late = others.flatMap(({ performance }) => performance.blockDelayMs ?? []);
  t.true(late.every((delayMs) => delayMs > producer.performance.blockDelayMs!));
  for (const { performance } of others) {
    t.true(performance.score > far.performance.score);
    t.true(performance.score < producer.performance.score);
  }
});
