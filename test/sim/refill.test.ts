import test from "ava";
import { createWorld, type World } from "../../src/sim/index.js";
import { coarseChain, give, growBranch } from "./branch.js";
import { replayOf, SEED_ASKED } from "./support.js";

const CRASHES_MAX = 4;
/** Its blocks are from the future before. */
const SINCE_GENESIS_MS = 60_000;

async function worldOf(own: string): Promise<World> {
  const seed = SEED_ASKED ?? own;
  const replay = replayOf("refill", seed);
  const world = createWorld({ seed, replay, nodes: 1, producers: 0, chain: coarseChain });
  await world.runFor(SINCE_GENESIS_MS);
  return world;
}

test("a mempool that crashes takes back what a reorganisation abandoned, wherever it was", async (t) => {
  const abandoned = growBranch(3, { sender: 1 });
  const heavier = growBranch(6, { sender: 2 });
  // At the change itself, or so many messages later, when a part of it is done.
  for (let skip = 0; skip < CRASHES_MAX; skip++) {
    const world = await worldOf(`refill ${skip}`);
    const node = world.nodes[0]!;
    await give(world, node, abandoned);
    t.is(node.head().hash, abandoned.at(-1)!.header.hash);
    node.crashActor("mempool", skip);
    await give(world, node, heavier);
    t.is(node.head().hash, heavier.at(-1)!.header.hash);
    t.is(node.actorCrashes.get("mempool"), 1, `${skip}`);
    await world.converge(10_000);
    const { mempool } = await world.settled(node.network.status());
    t.is(mempool.count, 3, `${skip}`);
  }
});

test("a block that a mempool crashes at is confirmed all the same", async (t) => {
  const world = await worldOf("confirmed");
  const node = world.nodes[0]!;
  const blocks = growBranch(1, { sender: 1 });
  const parts = coarseChain.consensus.rules.splitBlock(blocks[0]!.bytes);
  t.true(parts.ok);
  const [transaction] = parts.ok ? parts.value.transactions : [];
  await world.settled(node.network.broadcastTransaction(transaction!));
  t.is((await world.settled(node.network.status())).mempool.count, 1);
  node.crashActor("mempool", 0);
  await give(world, node, blocks);
  t.is(node.actorCrashes.get("mempool"), 1);
  await world.runFor(5_000);
  t.is((await world.settled(node.network.status())).mempool.count, 0);
});
