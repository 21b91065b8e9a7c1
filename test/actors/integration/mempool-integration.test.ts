import test from "ava";
import { changeOf } from "../../../src/actors/integration/chain-events.js";
import { nothingFollowed } from "../../../src/actors/integration/mempool-follower.js";
import { mempoolIntegration } from "../../../src/actors/integration/mempool-integration.js";
import type { MempoolChanged } from "../../../src/actors/integration/mempool-messages.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import { encodeKeptPage } from "../../../src/actors/integration/kept-page.js";
import { DEFAULTS } from "../../../src/config.js";
import type {
  Mempool,
  MempoolAnswer,
  MempoolStore,
  MempoolTransaction,
  WorkerPool,
} from "../../../src/ports.js";
import { openMemoryStores } from "../../../src/storage/memory-stores.js";
import type { MessageOf } from "../../../src/protocol/types/message.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { CheckedBlock } from "../../../src/types/chain.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../../support/chain.js";
import {
  checkedBlocks,
  connectAll,
  consensus,
  createHarness,
  genesis,
  published,
  START_WALL_MS,
  type HarnessOptions,
} from "../support.js";

const { expiryMs, keepEveryMs } = DEFAULTS.mempool;
const key = makeKey(1);
const at = (nonce: number) => {
  const bytes = makeTransaction(key, nonce);
  return { id: transactionId(bytes), bytes };
};

async function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const chain = harness.probe<ConsensusMessage>();
  const events = harness.probe<EventBusMessage>();
  const ref = harness.spawn(mempoolIntegration, {
    consensus: chain.ref,
    events: events.ref,
    followed: nothingFollowed(),
  });
  const outcomes = harness.probe<readonly MempoolAnswer[]>();
  const peer = harness.probe<MessageOf<"ResponseTransactions" | "ResponseShortIds">>();
  await harness.settle();
  return {
    ...harness,
    ref,
    chain,
    events,
    outcomes,
    async add(...nonces: number[]): Promise<readonly MempoolAnswer[]> {
      const transactions = nonces.map((nonce) => ({ ...at(nonce), own: false }));
      ref.tell({ type: "AddTransactions", transactions, replyTo: outcomes.ref });
      await harness.settle();
      return outcomes.last!.map((answer) => (answer.ok ? { ok: true } : answer));
    },
    async serve(ids: readonly string[]): Promise<readonly Uint8Array[]> {
      ref.tell({ type: "ServeTransactions", ids, replyTo: peer.ref });
      await harness.settle();
      return peer.last!.transactions;
    },
  };
}

test("it follows the chain", async (t) => {
  const { chain } = await start();
  t.like(chain.received, [{ type: "Subscribe" }]);
});

test("who follows it hears of what returns after a crash too", async (t) => {
  const harness = await start();
  const { ref } = harness;
  const follower = harness.probe<MempoolChanged>();
  ref.tell({ type: "Subscribe", subscriber: follower.ref });
  harness.expectFault(ref);
  ref.tell({ type: "Nonsense" } as never);
  await harness.advance(100);
  const { ref: replyTo } = harness.probe<readonly MempoolAnswer[]>();
  ref.tell({ type: "AddTransactions", transactions: [{ ...at(0), own: true }], replyTo });
  await harness.advance(2 * DEFAULTS.gossip.announceAgainMs);
  t.like(follower.received, [{ type: "ReturnedTransactions", ids: [at(0).id] }]);
});

test("each transaction is answered in order, and only accepted ones are published", async (t) => {
  const harness = await start();
  const answers = await harness.add(0, 0, 1);
  t.deepEqual(answers, [{ ok: true }, { ok: false, reason: "known" }, { ok: true }]);
  t.deepEqual(published(harness.events), [
    { type: "TransactionAccepted", id: at(0).id },
    { type: "TransactionAccepted", id: at(1).id },
  ]);
});

test("a nonce that is confirmed already has one name, whatever a caller's mempool says", async (t) => {
  const dropped = [{ id: at(7).id, reason: "stale-nonce" }];
  const mempool: Mempool = {
    has: () => false,
    get: () => undefined,
    select: () => [],
    confirmed: () => undefined,
    count: 0,
    bytes: 0,
    add: () => ({ ok: false, reason: "stale-nonce" }),
    takeDropped: () => dropped.splice(0),
  };
  const harness = await start({ env: { mempool } });
  t.deepEqual(await harness.add(0), [{ ok: false, reason: "nonce" }]);
  t.like(published(harness.events), [
    { type: "TransactionDropped", id: at(7).id, rule: "nonce", detail: "" },
  ]);
});

test("peers get those of the asked transactions that are here, in the order asked", async (t) => {
  const harness = await start();
  await harness.add(0, 1, 2);
  const served = await harness.serve([at(2).id, at(9).id, at(0).id]);
  t.deepEqual(served, [at(2).bytes, at(0).bytes]);
  t.deepEqual(await harness.serve([at(9).id]), []);
});

test("what is served at once is bounded by items and bytes", async (t) => {
  const few = await start({ config: { serve: { itemsMax: 128 }, sync: { rangeBlocksMax: 128 } } });
  await few.add(0);
  const ids = [...new Array<string>(128).fill("00".repeat(32)), at(0).id];
  t.deepEqual(await few.serve(ids), []);
  const small = await start({ config: { serve: { bytesSoftMax: at(0).bytes.length + 1 } } });
  await small.add(0, 1, 2);
  t.is((await small.serve([0, 1, 2].map((nonce) => at(nonce).id))).length, 1);
});

test("a transaction that is asked for twice is served once", async (t) => {
  const harness = await start();
  await harness.add(0, 1);
  const ids = [0, 1, 0, 0, 1].map((nonce) => at(nonce).id);
  t.deepEqual(await harness.serve(ids), [at(0).bytes, at(1).bytes]);
});

test("the producer gets the best transactions that fit", async (t) => {
  const harness = await start();
  await harness.add(0, 1);
  const producer = harness.probe<readonly MempoolTransaction[]>();
  const replyTo = producer.ref;
  harness.ref.tell({ type: "SelectTransactions", bytesMax: 1_000_000, replyTo });
  harness.ref.tell({ type: "SelectTransactions", bytesMax: at(0).bytes.length + 50, replyTo });
  await harness.settle();
  t.deepEqual(
    producer.received.map((transactions) => transactions.map(({ id }) => id)),
    [[at(0).id, at(1).id], [at(0).id]],
  );
});

test("a connected block takes its transactions out, and those it made stale", async (t) => {
  const harness = await start();
  await harness.add(0, 1, 2);
  const block = makeBlock({ transactions: [at(1).bytes] });
  const connected = checkedBlocks([block]);
  connectAll(harness.stores.blocks, connected);
  harness.ref.tell({ type: "ChainChanged", disconnected: [], connected, head: block.header });
  await harness.settle();
  t.deepEqual(
    [0, 1, 2].map((nonce) => harness.env.mempool.has(at(nonce).id)),
    [false, false, true],
  );
});

test("a reorganisation brings the abandoned transactions back, but for those confirmed again", async (t) => {
  const old = makeBlock({ transactions: [at(0).bytes, at(1).bytes, at(2).bytes] });
  const harness = await start();
  const blocks = harness.stores.blocks;
  const [abandoned] = checkedBlocks([old]) as [CheckedBlock];
  const oldChain = { fromHeight: 1, hashes: [old.header.hash] };
  await blocks.commit({ blocks: [abandoned], undo: [], canonical: oldChain, state: [] });
  harness.ref.tell(changeOf([abandoned], old.header));
  await harness.settle();
  // The new chain holds the first of its transactions.
  const connected = checkedBlocks([makeBlock({ transactions: [at(0).bytes] })]);
  const { header } = connected[0]!;
  const applied = consensus.connect(connected[0]!, blocks);
  const state = applied.ok ? applied.value.writes : [];
  const canonical = { fromHeight: 1, hashes: [header.hash] };
  await blocks.commit({ blocks: connected, undo: [], canonical, state });
  harness.ref.tell({
    type: "ChainChanged",
    disconnected: [old.header],
    connected,
    head: header,
  });
  await harness.settle();
  t.deepEqual(
    [0, 1, 2].map((nonce) => harness.env.mempool.has(at(nonce).id)),
    [false, true, true],
  );
  t.deepEqual(harness.env.mempool.get(at(1).id), at(1).bytes);
});

/** What one start of a node leaves to the next: the store, and a clock that went on. */
async function startOn(mempoolStore: MempoolStore, options: HarnessOptions = {}) {
  return start({ ...options, env: { mempoolStore, ...options.env } });
}

function idsOf(...nonces: number[]): readonly string[] {
  return nonces.map((nonce) => at(nonce).id);
}

test("what waits is written a moment later, and waits again after a restart", async (t) => {
  const { mempool: store } = openMemoryStores({ genesis });
  const before = await startOn(store);
  await before.add(0, 1, 2);
  t.deepEqual(store.names(), [], "not at once");
  await before.advance(keepEveryMs);
  t.is(store.names().length, 1);
  before.env.mempool.remove!(idsOf(1));
  await before.add(3);
  await before.advance(keepEveryMs);

  const after = await startOn(store);
  await after.advance(0);
  t.deepEqual([...after.env.mempool.ids!()].sort(), [...idsOf(0, 2, 3)].sort());
  t.deepEqual(
    published(after.events).map(({ type }) => type),
    ["TransactionAccepted", "TransactionAccepted", "TransactionAccepted"],
  );
  t.like(after.log.at(-1), {
    event: "transactions of the last start wait again",
    fields: { count: 3 },
  });
  t.deepEqual(await after.add(0), [{ ok: false, reason: "known" }]);
});

test("after a restart only what is still valid waits, whatever lies in the store", async (t) => {
  const { mempool: store } = openMemoryStores({ genesis });
  const forged = Uint8Array.from(at(7).bytes);
  forged[forged.length - 1]! ^= 1;
  const page = encodeKeptPage(
    [at(0).bytes, forged, Uint8Array.of(1, 2, 3), at(1).bytes].map((bytes) => ({
      bytes,
      own: true,
      sinceWallMs: START_WALL_MS - expiryMs + 90_000,
    })),
  );
  await store.write([
    { name: "000000000004", bytes: page },
    { name: "000000000005", bytes: Uint8Array.of(1, 0, 0) },
    { name: "000000000006", bytes: new Uint8Array(9_000).fill(255) },
  ]);
  const block = makeBlock({ transactions: [at(0).bytes] });
  const harness = await startOn(store, { chain: [block] });
  await harness.advance(0);
  t.deepEqual([...harness.env.mempool.ids!()], [...idsOf(1)]);
  t.like(harness.log.at(-1), { fields: { count: 1, refused: 3 } });
  await harness.advance(60_000);
  t.is(harness.env.mempool.count, 1);
  await harness.advance(60_000);
  t.is(harness.env.mempool.count, 0, "it expires by when it came first");
});

test("a store that fails costs what it was about", async (t) => {
  const { mempool: inner } = openMemoryStores({ genesis });
  let broken = true;
  const store: MempoolStore = {
    names: () => {
      throw new Error("no names");
    },
    read: (name) => inner.read(name),
    write: (pages) => (broken ? Promise.reject(new Error("no disk")) : inner.write(pages)),
    close: () => inner.close(),
  };
  const harness = await startOn(store);
  t.deepEqual(await harness.add(0), [{ ok: true }]);
  await harness.advance(keepEveryMs);
  t.is(harness.log.filter(({ event }) => event === "the store of the mempool failed").length, 2);
  broken = false;
  await harness.advance(keepEveryMs);
  const after = await startOn(inner);
  await after.advance(0);
  t.true(after.env.mempool.has(at(0).id));
});

test("a pool that is busy at the start is asked again", async (t) => {
  const { mempool: store } = openMemoryStores({ genesis });
  const page = encodeKeptPage([{ bytes: at(0).bytes, own: false, sinceWallMs: 0 }]);
  await store.write([{ name: "000000000000", bytes: page }]);
  const { workers } = createHarness().env;
  let refusals = 3;
  const busy: WorkerPool = {
    ...workers,
    validateTransactions: (packed) =>
      refusals-- > 0 ? Promise.reject(new Error("full")) : workers.validateTransactions(packed),
  };
  const harness = await startOn(store, { env: { workers: busy } });
  await harness.advance(2_500);
  t.is(harness.env.mempool.count, 0);
  await harness.advance(1_000);
  t.is(harness.env.mempool.count, 1);
});
