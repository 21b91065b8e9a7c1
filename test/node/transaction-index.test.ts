// The index from a transaction to its block, over crashes, reorganisations and times without it.

import test, { type ExecutionContext } from "ava";
import { genesisOf, startNode } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import { systemClock } from "../../src/runtime/clock.js";
import { openEnvironment, openTextTables } from "../../src/storage/lmdb-open.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { Table } from "../../src/storage/tables.js";
import { temporaryDirectory } from "../cli/child.js";
import {
  makeBlock,
  makeKey,
  makeTransaction,
  transactionId,
  type MadeBlock,
} from "../support/chain.js";
import { consensus, offer, reaches, until } from "./nodes.js";

/** Blocks of ten transactions of `key` each, on `parent` or genesis. */
function spending(key: number, blocks: number, parent?: MadeBlock): MadeBlock[] {
  const chain: MadeBlock[] = [];
  for (let i = 0; i < blocks; i++) {
    const on = chain.at(-1) ?? parent;
    const transactions = Array.from({ length: 10 }, (_, n) =>
      makeTransaction(makeKey(key), 10 * i + n + 1),
    );
    chain.push(makeBlock({ transactions, ...(on && { parent: on.header }) }));
  }
  return chain;
}

function idsOf(key: number, blocks: number): string[] {
  return Array.from({ length: 10 * blocks }, (_, n) =>
    transactionId(makeTransaction(makeKey(key), n + 1)),
  );
}

const trunk = spending(1, 3);
const old = spending(2, 4, trunk[2]);
const fresh = spending(3, 5, trunk[2]);

async function run(
  t: ExecutionContext,
  dataDir: string,
  config: NetworkConfigInput,
  work: (node: Network) => Promise<void>,
): Promise<void> {
  const node = await startNode({ pool: { inline: true }, dataDir, ...config }, { consensus });
  t.teardown(() => node.stop());
  await work(node);
  await node.stop();
}

/** The chain to be left, all of it indexed. */
async function indexOld(node: Network): Promise<void> {
  await connect(node, [...trunk, ...old]);
  const last = idsOf(2, 4).at(-1)!;
  await until(async () => (await node.locateTransaction(last)) !== undefined);
}

async function connect(node: Network, blocks: readonly MadeBlock[]): Promise<void> {
  await offer(node, blocks);
  await reaches(node, blocks.at(-1)!.header.hash);
}

/** Waits until the last block is indexed, then asks for everything. */
async function holdsFreshBranch(t: ExecutionContext, node: Network): Promise<void> {
  const last = idsOf(3, 5).at(-1)!;
  await until(async () => (await node.locateTransaction(last)) !== undefined);
  const found = async (ids: string[]) =>
    (await Promise.all(ids.map((id) => node.locateTransaction(id)))).filter((at) => at).length;
  t.is(await found(idsOf(1, 3)), 30, "of the trunk");
  t.is(await found(idsOf(3, 5)), 50, "of the branch");
  t.is(await found(idsOf(2, 4)), 0, "of the abandoned branch");
}

test("a reorganisation while the index was off is made good at the next start with it", async (t) => {
  const data = await temporaryDirectory(t);
  await run(t, data, { txIndex: true }, indexOld);
  await run(t, data, {}, (node) => connect(node, fresh));
  await run(t, data, { txIndex: true }, (node) => holdsFreshBranch(t, node));
});

test("an index of an older version that a crash left on an abandoned branch is made good", async (t) => {
  const data = await temporaryDirectory(t);
  await run(t, data, { txIndex: true }, indexOld);
  await run(t, data, {}, (node) => connect(node, fresh));
  // Older versions kept the height of the last indexed block, and nothing else of it.
  const { blocks, close } = await openLmdbStores({
    directory: data,
    genesis: genesisOf(consensus),
    clock: systemClock,
  });
  const { height } = blocks.head();
  await close();
  const root = openEnvironment({ directory: data, mapSizeBytes: 2 ** 30 });
  const tip = Buffer.alloc(4);
  tip.writeInt32BE(height);
  await openTextTables(root)[Table.meta]!.put("tx-tip", tip);
  await root.close();
  await run(t, data, { txIndex: true }, (node) => holdsFreshBranch(t, node));
});

test("the index follows a reorganisation of a running node", async (t) => {
  const data = await temporaryDirectory(t);
  await run(t, data, { txIndex: true }, async (node) => {
    await indexOld(node);
    await connect(node, fresh);
    await holdsFreshBranch(t, node);
  });
});
