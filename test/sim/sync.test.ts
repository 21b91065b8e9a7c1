import test from "ava";
import {
  createWorld,
  type ByzantineScript,
  type Delivery,
  type WorldOptions,
} from "../../src/sim/index.js";
import { rotation } from "../../src/sim/byzantine/rotation.js";
import { slowLoris } from "../../src/sim/byzantine/slow-loris.js";
import { withholdingOf } from "../../src/sim/byzantine/withholding.js";
import { replayOf, SEED_ASKED } from "./support.js";

const CHAIN_MS = 60_000;

/** One node that makes blocks for a while, and one that joins it late. */
function late(title: string, options: Partial<WorldOptions>) {
  const seed = SEED_ASKED ?? title;
  const replay = replayOf("sync", seed);
  const world = createWorld({ seed, replay, nodes: 2, late: 1, knownPeers: 1, ...options });
  const [producer, joining] = world.nodes;
  return { world, producer: producer!, joining: joining! };
}

test("keys that rotate without work do not keep a node from the peer that it dials", async (t) => {
  const { world, producer, joining } = late("rotation", { byzantine: [rotation] });
  await world.runFor(CHAIN_MS);
  const { hash, height } = producer.head();
  t.true(height > 15, `${height} blocks`);
  joining.start();
  const reached = (): boolean => joining.network.header(height)?.hash === hash;
  t.true(await world.runUntil(reached, 5_000), `height ${joining.head().height} after 5 s`);
});

test("who proves a heavier chain and withholds it keeps nobody ten blocks behind for long", async (t) => {
  const silent = withholdingOf(["silence"]);
  const seed = SEED_ASKED ?? "held up 2";
  const world = createWorld({
    seed,
    replay: replayOf("sync", seed),
    nodes: 3,
    late: 1,
    knownPeers: 3,
    byzantine: [silent, silent, ...Array<ByzantineScript>(6).fill(slowLoris)],
    config: { maxInbound: 64, memoryBudgetBytes: 4 * 1_024 ** 3 },
  });
  await world.runFor(CHAIN_MS);
  world.nodes.at(-1)!.start();
  const behindSeconds = world.nodes.map(() => 0);
  let worst = 0;
  world.every(1_000, () => {
    const best = Math.max(...world.nodes.map((node) => node.head().height));
    for (const [index, node] of world.nodes.entries()) {
      const behind = best - node.head().height > 10;
      behindSeconds[index] = behind ? behindSeconds[index]! + 1 : 0;
      worst = Math.max(worst, behindSeconds[index]);
    }
  });
  await world.runFor(45_000);
  t.true(worst < 20, `${worst} s`);
});

test("what a full pool refuses is checked from hand, and not downloaded again", async (t) => {
  let asked = 0;
  const onDelivery = ({ path, message }: Delivery): void => {
    const said = message as { type?: string; message?: { kind?: string; count?: number } };
    const isRange = said.message?.kind === "RequestBlockRange";
    if (path.startsWith("n1/") || !isRange || said.type !== "Request") return;
    asked += said.message?.count ?? 0;
  };
  const { world, producer, joining } = late("full pool", {
    onDelivery,
    config: { pool: { queueMax: 4 }, sync: { rangeBlocksMax: 2, taskBytesTarget: 1 } },
    pool: { threads: 1, taskMs: ({ kind }) => (kind === "seal" ? 300 : 20) },
  });
  await world.runFor(CHAIN_MS);
  const { hash, height } = producer.head();
  joining.start();
  await world.runUntil(() => joining.network.header(height)?.hash === hash, 60_000);
  t.is(joining.network.header(height)?.hash, hash);
  t.log(`${asked} blocks asked for of ${height}`);
  t.true(asked <= height + 10, `${asked} blocks asked for of ${height}`);
});
