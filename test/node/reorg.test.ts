import test from "ava";
import { createMempool } from "../../src/chain/mempool.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { DEFAULTS } from "../../src/config.js";
import { genesisOf } from "../../src/compose.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import type { BlockStore } from "../../src/ports.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  testParams,
  transactionId,
  type MadeBlock,
} from "../support/chain.js";
import { consensus, nextEvent, offer, reaches, startTestNode, until } from "./nodes.js";

const BIND = "tcp://127.0.0.1:0";

/** Three blocks on genesis; `key` alone spends in them, so that two such chains differ. */
function branch(key: number, blocks: number): MadeBlock[] {
  const chain: MadeBlock[] = [];
  for (let nonce = 1; nonce <= blocks; nonce++) {
    const parent = chain.at(-1)?.header;
    const transactions = [makeTransaction(makeKey(key), nonce)];
    chain.push(makeBlock({ transactions, ...(parent === undefined ? {} : { parent }) }));
  }
  return chain;
}

test("two nodes that grew three blocks apart agree on the heavier branch", async (t) => {
  const light = branch(1, 3);
  const heavy = branch(2, 4);
  const one = await startTestNode(t, { bindAddr: BIND });
  const two = await startTestNode(t, { bindAddr: BIND });
  for (const { bytes, header } of light) {
    one.broadcastBlock(bytes);
    await reaches(one, header.hash);
  }
  for (const { bytes, header } of heavy) {
    two.broadcastBlock(bytes);
    await reaches(two, header.hash);
  }
  const disconnected: number[] = [];
  one.subscribe(["BlockDisconnected"], ({ height }) => disconnected.push(height));
  const finished = nextEvent(one, "SyncFinished");
  void one.connect(two.listenAddress!);
  await reaches(one, heavy.at(-1)!.header.hash);
  await finished;
  t.deepEqual(disconnected, [3, 2, 1]);
  t.is(two.head().hash, heavy.at(-1)!.header.hash);

  // State moved with the chain: on this branch key 1 never spent, so its nonce 1 is free again.
  const next = makeBlock({
    parent: heavy.at(-1)!.header,
    transactions: [makeTransaction(makeKey(1), 1)],
  });
  one.broadcastBlock(next.bytes);
  await reaches(one, next.header.hash);
  await reaches(two, next.header.hash);
  t.pass();
});

test("a branch of equal work does not replace the head", async (t) => {
  const first = makeChain(2);
  const second = branch(5, 2);
  const node = await startTestNode(t);
  for (const { bytes, header } of first) {
    node.broadcastBlock(bytes);
    await reaches(node, header.hash);
  }
  for (const { bytes } of second) node.broadcastBlock(bytes);
  const winner = makeBlock({ parent: first.at(-1)!.header });
  node.broadcastBlock(winner.bytes);
  await reaches(node, winner.header.hash);
  t.is(node.head().previousHash, first.at(-1)!.header.hash);
});

test("transactions of an abandoned block wait for the next one again", async (t) => {
  const node = await startTestNode(t);
  const lost = makeBlock({ transactions: [makeTransaction(makeKey(9), 1)] });
  const heavy = branch(2, 2);
  node.broadcastBlock(lost.bytes);
  await reaches(node, lost.header.hash);
  t.is((await node.status()).mempool.count, 0);
  for (const { bytes } of heavy) node.broadcastBlock(bytes);
  await reaches(node, heavy.at(-1)!.header.hash);
  await until(async () => (await node.status()).mempool.count === 1);
  t.pass();
});

test("of one sender's many abandoned transactions those with the lowest nonces come back", async (t) => {
  const { perSenderMax } = DEFAULTS.mempool;
  const mempool = createMempool(DEFAULTS.mempool, (bytes) => readTransaction(bytes, testParams));
  const node = await startTestNode(t, {}, { mempool });
  const perBlock = 120;
  const spent = Array.from({ length: 3 * perBlock }, (_, i) => makeTransaction(makeKey(9), i + 1));
  let parent: MadeBlock | undefined;
  for (let first = 0; first < spent.length; first += perBlock) {
    const transactions = spent.slice(first, first + perBlock);
    parent = makeBlock({ transactions, ...(parent && { parent: parent.header }) });
    node.broadcastBlock(parent.bytes);
    await reaches(node, parent.header.hash);
  }
  const heavy = branch(2, 4);
  await offer(node, heavy);
  await reaches(node, heavy.at(-1)!.header.hash);
  await until(() => mempool.count >= perSenderMax);
  t.deepEqual(
    spent.map((bytes, i) => [i + 1, mempool.has(transactionId(bytes))]),
    spent.map((_, i) => [i + 1, i < perSenderMax]),
  );
  mempool.invariants();
});

test("no block is read on the event loop: not to reorganise, to follow, to serve or to look up", async (t) => {
  const { blocks, joinIndex } = openMemoryStores({ genesis: genesisOf(consensus) });
  let reads = 0;
  const read = blocks.block.bind(blocks);
  const counted: BlockStore = Object.assign(blocks, {
    block: (hash: string) => {
      reads++;
      return read(hash);
    },
  });
  const lost = makeBlock({ transactions: [makeTransaction(makeKey(9), 1)] });
  const heavy = branch(2, 3);
  const node = await startTestNode(
    t,
    { bindAddr: BIND },
    { blockStore: counted, txStore: joinIndex() },
  );
  await offer(node, [lost, ...heavy]);
  await reaches(node, heavy.at(-1)!.header.hash);
  await until(async () => (await node.status()).mempool.count === 1);
  const confirmed = transactionId(makeTransaction(makeKey(2), 2));
  await until(async () => (await node.locateTransaction(confirmed)) !== undefined);
  const other = await startTestNode(t);
  void other.connect(node.listenAddress!);
  await reaches(other, heavy.at(-1)!.header.hash);
  t.is(reads, 0);
});
