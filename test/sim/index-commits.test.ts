import test from "ava";
import { createWorld, type SimNode, type World } from "../../src/sim/index.js";
import { coarseChain, give, growBranch } from "./branch.js";
import { replayOf, SEED_ASKED } from "./support.js";

const SEEDS = 10;
/** What a crash leaves is drawn. */
const CRASHES = 40;

const own = growBranch(3, { sender: 1 });
/** Heavier from its third block on, so that the head moves to it at the same height. */
const better = growBranch(8, { sender: 2, soon: true });

/** A node with an index on its own branch, with a peer that has the better one. */
async function indexing(seed: number | string): Promise<{ world: World; node: SimNode }> {
  const world = createWorld({
    seed,
    replay: replayOf("index-commits", seed),
    nodes: 2,
    producers: 0,
    chain: coarseChain,
    commitMs: [300, 300],
    config: {
      txIndex: true,
      dial: { backoffMaxMs: 1_000 },
      sync: { rangeBlocksMax: 1, rangesPerPeerMax: 8, tasksInPoolMax: 8 },
    },
    // Blocks come together, so that some wait while the head moves.
    links: { latencyMs: 40, jitterMs: 0 },
    pool: { threads: 8 },
  });
  const [node, server] = world.nodes as [SimNode, SimNode];
  world.partition([[node.name], [server.name]]);
  await world.runFor(20_000);
  await give(world, node, own);
  await give(world, server, better);
  await world.runFor(2_000);
  world.heal();
  return { world, node };
}

const seedsOf = (count: number) => (SEED_ASKED === undefined ? Array(count).keys() : [SEED_ASKED]);

test("blocks that follow a reorganisation at once do not hide what it brought from the index", async (t) => {
  for (const seed of seedsOf(SEEDS)) {
    const { world, node } = await indexing(seed);
    const followed = (): boolean => node.head().hash === better.at(-1)!.header.hash;
    t.true(await world.runUntil(followed, 30_000));
    await world.converge(10_000);
  }
});

test("a crash between a reorganisation and its index costs no transaction", async (t) => {
  let between = 0;
  for (const seed of seedsOf(CRASHES)) {
    const { world, node } = await indexing(seed);
    const moved = (): boolean => node.network.header(1)?.hash === better[0]!.header.hash;
    t.true(await world.runUntil(moved, 30_000));
    world.crash(node.name);
    if (node.lagging === "index") between++;
    world.restart(node.name);
    await world.converge(30_000);
    t.true(node.head().hash === better.at(-1)!.header.hash);
  }
  if (SEED_ASKED === undefined) t.true(between > 0);
});
