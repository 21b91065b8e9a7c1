// Every question of a system that has not ended, in lists by how long it may take: to find those that
// somebody lost, and to end those that are due.

import type { Clock, Timer } from "../ports.js";
import { NO_DEADLINE } from "./ref.js";
import { STOPPED, TIMED_OUT, type Obligation, type Owner, type Unanswered } from "./obligation.js";

/** Linked, oldest first, so that settling one costs nothing. */
export class OpenList {
  readonly timeoutMs: number;
  timer: Timer | undefined;
  first: Obligation | undefined;
  private last: Obligation | undefined;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  add(question: Obligation): void {
    const { last } = this;
    if (last === undefined) this.first = question;
    else {
      question.previous = last;
      last.next = question;
    }
    this.last = question;
  }

  remove(question: Obligation): void {
    const { previous, next } = question;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    question.previous = undefined;
    question.next = undefined;
  }
}

/**
 * Questions with the same timeout expire in the order in which they were asked, so each timeout
 * needs a list and one timer, not a timer per question.
 */
export class Questions {
  /** Those that take as long as they take. */
  readonly endless = new OpenList(NO_DEADLINE);
  private readonly clock: Clock;
  private readonly byTimeout = new Map<number, OpenList>();
  /** The list that was asked for last: most have one timeout. */
  private recent: OpenList = this.endless;
  private inBatch = false;
  private batchMs = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Until `endBatch` this reading of the clock serves every question: 64 messages at the most. */
  beginBatch(nowMs: number): void {
    this.inBatch = true;
    this.batchMs = nowMs;
  }

  endBatch(): void {
    this.inBatch = false;
  }

  nowMs(): number {
    return this.inBatch ? this.batchMs : this.clock.monotonicMs();
  }

  listOf(timeoutMs: number): OpenList {
    if (this.recent.timeoutMs === timeoutMs) return this.recent;
    if (timeoutMs === NO_DEADLINE) return this.endless;
    let list = this.byTimeout.get(timeoutMs);
    if (list === undefined) {
      list = new OpenList(timeoutMs);
      this.byTimeout.set(timeoutMs, list);
      this.arm(list, timeoutMs);
    }
    this.recent = list;
    return list;
  }

  *open(): Iterable<Obligation> {
    for (const { first } of [this.endless, ...this.byTimeout.values()]) {
      for (let next = first; next !== undefined; next = next.next) yield next;
    }
  }

  ownedBy(owner: Owner): readonly Obligation[] {
    const owned: Obligation[] = [];
    if (owner.count === 0) return owned;
    for (const question of this.open()) {
      if (question.owner === owner && owned.push(question) === owner.count) break;
    }
    return owned;
  }

  /** Ends what this owner has lost: all but those that `kept` holds. */
  lose(owner: Owner, outcome: Unanswered, kept?: ReadonlySet<Obligation>): void {
    for (const question of this.ownedBy(owner)) {
      if (kept === undefined || !kept.has(question)) question.settle(outcome);
    }
  }

  /** Settles what is pending; the system has stopped. */
  close(): void {
    for (const { timer } of this.byTimeout.values()) timer?.cancel();
    for (const question of [...this.open()]) question.settle(STOPPED);
    this.byTimeout.clear();
    this.recent = this.endless;
  }

  private arm(list: OpenList, delayMs: number): void {
    list.timer = this.clock.setTimer(delayMs, () => this.expire(list));
  }

  /** The timer stays armed while questions come and go: it is set again at most once per timeout. */
  private expire(list: OpenList): void {
    const nowMs = this.nowMs();
    for (;;) {
      const first = list.first as (Obligation & { readonly deadlineMs: number }) | undefined;
      if (first === undefined) break;
      if (first.deadlineMs > nowMs) {
        this.arm(list, first.deadlineMs - nowMs);
        return;
      }
      first.settle(TIMED_OUT);
    }
    this.byTimeout.delete(list.timeoutMs);
    this.recent = this.endless;
  }
}
