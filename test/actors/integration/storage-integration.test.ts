import test from "ava";
import {
  storageIntegration,
  type StorageRequest,
  type TransactionLocated,
} from "../../../src/actors/integration/storage-integration.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import { fromHex } from "../../../src/bytes/hex.js";
import { CodedError } from "../../../src/errors.js";
import type { CheckedTransactions, TxStore } from "../../../src/ports.js";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import type { Message } from "../../../src/protocol/types/message.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  transactionId,
  type MadeBlock,
} from "../../support/chain.js";
import {
  checkedBlocks,
  connectAll,
  createHarness,
  genesis,
  type HarnessOptions,
} from "../support.js";

const key = makeKey(1);
const chain = makeChain(12);
const hashes = chain.map(({ header }) => header.hash);
const headerBytes = chain[0]!.headerBytes.length;

function start(options: HarnessOptions = {}) {
  const harness = createHarness({ chain, ...options });
  const consensus = harness.probe<ConsensusMessage>();
  const ref = harness.spawn(storageIntegration, { consensus: consensus.ref });
  const peer = harness.probe<Answer>();
  return {
    ...harness,
    consensus,
    ref,
    async serve(request: StorageRequest): Promise<Message> {
      ref.tell({ type: "Serve", request, peerId: "ab".repeat(32), replyTo: peer.ref });
      await harness.settle();
      const answer = peer.last as Exclude<Answer, "Done">;
      return ("history" in answer ? answer.history : answer) as Message;
    },
    async locate(id: string): Promise<TransactionLocated> {
      const asker = harness.probe<TransactionLocated>();
      ref.tell({ type: "LocateTransaction", id, replyTo: asker.ref });
      await harness.settle();
      return asker.last!;
    },
  };
}

const refused = (reason: string) => ({ kind: "RequestRefused", reason });
const range = (fromHeight: number, count: number, lastHash?: string): StorageRequest => ({
  kind: "RequestBlockRange",
  fromHeight,
  count,
  lastHash: lastHash ?? hashes[fromHeight + count - 2]!,
});
const headersOf = (message: Message): number =>
  message.kind === "ResponseHeaders" ? message.headers.length : -1;
const blocksOf = (message: Message): number =>
  message.kind === "ResponseBlockRange" ? message.blocks.length : -1;

// ---- serving ---------------------------------------------------------------------------------

test("a block is served by its hash, canonical or not", async (t) => {
  const harness = start();
  const [fork] = checkedBlocks([makeBlock({ transactions: [makeTransaction(key, 0)] })]);
  await harness.stores.blocks.commit({ blocks: [fork!], undo: [], state: [] });
  const request = (hash: string): StorageRequest => ({ kind: "RequestBlock", hash });
  t.deepEqual(await harness.serve(request(hashes[4]!)), {
    kind: "ResponseBlock",
    block: chain[4]!.bytes,
  });
  t.like(await harness.serve(request(fork!.header.hash)), { kind: "ResponseBlock" });
  t.deepEqual(await harness.serve(request("ff".repeat(32))), refused("NotFound"));
});

test("a range is served when its last block is ours", async (t) => {
  const harness = start();
  t.deepEqual(await harness.serve(range(3, 4)), {
    kind: "ResponseBlockRange",
    blocks: chain.slice(2, 6).map(({ bytes }) => bytes),
  });
  t.deepEqual(await harness.serve(range(3, 4, hashes[0])), refused("NotFound"));
  t.deepEqual(await harness.serve(range(12, 2, hashes[11])), refused("NotFound"));
});

test("a range is cut at the soft limit, but never to nothing", async (t) => {
  const cut = async (bytesSoftMax: number): Promise<number> =>
    blocksOf(await start({ config: { serve: { bytesSoftMax } } }).serve(range(1, 12)));
  const blocks = chain.slice(0, 3).map(({ bytes }) => bytes);
  const payloadBytes = encodeMessage({ kind: "ResponseBlockRange", blocks }).length;
  t.is(await cut(payloadBytes + 1), 3);
  t.is(await cut(payloadBytes), 3);
  t.is(await cut(payloadBytes - 1), 2);
  t.is(await cut(1), 1);
});

test("headers follow the newest locator hash that is canonical here", async (t) => {
  const harness = start();
  const locator = ["ff".repeat(32), hashes[7]!, hashes[2]!, genesis.header.hash];
  t.deepEqual(await harness.serve({ kind: "RequestHeaders", locator, countMax: 3 }), {
    kind: "ResponseHeaders",
    headers: chain.slice(8, 11).map((block) => block.headerBytes),
  });
});

test("a fork's hash in a locator is passed over", async (t) => {
  const harness = start();
  const [fork] = checkedBlocks([makeBlock({ transactions: [makeTransaction(key, 0)] })]);
  await harness.stores.blocks.commit({ blocks: [fork!], undo: [], state: [] });
  const locator = [fork!.header.hash, genesis.header.hash];
  const served = await harness.serve({ kind: "RequestHeaders", locator, countMax: 100 });
  t.is(headersOf(served), 12);
});

test("nothing above the head is an empty answer, and a foreign chain a refusal", async (t) => {
  const harness = start();
  const ask = (locator: string[]): Promise<Message> =>
    harness.serve({ kind: "RequestHeaders", locator, countMax: 9 });
  t.is(headersOf(await ask([hashes[11]!])), 0);
  t.deepEqual(await ask(["ff".repeat(32)]), refused("NotFound"));
});

test("headers are cut at the soft limit, but never to nothing", async (t) => {
  const cut = async (bytesSoftMax: number): Promise<number> => {
    const harness = start({ config: { serve: { bytesSoftMax, repliesQueuedMax: 1 } } });
    const locator = [genesis.header.hash];
    return headersOf(await harness.serve({ kind: "RequestHeaders", locator, countMax: 9 }));
  };
  t.is(await cut(262_144), 9);
  t.is(await cut(4 * headerBytes + 20), 4);
  t.is(await cut(1), 1);
});

// ---- the transaction index -------------------------------------------------------------------

/** Blocks of one transaction each on `parent`, with rising nonces. */
function spending(count: number, from: { parent?: MadeBlock; nonce: number }): MadeBlock[] {
  const blocks: MadeBlock[] = [];
  let { parent } = from;
  for (let i = 0; i < count; i++) {
    const transactions = [makeTransaction(key, from.nonce + i)];
    const block = makeBlock({ transactions, ...(parent ? { parent: parent.header } : {}) });
    blocks.push(block);
    parent = block;
  }
  return blocks;
}

const spent = spending(20, { nonce: 0 });
const idOf = (nonce: number): string => transactionId(makeTransaction(key, nonce));

test("an index that is behind at the start catches up, in turns", async (t) => {
  const harness = start({ chain: spent });
  await harness.settle();
  t.is(harness.stores.transactions.indexedHeight(), 20);
  for (const nonce of [0, 7, 8, 19]) {
    const blockHash = spent[nonce]!.header.hash;
    t.deepEqual(await harness.locate(idOf(nonce)), { location: { blockHash, index: 0 } });
  }
  t.deepEqual(await harness.locate(idOf(99)), {});
});

test("what is no transaction id is located nowhere", async (t) => {
  const harness = start({ chain: spent });
  for (const id of ["", "zz", "ab", "nonsense".repeat(8)])
    t.deepEqual(await harness.locate(id), {});
});

test("an index that throws or answers a promise costs the questions and a line each", async (t) => {
  const harness = start({ chain: spent });
  const { transactions } = harness.stores;
  const locate = transactions.locate.bind(transactions);
  const answers = [
    () => {
      throw new Error("planned");
    },
    () => Promise.reject(new Error("planned")),
  ];
  for (const answer of answers) {
    Object.assign(transactions, { locate: answer });
    // More often than a part may fail in a minute.
    for (let times = 0; times < 20; times++) t.deepEqual(await harness.locate(idOf(0)), {});
  }
  const lines = harness.log.filter(({ event }) => event === "the transaction index failed");
  t.is(lines.length, 40);
  Object.assign(transactions, { locate });
  t.is((await harness.locate(idOf(0))).location?.index, 0);
});

test("without an index nothing is located, and nothing fails", async (t) => {
  const harness = createHarness({ chain: spent });
  const { transactions: _absent, ...env } = harness.env;
  const bare = start({ chain: spent, env });
  Object.assign(bare.env, { transactions: undefined });
  t.deepEqual(await bare.locate(idOf(0)), {});
  const head = spent[19]!.header;
  bare.ref.tell({ type: "ChainChanged", disconnected: [], connected: [], head });
  await bare.settle();
  t.pass();
});

test("the index follows the chain, forward and through a reorganisation", async (t) => {
  const harness = start({ chain: [] });
  await harness.settle();
  const old = checkedBlocks(spent.slice(0, 3));
  connectAll(harness.stores.blocks, old);
  const { header: oldHead } = old[2]!;
  harness.ref.tell({ type: "ChainChanged", disconnected: [], connected: old, head: oldHead });
  await harness.settle();
  t.is(harness.stores.transactions.indexedHeight(), 3);
  // Blocks 2 and 3 are replaced; the transaction of block 2 is now in block 4.
  const branch = spending(4, { parent: spent[0]!, nonce: 5 });
  const fresh = checkedBlocks([spent[0]!, ...branch]).slice(1);
  await harness.stores.blocks.commit({
    blocks: fresh,
    undo: [],
    canonical: { fromHeight: 2, hashes: fresh.map(({ header }) => header.hash) },
    state: [],
  });
  const { header: head } = fresh[3]!;
  const disconnected = [old[2]!.header, old[1]!.header];
  harness.ref.tell({ type: "ChainChanged", disconnected, connected: fresh, head });
  await harness.settle();
  t.is(harness.stores.transactions.indexedHeight(), 5);
  t.deepEqual(await harness.locate(idOf(1)), {});
  t.deepEqual(await harness.locate(idOf(5)), {
    location: { blockHash: branch[0]!.header.hash, index: 0 },
  });
});

test("blocks that are connected while the index catches up are indexed in their turn", async (t) => {
  let waiting: (() => void)[] = [];
  const harness = createHarness({ chain: spent.slice(0, 10) });
  const store = harness.stores.transactions;
  const heights: number[] = [];
  const slow: TxStore = {
    locate: (id) => store.locate(id),
    indexedHeight: () => store.indexedHeight(),
    connect: async (block: CheckedTransactions) => {
      heights.push(block.height);
      await store.connect(block);
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    disconnect: (block) => store.disconnect(block),
    close: () => store.close(),
  };
  Object.assign(harness.env, { transactions: slow });
  const consensus = harness.probe<ConsensusMessage>();
  const ref = harness.spawn(storageIntegration, { consensus: consensus.ref });
  await harness.settle();
  const connected = checkedBlocks(spent.slice(0, 12)).slice(10);
  connectAll(harness.stores.blocks, connected);
  const { header: head } = connected[1]!;
  ref.tell({ type: "ChainChanged", disconnected: [], connected, head });
  await harness.settle();
  while (waiting.length > 0) {
    const due = waiting;
    waiting = [];
    for (const resolve of due) resolve();
    await harness.settle();
  }
  t.deepEqual(
    heights,
    Array.from({ length: 13 }, (_, height) => height),
  );
});

test("a reorganisation while the index catches up is not lost on it", async (t) => {
  let waiting: (() => void)[] = [];
  const harness = createHarness({ chain: spent.slice(0, 10) });
  const store = harness.stores.transactions;
  const slow: TxStore = {
    locate: (id) => store.locate(id),
    indexedHeight: () => store.indexedHeight(),
    connect: async (block: CheckedTransactions) => {
      await store.connect(block);
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    disconnect: (block) => store.disconnect(block),
    close: () => store.close(),
  };
  Object.assign(harness.env, { transactions: slow });
  const consensus = harness.probe<ConsensusMessage>();
  const ref = harness.spawn(storageIntegration, { consensus: consensus.ref });
  await harness.settle();
  t.is(store.indexedHeight(), 10);
  // Heights 6 to 10 are replaced while none of it is acknowledged yet.
  const branch = spending(6, { parent: spent[4]!, nonce: 50 });
  const fresh = checkedBlocks([...spent.slice(0, 5), ...branch]).slice(5);
  await harness.stores.blocks.commit({
    blocks: fresh,
    undo: [],
    canonical: { fromHeight: 6, hashes: fresh.map(({ header }) => header.hash) },
    state: [],
  });
  const disconnected = spent.slice(5, 10).map(({ header }) => header);
  const { header: head } = fresh[5]!;
  ref.tell({
    type: "ChainChanged",
    disconnected: disconnected.reverse(),
    connected: fresh,
    head,
  });
  while (waiting.length > 0 || store.indexedHeight() < 11) {
    const due = waiting;
    waiting = [];
    for (const resolve of due) resolve();
    await harness.settle();
  }
  for (const [place, block] of branch.entries()) {
    const location = store.locate(fromHex(idOf(50 + place)));
    t.deepEqual(location, { blockHash: block.header.hash, index: 0 });
  }
  t.is(store.locate(fromHex(idOf(6))), undefined);
});

test("an index that fails is logged, and the chain goes on", async (t) => {
  const failing: TxStore = {
    locate: () => undefined,
    indexedHeight: () => -1,
    connect: () => Promise.reject(new CodedError("STORE_FAILED", "The disk is full.")),
    disconnect: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const harness = start({ chain: spent, env: { transactions: failing } });
  await harness.settle();
  t.true(harness.log.some(({ event }) => event === "indexing failed"));
  t.is(blocksOf(await harness.serve(range(1, 1, spent[0]!.header.hash))), 1);
});
