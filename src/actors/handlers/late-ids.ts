// Ids that were heard of and have not come: each is waited for as long as a push usually takes when
// it comes after all, then it is to be fetched of whoever announced it. Pure, with the time passed in;
// part of a handler's fetching.

import { invariant } from "../../errors.js";

export interface LateLimits {
  /** Whether pushes come is known at first; otherwise it is to be learned. */
  readonly arePushed: boolean;
  /** The shortest and the longest wait, where pushes come at all. */
  readonly waitMinMs: number;
  readonly waitMaxMs: number;
  /** Ids that wait of which one peer was the first to tell: what is beyond it is not waited for. */
  readonly perPeerMax: number;
}

/** To be fetched. */
export interface LateId<S> {
  readonly id: string;
  /** In the order in which they told of it. */
  readonly tellers: readonly S[];
}

interface Wait<S> {
  readonly sinceMs: number;
  readonly dueMs: number;
  /** By their keys, in the order in which they told of it; it counts against the first. */
  readonly tellers: Map<string, S>;
}

/** RFC 6298: gains of mean and deviation, and how many deviations are waited. */
const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
const DEVIATIONS = 4;
/** Of what is announced first fewer come by a push: nothing is waited for. */
const PUSHED_MIN = 1 / 4;
/** Those that are fetched: a push that comes after all says how long should have been waited. */
const FETCHED_MAX = 4_096;
const FETCHED_MS = 10_000;
/** Of one id, as there may be any number of peers one after the other. */
const TELLERS_MAX = 64;

export class LateIds<S> {
  readonly #limits: LateLimits;
  /** In order of time. */
  readonly #waits = new Map<string, Wait<S>>();
  /** How many of these count against each. */
  readonly #counts = new Map<string, number>();
  /** What is fetched, or was, as long as it may be pushed after all; the oldest first. */
  readonly #fetched = new Map<string, Wait<S>>();
  /** By how much pushes came after announcements; smoothed, and its mean deviation. */
  #lagMs = 0;
  #deviationMs = 0;
  /** The part of what was announced first that a push brought; smoothed. */
  #pushedPart: number;

  constructor(limits: LateLimits) {
    this.#limits = limits;
    this.#pushedPart = limits.arePushed ? 1 : 0;
  }

  /** How many are waited for. */
  get size(): number {
    return this.#waits.size;
  }

  get waitMs(): number {
    if (this.#pushedPart < PUSHED_MIN) return 0;
    const { waitMinMs, waitMaxMs } = this.#limits;
    const usualMs = this.#lagMs + DEVIATIONS * this.#deviationMs;
    return Math.min(Math.max(waitMinMs, usualMs), waitMaxMs);
  }

  /** A peer told of an id that is not here. False: it is to be fetched now. */
  heard(id: string, key: string, teller: S, nowMs: number): boolean {
    const known = this.#waits.get(id) ?? this.#fetched.get(id);
    if (known !== undefined) {
      if (known.tellers.size < TELLERS_MAX) known.tellers.set(key, teller);
      return this.#waits.has(id);
    }
    const { waitMs } = this;
    const wait = { sinceMs: nowMs, dueMs: nowMs + waitMs, tellers: new Map([[key, teller]]) };
    const count = this.#counts.get(key) ?? 0;
    if (waitMs === 0 || count >= this.#limits.perPeerMax) {
      this.#fetch(id, wait);
      return false;
    }
    this.#counts.set(key, count + 1);
    this.#waits.set(id, wait);
    return true;
  }

  /** Its body came, by a push or because it was fetched. Answers who told of it meanwhile. */
  arrived(id: string, isPush: boolean, nowMs: number): readonly S[] {
    const wait = this.#waits.get(id) ?? this.#fetched.get(id);
    if (wait === undefined) return [];
    if (this.#waits.has(id)) {
      this.#end(id, wait);
      this.#fetch(id, wait);
    }
    const tellers = [...wait.tellers.values()];
    wait.tellers.clear();
    if (!isPush) return tellers;
    this.#fetched.delete(id);
    this.#judge(1);
    const lagMs = nowMs - wait.sinceMs;
    this.#deviationMs += DEVIATION_GAIN * (Math.abs(lagMs - this.#lagMs) - this.#deviationMs);
    this.#lagMs += GAIN * (lagMs - this.#lagMs);
    return tellers;
  }

  /** A peer left: nothing is fetched of it. */
  gone(key: string): void {
    for (const [id, wait] of this.#waits) {
      const isFirst = firstOf(wait.tellers) === key;
      if (!isFirst) {
        wait.tellers.delete(key);
        continue;
      }
      this.#end(id, wait);
      wait.tellers.delete(key);
      const heir = firstOf(wait.tellers);
      if (heir === undefined || (this.#counts.get(heir) ?? 0) >= this.#limits.perPeerMax) continue;
      this.#counts.set(heir, (this.#counts.get(heir) ?? 0) + 1);
      this.#waits.set(id, wait);
    }
  }

  /** Those that are to be fetched now; to be called now and then. */
  takeDue(nowMs: number): readonly LateId<S>[] {
    const due: LateId<S>[] = [];
    for (const [id, wait] of this.#waits) {
      if (wait.dueMs > nowMs) continue;
      this.#end(id, wait);
      this.#fetch(id, wait);
      due.push({ id, tellers: [...wait.tellers.values()] });
    }
    for (const [id, { sinceMs }] of this.#fetched) {
      if (nowMs - sinceMs < FETCHED_MS) break;
      this.#fetched.delete(id);
      this.#judge(0);
    }
    return due;
  }

  invariants(): void {
    const counts = new Map<string, number>();
    for (const { tellers } of this.#waits.values()) {
      const first = firstOf(tellers);
      invariant(first !== undefined, "somebody told of what is waited for");
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    for (const [key, count] of counts) {
      invariant(count === this.#counts.get(key), "what is waited for is counted");
      invariant(count <= this.#limits.perPeerMax, `${count} ids of one peer are waited for`);
    }
    invariant(counts.size === this.#counts.size, "nothing else is counted");
    invariant(this.#fetched.size <= FETCHED_MAX, `${this.#fetched.size} are fetched`);
  }

  /** It was pushed, or was not. */
  #judge(pushed: 0 | 1): void {
    this.#pushedPart += GAIN * (pushed - this.#pushedPart);
  }

  #fetch(id: string, wait: Wait<S>): void {
    this.#fetched.set(id, wait);
    for (const oldest of this.#fetched.keys()) {
      if (this.#fetched.size <= FETCHED_MAX) break;
      this.#fetched.delete(oldest);
    }
  }

  #end(id: string, { tellers }: Wait<S>): void {
    this.#waits.delete(id);
    const first = firstOf(tellers)!;
    const count = this.#counts.get(first)! - 1;
    if (count > 0) this.#counts.set(first, count);
    else this.#counts.delete(first);
  }
}

function firstOf(tellers: ReadonlyMap<string, unknown>): string | undefined {
  for (const key of tellers.keys()) return key;
  return undefined;
}
