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
  private readonly asker: Asker;
  private readonly deadlines: Deadlines;
  private readonly open: Set<Ask>;
  private callee: Lifeline | undefined;

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
    this.uid = deadlines.nextId++;
    this.deadlineMs = deadlines.nowMs() + timeoutMs;
    this.open = deadlines.bucket(timeoutMs);
    this.open.add(this);
  }

  /** Made on demand: a reply on the same thread never needs it. */
  get path(): string {
    return `${this.asker.path}/$${this.uid}`;
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
      this.callee.asks.add(this);
    }
    const accepted = (to as ActorRef<unknown>).tell(question(this));
    if (!accepted) this.settle({ ok: false, reason: "refused" });
  }

  /** False: it was settled before. */
  settle(outcome: AskOutcome<unknown>): boolean {
    if (this.outcome !== undefined) return false;
    this.outcome = outcome;
    this.open.delete(this);
    this.callee?.asks.delete(this);
    this.deadlines.exported.delete(this.uid);
    this.asker.askSettled(this);
    return true;
  }
}

/**
 * The deadlines of all pending asks of a system. Asks with the same timeout expire in the order
 * in which they were made, so each timeout needs a queue and one timer, not a timer per ask.
 */
export class Deadlines {
  nextId = 1;
  /** Asks whose reply address left this thread, by id. */
  readonly exported = new Map<number, Ask>();
  private readonly clock: Clock;
  private readonly buckets = new Map<number, Set<Ask>>();
  private readonly timers = new Map<number, Timer>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  get pending(): number {
    let count = 0;
    for (const bucket of this.buckets.values()) count += bucket.size;
    return count;
  }

  bucket(timeoutMs: number): Set<Ask> {
    let bucket = this.buckets.get(timeoutMs);
    if (bucket === undefined) {
      bucket = new Set();
      this.buckets.set(timeoutMs, bucket);
      this.arm(timeoutMs, bucket, timeoutMs);
    }
    return bucket;
  }

  /** Settles what is pending; the system is stopping. */
  close(): void {
    for (const bucket of this.buckets.values()) {
      for (const ask of bucket) ask.settle({ ok: false, reason: "stopped" });
    }
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
    this.buckets.clear();
  }

  private arm(timeoutMs: number, bucket: Set<Ask>, delayMs: number): void {
    const expire = (): void => this.expire(timeoutMs, bucket);
    this.timers.set(timeoutMs, this.clock.setTimer(delayMs, expire));
  }

  /** The timer stays armed while asks come and go: it is set again at most once per timeout. */
  private expire(timeoutMs: number, bucket: Set<Ask>): void {
    const nowMs = this.nowMs();
    for (const ask of bucket) {
      if (ask.deadlineMs > nowMs) {
        this.arm(timeoutMs, bucket, ask.deadlineMs - nowMs);
        return;
      }
      ask.settle({ ok: false, reason: "timeout" });
    }
    this.timers.delete(timeoutMs);
    this.buckets.delete(timeoutMs);
  }
}
