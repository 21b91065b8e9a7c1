// A caller's own mempool may throw: that is logged, and costs the call that it threw at. Without it
// an exception would cost the actor its messages, and a mempool that goes on throwing the actor.

import { errorText } from "../../errors.js";
import type { Log, Mempool } from "../../ports.js";

/** With nothing optional: what a mempool does not offer does nothing. */
export type GuardedMempool = Required<Omit<Mempool, "invariants">>;

export function guardMempool(mempool: Mempool, log: Log): GuardedMempool {
  const tried = <T>(call: string, otherwise: T, ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      log.write("error", "the mempool failed", { call, error: errorText(error) });
      return otherwise;
    }
  };
  return {
    add: (transaction, view) =>
      tried("add", { ok: false, reason: "failed" }, () => mempool.add(transaction, view)),
    restore: (transaction, view) =>
      tried("restore", { ok: false, reason: "failed" }, () =>
        mempool.restore === undefined
          ? mempool.add(transaction, view)
          : mempool.restore(transaction, view),
      ),
    has: (id) => tried("has", false, () => mempool.has(id)),
    get: (id) => tried("get", undefined, () => mempool.get(id)),
    select: (bytesMax, view) => tried("select", [], () => mempool.select(bytesMax, view)),
    confirmed: (ids, view) => tried("confirmed", undefined, () => mempool.confirmed(ids, view)),
    best: () => guardedWalk(() => mempool.best?.(), tried),
    remove: (ids) => tried("remove", undefined, () => mempool.remove?.(ids)),
    takeDropped: () => tried("takeDropped", [], () => mempool.takeDropped?.() ?? []),
    get count() {
      return tried("count", 0, () => mempool.count);
    },
    get bytes() {
      return tried("bytes", 0, () => mempool.bytes);
    },
  };
}

type Tried = <T>(call: string, otherwise: T, ask: () => T) => T;

/** Ends where the walk throws, or at once where there is none. */
function guardedWalk(begin: () => Iterator<string> | undefined, tried: Tried): Iterator<string> {
  const end = { done: true, value: undefined } as const;
  const walk = tried("best", undefined, begin);
  return { next: () => (walk === undefined ? end : tried("best", end, () => walk.next())) };
}
