// Questions with exactly one outcome. An Ask is the `replyTo` that the callee sees, and later the
// note that brings the outcome to the asker.

import type { ActorRef, AskOutcome } from "./actor.js";
import type { Clock, Timer } from "../ports.js";
import { LocatedRef } from "./kernel.js";
import { Obligation, REFUSED, STOPPED, TIMED_OUT } from "./obligation.js";
import { invariant } from "../errors.js";

export interface Asker {
  readonly path: string;
  readonly incarnation: number;
  /** Called once per ask, when `ask.outcome` is set. */
  askSettled(ask: Ask): void;
  /** A reply to a question that is settled already. */
  lateReply(): void;
}

export type Adapt = (outcome: AskOutcome<unknown>, about: unknown) => unknown;

export class Ask extends Obligation {
  readonly incarnation: number;
  readonly deadlineMs: number;
  readonly adapt: Adapt;
  /** The asker's own, given to `adapt`. */
  readonly about: unknown;
  outcome: AskOutcome<unknown> | undefined;
  /** Neighbours in the bucket. */
  previous: Ask | undefined;
  next: Ask | undefined;
  readonly asker: Asker;
  private readonly bucket: Bucket | undefined;

  /** `timeoutMs` may be `NO_DEADLINE`. */
  constructor(deadlines: Deadlines, asker: Asker, timeoutMs: number, adapt: Adapt, about: unknown) {
    super();
    this.asker = asker;
    this.incarnation = asker.incarnation;
    this.adapt = adapt;
    this.about = about;
    if (timeoutMs === Number.POSITIVE_INFINITY) {
      this.deadlineMs = timeoutMs;
      return;
    }
    this.deadlineMs = deadlines.nowMs() + timeoutMs;
    this.bucket = deadlines.bucket(timeoutMs);
    this.bucket.add(this);
  }

  // Not fields: there are many of these, and each field of each costs.
  get kind(): "ask" {
    return "ask";
  }

  get uid(): number {
    return 0;
  }

  get path(): string {
    return this.asker.path;
  }

  get isSettled(): boolean {
    return this.outcome !== undefined;
  }

  tell(message: unknown): boolean {
    if (this.settle({ ok: true, value: message })) return true;
    this.asker.lateReply();
    return false;
  }

  /** Sends the question; every way in which that can fail settles the ask. */
  send(to: ActorRef<never>, question: (replyTo: ActorRef<unknown>) => unknown): void {
    let accepted;
    try {
      accepted = (to as ActorRef<unknown>).tell(question(this));
    } catch (error) {
      this.settle(REFUSED);
      throw error;
    }
    if (!(to instanceof LocatedRef)) {
      if (!accepted) this.settle(REFUSED);
    } else if (!accepted) {
      this.settle(to.isGone ? STOPPED : REFUSED);
    } else if (this.owner === undefined && this.outcome === undefined) {
      this.settle(REFUSED);
      invariant(false, `${to.path} is asked, so its mailbox declares replyOf`);
    }
  }

  settle(outcome: AskOutcome<unknown>): boolean {
    if (this.outcome !== undefined) return false;
    this.outcome = outcome;
    if (this.bucket !== undefined) this.bucket.remove(this);
    if (this.owner !== undefined) this.owner.release(this);
    this.asker.askSettled(this);
    return true;
  }
}

/** Pending asks of one timeout: a linked list, oldest first, so that settling one costs nothing. */
class Bucket {
  readonly timeoutMs: number;
  timer: Timer | undefined;
  first: Ask | undefined;
  private last: Ask | undefined;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  add(ask: Ask): void {
    ask.previous = this.last;
    if (this.last === undefined) this.first = ask;
    else this.last.next = ask;
    this.last = ask;
  }

  remove(ask: Ask): void {
    const { previous, next } = ask;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    ask.previous = undefined;
    ask.next = undefined;
  }
}

/**
 * The deadlines of all pending asks of a system. Asks with the same timeout expire in the order
 * in which they were made, so each timeout needs a list and one timer, not a timer per ask.
 */
export class Deadlines {
  private readonly clock: Clock;
  private readonly buckets = new Map<number, Bucket>();
  private inBatch = false;
  private batchMs: number | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Until `endBatch` one reading of the clock serves every ask: 64 messages at the most. */
  beginBatch(): void {
    this.inBatch = true;
    this.batchMs = undefined;
  }

  endBatch(): void {
    this.inBatch = false;
  }

  nowMs(): number {
    if (!this.inBatch) return this.clock.monotonicMs();
    return (this.batchMs ??= this.clock.monotonicMs());
  }

  bucket(timeoutMs: number): Bucket {
    let bucket = this.buckets.get(timeoutMs);
    if (bucket === undefined) {
      bucket = new Bucket(timeoutMs);
      this.buckets.set(timeoutMs, bucket);
      this.arm(bucket, timeoutMs);
    }
    return bucket;
  }

  /** Settles what is pending; the system has stopped. */
  close(): void {
    for (const bucket of this.buckets.values()) {
      bucket.timer?.cancel();
      while (bucket.first !== undefined) bucket.first.settle(STOPPED);
    }
    this.buckets.clear();
  }

  private arm(bucket: Bucket, delayMs: number): void {
    bucket.timer = this.clock.setTimer(delayMs, () => this.expire(bucket));
  }

  /** The timer stays armed while asks come and go: it is set again at most once per timeout. */
  private expire(bucket: Bucket): void {
    const nowMs = this.nowMs();
    while (bucket.first !== undefined) {
      const { deadlineMs } = bucket.first;
      if (deadlineMs > nowMs) {
        this.arm(bucket, deadlineMs - nowMs);
        return;
      }
      bucket.first.settle(TIMED_OUT);
    }
    this.buckets.delete(bucket.timeoutMs);
  }
}
