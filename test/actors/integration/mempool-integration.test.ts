import test from "ava";
import { changeOf } from "../../../src/actors/integration/chain-events.js";
import { nothingFollowed } from "../../../src/actors/integration/mempool-follower.js";
import { mempoolIntegration } from "../../../src/actors/integration/mempool-integration.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import type { Mempool, MempoolAnswer, MempoolTransaction } from "../../../src/ports.js";
import type { MessageOf } from "../../../src/protocol/types/message.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { CheckedBlock } from "../../../src/types/chain.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../../support/chain.js";
import {
  checkedBlocks,
  connectAll,
  consensus,
  createHarness,
  published,
  type HarnessOptions,
} from "../support.js";

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
  const peer = harness.probe<MessageOf<"ResponseTransactions">>();
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
      return outcomes.last!;
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
    { type: "TransactionRejected", id: at(7).id, rule: "nonce", detail: "" },
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
