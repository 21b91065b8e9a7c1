import test from "ava";
import { StateOverlay } from "../../src/actors/integration/state-overlay.js";
import { createMempool } from "../../src/chain/mempool.js";
import { lastNonce, nonceWrite } from "../../src/chain/nonce-state.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { DEFAULTS } from "../../src/config.js";
import type { Mempool } from "../../src/ports.js";
import { RefillAuditor, watchMempool } from "../../src/sim/refill-auditor.js";
import {
  makeBlock,
  makeKey,
  makeTransaction,
  testParams,
  transactionId,
} from "../support/chain.js";
import { consensus } from "../actors/support.js";

const key = makeKey(1);
const bytes = makeTransaction(key, 3);
const id = transactionId(bytes);
const abandoned = makeBlock({ transactions: [bytes] });
const { hash } = abandoned.header;

function start() {
  const book = { get: () => ({ ...abandoned, connected: true }) } as never;
  const auditor = new RefillAuditor(book, consensus.rules, testParams);
  const state = new StateOverlay({ state: () => undefined });
  const watch = { stale: new Set<string>(), offered: new Set<string>(), given: new Set<string>() };
  const inner = createMempool(DEFAULTS.mempool, (one) => readTransaction(one, testParams));
  const mempool: Mempool = watchMempool(inner, watch);
  const { sender } = (readTransaction(bytes, testParams) as { value: { sender: Uint8Array } })
    .value;
  return { auditor, state, mempool, watch, sender };
}

test("what an abandoned block held is lost unless it waits or its nonce is used", (t) => {
  const { auditor, state, mempool, sender } = start();
  t.is(auditor.lost([hash], state, mempool), id);
  t.true(mempool.add({ id, bytes }, state).ok);
  t.is(auditor.lost([hash], state, mempool), undefined);
  mempool.remove?.([id]);
  state.apply([nonceWrite(sender, 3)]);
  t.is(lastNonce(state, sender), 3);
  t.is(auditor.lost([hash], state, mempool), undefined);
});

test("what gave way to a chain that used its nonce is heard of, and nothing else that left", (t) => {
  const { state, mempool, watch, sender } = start();
  mempool.add({ id, bytes }, state);
  mempool.remove?.([id]);
  t.deepEqual(mempool.takeDropped?.(), []);
  mempool.add({ id, bytes }, state);
  const dearer = makeTransaction(key, 3, { gasPrice: 9n });
  t.true(mempool.add({ id: transactionId(dearer), bytes: dearer }, state).ok);
  t.like(mempool.takeDropped?.()[0], { id, reason: "replaced" });
  t.is(watch.stale.size, 0);
  state.apply([nonceWrite(sender, 3)]);
  mempool.confirmed([], state);
  t.is(mempool.count, 0);
  t.is(mempool.takeDropped?.().length, 1);
  t.deepEqual([...watch.stale], [transactionId(dearer)]);
});

test("what cannot come back, for its nonce is used, is heard of, and nothing that a peer brings late", (t) => {
  const { state, mempool, watch, sender } = start();
  state.apply([nonceWrite(sender, 3)]);
  t.like(mempool.add({ id, bytes }, state), { ok: false, reason: "nonce" });
  t.is(watch.stale.size, 0);
  t.like(mempool.restore?.({ id, bytes }, state), { ok: false, reason: "nonce" });
  t.deepEqual([...watch.stale], [id]);
});

test("what was given to the mempool is heard of until the chain confirms it", (t) => {
  const { state, mempool, watch } = start();
  mempool.add({ id, bytes }, state);
  t.false(mempool.add({ id, bytes }, state).ok);
  t.deepEqual([...watch.offered], [id]);
  mempool.confirmed([id], state);
  t.deepEqual([...watch.offered], []);
  mempool.restore?.({ id, bytes }, state);
  t.deepEqual([...watch.offered], [id]);
});
