// One subsystem behind the system router: whether it is asked, what waits for it, and what became of
// what it was told. Of many questions few are followed to their answer: enough to see whether it
// answers, few enough that the others cost nothing. Pure; owned by the system router.

import type { BreakerSettings, BreakerState } from "./breaker.js";
import { Breaker } from "./breaker.js";
import { TimeHistogram, type TimesTaken } from "./time-histogram.js";

/** Among what it is asked one question in so long is followed, and so many at once. */
const FOLLOW_EVERY_MS = 100;
const FOLLOWED_MAX = 8;

export type SubsystemName = "consensus" | "mempool" | "storage";

/** `absent`: its actor stopped for good. */
export type SubsystemState = BreakerState | "absent";

/** `open`: it did not answer; `full`: too much waits for it; `absent`: it is gone. */
export type Refusal = "open" | "full" | "absent";

/** Totals since the start, but for `state` and `waiting`. Structured-cloneable. */
export interface SubsystemFigures {
  readonly name: SubsystemName;
  readonly state: SubsystemState;
  /** Messages that were told to it. */
  readonly routed: number;
  /** Those of them that had to wait for room in its mailbox, and those that wait now. */
  readonly held: number;
  readonly waiting: number;
  /** Questions that were refused, and messages of an absent one that were dropped. */
  readonly refused: Readonly<Record<Refusal, number>>;
  /** Of the questions that were followed: too late, and never answered. */
  readonly late: number;
  readonly failed: number;
  readonly answered: TimesTaken;
}

/** A question that is followed. */
export interface Followed {
  readonly name: SubsystemName;
  readonly askedMs: number;
  readonly epoch: number;
  isLate: boolean;
}

export class Subsystem {
  readonly name: SubsystemName;
  readonly #breaker: Breaker;
  isAbsent = false;
  routed = 0;
  held = 0;
  readonly refused: Record<Refusal, number> = { open: 0, full: 0, absent: 0 };
  #late = 0;
  #failed = 0;
  #followed = 0;
  #followedMs = Number.NEGATIVE_INFINITY;
  readonly #answered = new TimeHistogram();

  constructor(name: SubsystemName, settings: BreakerSettings) {
    this.name = name;
    this.#breaker = new Breaker(settings);
  }

  get state(): SubsystemState {
    return this.isAbsent ? "absent" : this.#breaker.state;
  }

  get restMs(): number {
    return this.#breaker.restMs;
  }

  /**
   * A question comes. `follow`: its end is to be told. `isJudged`: answers to it take no longer than
   * the subsystem takes; others may take as long as they take, and are never refused for that.
   */
  admit(nowMs: number, isJudged: boolean): Refusal | "pass" | "follow" {
    if (this.isAbsent) return "absent";
    if (!isJudged) return "pass";
    const admission = this.#breaker.admit(nowMs);
    if (admission === "refuse") return "open";
    if (admission === "try") return "follow";
    const isDue = nowMs - this.#followedMs >= FOLLOW_EVERY_MS && this.#followed < FOLLOWED_MAX;
    return isDue ? "follow" : "pass";
  }

  follow(nowMs: number): Followed {
    this.#followed++;
    this.#followedMs = nowMs;
    return { name: this.name, askedMs: nowMs, epoch: this.#breaker.epoch, isLate: false };
  }

  /** It has no answer for longer than answers take. */
  late(followed: Followed, nowMs: number): void {
    followed.isLate = true;
    this.#late++;
    this.#breaker.failed(followed.epoch, nowMs);
  }

  ended({ askedMs, epoch, isLate }: Followed, isAnswered: boolean, nowMs: number): void {
    this.#followed--;
    if (!isAnswered) this.#failed++;
    else this.#answered.add(nowMs - askedMs);
    if (isLate) return;
    if (isAnswered) this.#breaker.succeeded(epoch);
    else this.#breaker.failed(epoch, nowMs);
  }

  read(waiting: number): SubsystemFigures {
    return {
      name: this.name,
      state: this.state,
      routed: this.routed,
      held: this.held,
      waiting,
      refused: { ...this.refused },
      late: this.#late,
      failed: this.#failed,
      answered: this.#answered.read(),
    };
  }
}
