import test from "ava";
import {
  WaitingTransactions,
  type WaitTimes,
} from "../../../src/actors/integration/waiting-transactions.js";
import { DEFAULTS } from "../../../src/config.js";
import type { Mempool } from "../../../src/ports.js";

const { expiryMs, refusedMs } = DEFAULTS.mempool;
const { announceAgainMs } = DEFAULTS.gossip;

function at(nowMs: number): WaitTimes {
  return { nowMs, sinceMs: nowMs };
}

/** As a mempool from before there were optional methods, unless it is `able`. */
function mempoolOf(ids: Set<string>, able = true): Mempool {
  const required: Mempool = {
    add: () => ({ ok: true }),
    has: (id) => ids.has(id),
    get: () => undefined,
    select: () => [],
    confirmed: () => undefined,
    get count() {
      return ids.size;
    },
    bytes: 0,
  };
  if (!able) return required;
  const remove = (gone: readonly string[]): void => gone.forEach((id) => ids.delete(id));
  return { ...required, count: ids.size, best: () => ids.values(), remove };
}

test("what waits for too long expires, the oldest first, a bounded number at once", (t) => {
  const ids = new Set(Array.from({ length: 1_500 }, (_, index) => `t${index}`));
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  ids.add("late");
  waiting.accepted("late", false, at(10));
  t.deepEqual(waiting.expire(expiryMs - 1), []);
  t.is(waiting.expire(expiryMs).length, 1_024);
  t.is(waiting.expire(expiryMs).length, 476);
  t.deepEqual(waiting.expire(expiryMs), []);
  t.deepEqual(waiting.expire(expiryMs + 10), ["late"]);
  t.is(ids.size, 0);
});

test("what is added again waits anew", (t) => {
  const ids = new Set(["one"]);
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  waiting.accepted("one", false, at(1_000));
  t.deepEqual(waiting.expire(expiryMs), []);
  t.deepEqual(waiting.expire(expiryMs + 1_000), ["one"]);
});

test("what waited before this start expires as if it had waited here", (t) => {
  const ids = new Set<string>();
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  for (const [id, sinceMs] of [
    ["new", 5_000],
    ["old", 0],
  ] as const) {
    ids.add(id);
    waiting.accepted(id, true, { nowMs: 5_000, sinceMs });
    t.deepEqual(waiting.factsOf(id, 5_000), { own: true, sinceMs });
  }
  t.deepEqual(waiting.expire(expiryMs), ["old"]);
  t.deepEqual(waiting.dueAgain(5_000 + announceAgainMs / 2), [], "it was announced at the start");
});

test("a mempool without the optional methods is left alone", (t) => {
  const ids = new Set(["one"]);
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids, false), 0);
  waiting.accepted("one", true, at(0));
  t.deepEqual(waiting.expire(expiryMs), []);
  t.deepEqual(waiting.list("best", 10), { ids: [], done: true });
  waiting.refuse(["one"], 0);
  t.true(waiting.isRefused("one", 1));
  t.deepEqual(waiting.dueAgain(announceAgainMs), ["one"]);
});

test("only what was submitted here is due again, and not before half of the mean time", (t) => {
  const ids = new Set(["own", "other"]);
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  waiting.accepted("own", true, at(0));
  waiting.accepted("other", false, at(0));
  t.deepEqual(waiting.dueAgain(announceAgainMs / 2), []);
  t.deepEqual(waiting.dueAgain(announceAgainMs), ["own"]);
  t.deepEqual(waiting.dueAgain(announceAgainMs + 1), []);
  ids.delete("own");
  t.deepEqual(waiting.dueAgain(10 * announceAgainMs), []);
  waiting.invariants();
});

test("a walk is taken in slices, and a new one begins at the best", (t) => {
  const ids = new Set(["a", "b", "c"]);
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  t.deepEqual(waiting.list("best", 2), { ids: ["a", "b"], done: false });
  t.deepEqual(waiting.list("next", 2), { ids: ["c"], done: true });
  t.deepEqual(waiting.list("next", 2), { ids: [], done: true });
  t.deepEqual(waiting.list("best", 1), { ids: ["a"], done: false });
});

test("what made a block fail leaves, and may come again when its time is over", (t) => {
  const ids = new Set(["bad"]);
  const waiting = new WaitingTransactions(DEFAULTS, mempoolOf(ids), 0);
  waiting.refuse(["bad"], 0);
  t.false(ids.has("bad"));
  t.true(waiting.isRefused("bad", refusedMs - 1));
  t.false(waiting.isRefused("bad", refusedMs));
});
