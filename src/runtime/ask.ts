// Questions with exactly one outcome: reply, timeout, refused, or callee stopped. An Ask is the
// `replyTo` that the callee sees, and later the note that brings the outcome to the asker.

import type { ActorRef, AskOutcome } from "./actor.js";
import type { Clock, Timer } from "../ports.js";
import type { Lifeline } from "./kernel.js";
import { LocatedRef } from "./kernel.js";

export interface Asker {
  readonly path: string;
  readonly incarnation: number;
  /** Called once per ask, when `ask.outcome` is set. */
  askSettled(ask: Ask): void;
  /** A reply to a question that is settled already. */
  lateReply(): void;
}

export class Ask extends LocatedRef {
  readonly kind = "ask";
  readonly uid: number;
  readonly incarnation: number;
  readonly deadlineMs: number;
  readonly adapt: (outcome: AskOutcome<unknown>) => unknown;
  outcome: AskOutcome<unknown> | undefined;
  /** The actor that was asked, if it is one of the kernel's. */
  callee: Lifeline | undefined;
  /** Neighbours in the bucket. */
  previous: Ask | undefined;
  next: Ask | undefined;
  private readonly asker: Asker;
  private readonly deadlines: Deadlines;
  private readonly bucket: Bucket;

  constructor(
    deadlines: Deadlines,
    asker: Asker,
    timeoutMs: number,
    adapt: (outcome: AskOutcome<unknown>) => unknown,
  ) {
    super();
    this.deadlines = deadlines;
    this.asker = asker;
    this.incarnation = asker.incarnation;
    this.adapt = adapt;
    this.uid = -deadlines.nextId++;
    this.deadlineMs = deadlines.nowMs() + timeoutMs;
    this.bucket = deadlines.bucket(timeoutMs);
    this.bucket.add(this);
  }

  get path(): string {
    return this.asker.path;
  }

  tell(message: unknown): boolean {
    if (this.settle({ ok: true, value: message })) return true;
    this.asker.lateReply();
    return false;
  }

  lifeline(): undefined {
    return undefined;
  }

  /** Its address leaves this thread; while it is open, a reply finds it by its id. */
  export(): void {
    if (this.outcome === undefined) this.deadlines.exported.set(this.uid, this);
  }

  /** Sends the question; every way in which that can fail settles the ask. */
  send(to: ActorRef<never>, question: (replyTo: ActorRef<unknown>) => unknown): void {
    if (to instanceof LocatedRef) {
      this.callee = to.lifeline();
      if (this.callee === undefined) {
        this.settle({ ok: false, reason: "stopped" });
        return;
      }
      this.callee.askCount++;
    }
    const accepted = (to as ActorRef<unknown>).tell(question(this));
    if (!accepted) this.settle({ ok: false, reason: "refused" });
  }

  /** False: it was settled before. */
  settle(outcome: AskOutcome<unknown>): boolean {
    if (this.outcome !== undefined) return false;
    this.outcome = outcome;
    this.bucket.remove(this);
    if (this.callee !== undefined) this.callee.askCount--;
    if (this.deadlines.exported.size > 0) this.deadlines.exported.delete(this.uid);
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
  nextId = 1;
  /** Asks whose reply address left this thread, by uid. */
  readonly exported = new Map<number, Ask>();
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

  /** Settles the questions to an actor that is gone. */
  calleeGone(callee: Lifeline): void {
    if (callee.askCount === 0) return;
    for (const bucket of this.buckets.values()) {
      let ask = bucket.first;
      while (ask !== undefined) {
        const { next } = ask;
        if (ask.callee === callee) ask.settle({ ok: false, reason: "stopped" });
        ask = next;
      }
    }
  }

  /** Settles what is pending; the system has stopped. */
  close(): void {
    for (const bucket of this.buckets.values()) {
      bucket.timer?.cancel();
      while (bucket.first !== undefined) bucket.first.settle({ ok: false, reason: "stopped" });
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
      bucket.first.settle({ ok: false, reason: "timeout" });
    }
    this.buckets.delete(bucket.timeoutMs);
  }
}
