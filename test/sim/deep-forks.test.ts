import test, { type ExecutionContext } from "ava";
import { createWorld, type SimNode, type WorldOptions } from "../../src/sim/index.js";
import { simChain } from "../../src/sim/chain.js";
import { replayOf, SEED_ASKED } from "./support.js";

const KIB = 1_024;

/** The second of two producers is the slower one, so that its branch is the lighter one. */
const SLOW_MS = 5_000;
/** The genesis block, which all have, is no place to begin at. */
const COMMON_BLOCKS = 12;

/** Two producers apart until the slower one has a branch of so many blocks; then they agree. */
async function forked(
  t: ExecutionContext,
  own: string,
  blocks: number,
  options: Partial<WorldOptions>,
): Promise<void> {
  const seed = SEED_ASKED ?? own;
  const world = createWorld({
    seed,
    replay: replayOf("deep-forks", seed),
    nodes: 2,
    producers: 2,
    configs: [{}, { producer: { intervalMs: SLOW_MS } }],
    ...options,
    config: { dial: { backoffMaxMs: 2_000 }, ...options.config },
  });
  const [fast, slow] = world.nodes as [SimNode, SimNode];
  t.true(await world.runUntil(() => slow.head().height >= COMMON_BLOCKS, 120_000));
  world.partition([[fast.name], [slow.name]]);
  await world.runFor(1_000);
  const fork = slow.head().height;
  const deep = (): boolean => slow.head().height >= fork + blocks;
  t.true(await world.runUntil(deep, blocks * 2 * SLOW_MS));
  let left = 0;
  slow.network.subscribe(["BlockDisconnected"], () => void left++);
  world.heal();
  await world.converge(60_000);
  // They are told once the new ones are durable.
  await world.runFor(2_000);
  t.true(left >= blocks, `${left} blocks were left`);
}

test("a heavier branch whose headers fill several answers is followed to its end", async (t) => {
  await forked(t, "answers", 12, {
    chain: simChain({ extraBytes: KIB }),
    config: { serve: { bytesSoftMax: 8 * KIB } },
  });
});

test("a fork is followed where it begins nearly as deep as it may", async (t) => {
  await forked(t, "deep", 25, { config: { chain: { reorgDepthMax: 30 } } });
});
