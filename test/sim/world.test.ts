import test from "ava";
import { loadSignatures } from "../../src/chain/signatures.js";
import { createWorld, SimulationFailed, startTraffic } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

function options(own: string) {
  const seed = SEED_ASKED ?? own;
  return { seed, replay: replayOf("world", seed) };
}

test("two producers that were apart for three blocks agree by a reorganisation", async (t) => {
  const world = createWorld({ ...options("three"), nodes: 2, producers: 2 });
  const [one, two] = world.nodes;
  await world.converge(10_000);
  await world.runUntil(() => one!.head().height >= 3, 30_000);
  const fork = (await world.converge(10_000)).height;
  const left: number[] = [];
  for (const { network } of world.nodes) {
    network.subscribe(["BlockDisconnected"], ({ height }) => void left.push(height));
  }
  world.partition([["n0"]]);
  const apart = (): boolean => world.nodes.every((node) => node.head().height >= fork + 3);
  t.true(await world.runUntil(apart, 60_000));
  t.not(one!.head().hash, two!.head().hash);
  const depth = Math.min(one!.head().height, two!.head().height) - fork;
  world.heal();
  await world.converge(60_000);
  // The last event follows when the head that all agree on is durable.
  await world.runFor(1_000);
  t.true(left.length >= 3 && left.length >= depth, `${left.length} blocks left`);
  t.deepEqual(
    left,
    [...left].sort((a, b) => b - a),
    "from the head downward",
  );
});

test("transactions submitted anywhere are confirmed everywhere, with real signatures too", async (t) => {
  const signatures = await loadSignatures();
  const world = createWorld({
    ...options("traffic"),
    nodes: 3,
    signatures,
    config: { txIndex: true },
  });
  let confirmed = 0;
  world.nodes[2]!.network.subscribe(["BlockConnected"], ({ transactionCount }) => {
    confirmed += transactionCount;
  });
  await world.runFor(3_000);
  const traffic = startTraffic(world, { perSecond: 10 });
  await world.runFor(10_000);
  traffic.stop();
  await world.runFor(1_000);
  t.is(traffic.accepted, traffic.submitted);
  t.true(await world.runUntil(() => confirmed === traffic.submitted, 60_000));
  // The other nodes hear of the last block a little later.
  await world.runFor(1_000);
  const status = await world.settled(world.nodes[1]!.network.status());
  t.is(status.mempool.count, 0);
  t.is(status.peers.length, 2);
});

test("a node that stopped in order and one that crashed come back and follow", async (t) => {
  const world = createWorld({ ...options("back"), nodes: 3 });
  await world.runFor(10_000);
  const height = world.node("n1").head().height;
  await world.settled(world.node("n1").network.stop());
  world.crash("n2");
  t.deepEqual(
    world.nodes.map((node) => node.up),
    [true, false, false],
  );
  await world.runFor(10_000);
  world.restart("n1");
  world.restart("n2");
  t.is(world.node("n1").head().height, height, "an orderly stop loses nothing");
  const head = await world.converge(30_000);
  t.true(head.height > height + 2);
});

test("a failed check names the seed, the virtual time, what is wrong and the replay", async (t) => {
  const world = createWorld({ seed: "apart", replay: "run it again", nodes: 2, producers: 2 });
  await world.converge(10_000);
  world.partition([["n0"]]);
  await world.runFor(10_000);
  const atMs = world.nowMs;
  const failed = await t.throwsAsync(world.converge(5_000), { instanceOf: SimulationFailed });
  t.is(failed.seed, "apart");
  t.is(failed.violations[0]?.atMs, atMs + 5_000);
  t.regex(failed.message, /^seed apart failed\nat \d+\.\d{3} s: no common chain .*n0 \d+ /);
  t.regex(failed.message, /\nreplay: run it again$/);
});
