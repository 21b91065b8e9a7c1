import test from "ava";
import { setImmediate } from "node:timers/promises";
import { guardMempool } from "../../../src/actors/integration/guarded-mempool.js";
import { guardConsensus } from "../../../src/actors/integration/guarded-consensus.js";
import type { Mempool, StateView } from "../../../src/ports.js";
import { createHarness, consensus } from "../support.js";

const state: StateView = { state: () => undefined };
const rejecting = (): never => Promise.reject(new Error("no database")) as never;

test("a mempool that answers promises fails those calls, and what they reject with ends nothing", async (t) => {
  const harness = createHarness();
  const promising: Mempool = Object.assign(Object.create(harness.env.mempool) as Mempool, {
    add: rejecting,
    has: rejecting,
    select: rejecting,
    confirmed: rejecting,
    remove: rejecting,
    takeDropped: rejecting,
  });
  const mempool = guardMempool(promising, harness.env.log);
  const transaction = { id: "ab".repeat(32), bytes: new Uint8Array(3) };
  t.deepEqual(mempool.add(transaction, state), { ok: false, reason: "failed" });
  t.is(mempool.has(transaction.id), false);
  t.deepEqual(mempool.select(1_000, state), []);
  mempool.confirmed([], state);
  mempool.remove([]);
  t.deepEqual(mempool.takeDropped(), []);
  await setImmediate();
  const calls = harness.log.map(({ fields }) => fields["call"]);
  t.deepEqual(calls, ["add", "has", "select", "confirmed", "remove", "takeDropped"]);
});

test("a consensus that answers promises prefers nothing, and what they reject with ends nothing", async (t) => {
  const harness = createHarness();
  const promising = { ...consensus, prefers: rejecting };
  const guarded = guardConsensus(promising, harness.env.log);
  const head = harness.stores.blocks.head();
  t.is(guarded.prefers(head, head), false);
  await setImmediate();
  t.is(harness.log[0]?.fields["call"], "prefers");
});

test("a reason that is no single word never leaves the mempool's own actor", (t) => {
  const harness = createHarness();
  const reason = "\u202e".repeat(100_000) as "full";
  const wordy: Mempool = Object.assign(Object.create(harness.env.mempool) as Mempool, {
    add: () => ({ ok: false, reason }),
    takeDropped: () => [{ id: "ab".repeat(32), reason }],
  });
  const mempool = guardMempool(wordy, harness.env.log);
  const transaction = { id: "ab".repeat(32), bytes: new Uint8Array(3) };
  t.deepEqual(mempool.add(transaction, state), { ok: false, reason: "failed" });
  t.deepEqual(mempool.takeDropped(), []);
});
