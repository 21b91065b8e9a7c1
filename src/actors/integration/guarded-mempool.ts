// A caller's own mempool may throw, or answer what its types forbid (in JavaScript, or a promise):
// that is logged, and costs the call that it did so at. Without it an exception would cost the actor
// its messages, and a mempool that goes on so the actor.

import { refusalName } from "../../chain/refusals.js";
import { errorText } from "../../errors.js";
import type {
  DroppedTransaction,
  Log,
  Mempool,
  MempoolAnswer,
  MempoolTransaction,
} from "../../ports.js";

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
      tried("add", failed, () => answered(mempool.add(transaction, view))),
    restore: (transaction, view) =>
      tried("restore", failed, () =>
        answered(
          mempool.restore === undefined
            ? mempool.add(transaction, view)
            : mempool.restore(transaction, view),
        ),
      ),
    has: (id) => tried("has", false, () => mempool.has(id)),
    get: (id) => tried("get", undefined, () => bytesOrNone(mempool.get(id))),
    select: (bytesMax, view) => tried("select", [], () => selected(mempool.select(bytesMax, view))),
    confirmed: (ids, view) => tried("confirmed", undefined, () => mempool.confirmed(ids, view)),
    best: () => guardedWalk(() => mempool.best?.(), tried),
    remove: (ids) => tried("remove", undefined, () => mempool.remove?.(ids)),
    takeDropped: () => tried("takeDropped", [], () => dropped(mempool.takeDropped?.() ?? [])),
    get count() {
      return tried("count", 0, () => amount(mempool.count));
    },
    get bytes() {
      return tried("bytes", 0, () => amount(mempool.bytes));
    },
  };
}

const failed: MempoolAnswer = { ok: false, reason: "failed" };

function answered(answer: MempoolAnswer): MempoolAnswer {
  if (answer.ok === true) return answer;
  const told = answer.ok === false && typeof answer.reason === "string";
  if (!told) throw new TypeError("it answered neither { ok: true } nor a reason");
  return { ok: false, reason: refusalName(answer.reason) as typeof answer.reason };
}

function selected(all: readonly MempoolTransaction[]): readonly MempoolTransaction[] {
  const sound = all.every(({ id, bytes }) => typeof id === "string" && bytes instanceof Uint8Array);
  if (!sound) throw new TypeError("it selected something without an id and bytes");
  return all;
}

function dropped(all: readonly DroppedTransaction[]): readonly DroppedTransaction[] {
  const sound = all.every(({ id, reason }) => typeof id === "string" && typeof reason === "string");
  if (!sound) throw new TypeError("it dropped something without an id and a reason");
  return all.map(({ id, reason }) => ({ id, reason: refusalName(reason) }));
}

function bytesOrNone(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined || bytes instanceof Uint8Array) return bytes;
  throw new TypeError("it answered no bytes");
}

function amount(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError("it is no whole number");
}

type Tried = <T>(call: string, otherwise: T, ask: () => T) => T;

/** Ends where the walk throws, or at once where there is none. */
function guardedWalk(begin: () => Iterator<string> | undefined, tried: Tried): Iterator<string> {
  const end = { done: true, value: undefined } as const;
  const walk = tried("best", undefined, begin);
  return { next: () => (walk === undefined ? end : tried("best", end, () => walk.next())) };
}
