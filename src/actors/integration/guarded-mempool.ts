// A caller's own mempool may throw, or answer what its types forbid (in JavaScript, or a promise):
// that is logged, and costs the call that it did so at. Without it an exception would cost the actor
// its messages, and a mempool that goes on so the actor.

import { refusalName } from "../../chain/refusals.js";
import { atOnce, errorText } from "../../errors.js";
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
  const tried: Tried = (call, otherwise, ask, check) => {
    try {
      const answer = atOnce(ask());
      return check === undefined ? answer : check(answer);
    } catch (error) {
      log.write("error", "the mempool failed", { call, error: errorText(error) });
      return otherwise;
    }
  };
  const restore: Mempool["add"] = (...given) =>
    mempool.restore === undefined ? mempool.add(...given) : mempool.restore(...given);
  return {
    add: (...given) => tried("add", failed, () => mempool.add(...given), answered),
    restore: (...given) => tried("restore", failed, () => restore(...given), answered),
    has: (id) => tried("has", false, () => mempool.has(id)),
    get: (id) => tried("get", undefined, () => mempool.get(id), bytesOrNone),
    select: (...given) => tried("select", [], () => mempool.select(...given), selected),
    confirmed: (ids, view) => tried("confirmed", undefined, () => mempool.confirmed(ids, view)),
    best: () => guardedWalk(() => mempool.best?.(), tried),
    remove: (ids) => tried("remove", undefined, () => mempool.remove?.(ids)),
    takeDropped: () => tried("takeDropped", [], () => mempool.takeDropped?.() ?? [], dropped),
    ids: () => tried("ids", [], () => [...(mempool.ids?.() ?? [])], texts),
    floor: (nowMs) => tried("floor", 0n, () => mempool.floor?.(nowMs) ?? 0n, price),
    priceOf: (id) => tried("priceOf", undefined, () => mempool.priceOf?.(id), priceOrNone),
    get count() {
      return tried("count", 0, () => mempool.count, amount);
    },
    get bytes() {
      return tried("bytes", 0, () => mempool.bytes, amount);
    },
  };
}

type Tried = <T>(call: string, otherwise: T, ask: () => T, check?: (answer: T) => T) => T;

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

function texts(all: Iterable<string>): Iterable<string> {
  for (const id of all) if (typeof id !== "string") throw new TypeError("an id is no text");
  return all;
}

function price(value: bigint): bigint {
  if (typeof value === "bigint" && value >= 0n && value < 2n ** 64n) return value;
  throw new TypeError("it is no bigint from 0 to 2^64");
}

function priceOrNone(value: bigint | undefined): bigint | undefined {
  return value === undefined ? undefined : price(value);
}

/** Ends where the walk throws, or at once where there is none. */
function guardedWalk(begin: () => Iterator<string> | undefined, tried: Tried): Iterator<string> {
  const end = { done: true, value: undefined } as const;
  const walk = tried("best", undefined, begin);
  return { next: () => (walk === undefined ? end : tried("best", end, () => walk.next())) };
}
