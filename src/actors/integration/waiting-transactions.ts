// What the mempool integration knows of waiting transactions beside the mempool itself: since when
// they wait, which were submitted here, which made a block fail. Pure, with the time passed in.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { HashHex } from "../../types/chain.js";
import type { Mempool } from "../../ports.js";

export interface WaitTimes {
  readonly nowMs: number;
  /** Since when it waits. */
  readonly sinceMs: number;
}

/** Expired in one turn, or announced again: as many as one message holds. */
const SLICE_IDS = 1_024;
/** More than these are taken again sooner: each of them cost this node a block. */
const REFUSED_MAX = 4_096;

export class WaitingTransactions {
  readonly #config: Pick<NetworkConfig, "gossip" | "mempool">;
  readonly #mempool: Mempool;
  /** When they came. Some may have left since. */
  #since = new Map<HashHex, number>();
  /** Submitted here: when they were announced last, the longest ago first. */
  readonly #own = new Map<HashHex, number>();
  /** Until when they are not taken, in that order. */
  readonly #refused = new Map<HashHex, number>();
  #walk: Iterator<HashHex> | undefined;

  constructor(config: Pick<NetworkConfig, "gossip" | "mempool">, mempool: Mempool, nowMs: number) {
    this.#config = config;
    this.#mempool = mempool;
    // Left by an earlier life of the actor.
    for (const id of this.list("best", config.mempool.countMax).ids) this.#since.set(id, nowMs);
  }

  accepted(id: HashHex, own: boolean, { nowMs, sinceMs }: WaitTimes): void {
    this.#since.set(id, sinceMs);
    if (this.#since.size > 2 * this.#mempool.count + SLICE_IDS) this.#forgetGone();
    if (!own) return;
    this.#own.set(id, nowMs);
    for (const oldest of this.#own.keys()) {
      if (this.#own.size <= this.#config.mempool.countMax) break;
      this.#own.delete(oldest);
    }
  }

  /** Of one that waits. */
  factsOf(id: HashHex, nowMs: number): { own: boolean; sinceMs: number } {
    return { own: this.#own.has(id), sinceMs: this.#since.get(id) ?? nowMs };
  }

  /** Takes out what has waited too long, a bounded number; answers it. */
  expire(nowMs: number): readonly HashHex[] {
    const expired: HashHex[] = [];
    for (const [id, sinceMs] of this.#since) {
      if (expired.length >= SLICE_IDS) break;
      if (nowMs - sinceMs < this.#config.mempool.expiryMs) continue;
      this.#since.delete(id);
      if (this.#mempool.has(id)) expired.push(id);
    }
    if (expired.length > 0) this.#mempool.remove?.(expired);
    return expired.filter((id) => !this.#mempool.has(id));
  }

  /** Those submitted here that still wait and were not announced lately. */
  dueAgain(nowMs: number): readonly HashHex[] {
    const due: HashHex[] = [];
    for (const [id, announcedMs] of this.#own) {
      if (!this.#mempool.has(id)) {
        this.#own.delete(id);
      } else if (due.length < SLICE_IDS && announcedMs < nowMs - this.#leastPauseMs) {
        this.#own.delete(id);
        due.push(id);
      }
    }
    for (const id of due) this.#own.set(id, nowMs);
    return due;
  }

  get #leastPauseMs(): number {
    return this.#config.gossip.announceAgainMs / 2;
  }

  /** The next of a walk from the best on, or of a new walk. */
  list(from: "best" | "next", countMax: number): { ids: readonly HashHex[]; done: boolean } {
    if (from === "best") this.#walk = this.#mempool.best?.();
    const ids: HashHex[] = [];
    while (this.#walk !== undefined && ids.length < countMax) {
      const next = this.#walk.next();
      if (next.done === true) this.#walk = undefined;
      else ids.push(next.value);
    }
    return { ids, done: this.#walk === undefined };
  }

  /** They made a block of this node fail: they leave, and are not taken again for a while. */
  refuse(ids: readonly HashHex[], nowMs: number): void {
    for (const id of ids) {
      this.#refused.delete(id);
      this.#refused.set(id, nowMs + this.#config.mempool.refusedMs);
    }
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= REFUSED_MAX) break;
      this.#refused.delete(oldest);
    }
    this.#mempool.remove?.(ids);
  }

  isRefused(id: HashHex, nowMs: number): boolean {
    const untilMs = this.#refused.get(id);
    if (untilMs === undefined) return false;
    if (nowMs < untilMs) return true;
    this.#refused.delete(id);
    return false;
  }

  invariants(): void {
    invariant(this.#refused.size <= REFUSED_MAX, `${this.#refused.size} transactions are refused`);
    const { countMax } = this.#config.mempool;
    invariant(this.#own.size <= countMax, `${this.#own.size} own transactions wait`);
  }

  #forgetGone(): void {
    this.#since = new Map([...this.#since].filter(([id]) => this.#mempool.has(id)));
  }
}
