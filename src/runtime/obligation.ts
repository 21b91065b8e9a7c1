// Who owes whom an answer. A reply reference is an obligation of whoever holds the message that it
// came with: told on, it is the next one's; replied, it is nobody's. What its owner loses (by a crash,
// its end, a mailbox that drops) the kernel settles, so that nobody waits for it.

import type { AskOutcome } from "./actor.js";
import { LocatedRef } from "./kernel.js";

/** How a question ends that its owner did not answer. */
export type Unanswered = Extract<AskOutcome<never>, { ok: false }>;

export const CRASHED: Unanswered = Object.freeze({ ok: false, reason: "crashed" });
export const DROPPED: Unanswered = Object.freeze({ ok: false, reason: "dropped" });
export const REFUSED: Unanswered = Object.freeze({ ok: false, reason: "refused" });
export const STOPPED: Unanswered = Object.freeze({ ok: false, reason: "stopped" });
export const TIMED_OUT: Unanswered = Object.freeze({ ok: false, reason: "timeout" });

/** A question as it travels: telling it a message is the reply. */
export abstract class Obligation extends LocatedRef {
  /** Absent: settled, or told to somebody who is no actor of the kernel. */
  owner: Owner | undefined;
  /** Neighbours in the owner's list. */
  previousOwned: Obligation | undefined;
  nextOwned: Obligation | undefined;

  abstract get isSettled(): boolean;

  /** False: it was settled before. */
  abstract settle(outcome: AskOutcome<unknown>): boolean;

  lifeline(): undefined {
    return undefined;
  }

  get isGone(): boolean {
    return this.isSettled;
  }

  /** The message that it came with is now in the hands of this owner. */
  handTo(owner: Owner): void {
    if (this.owner === owner || this.isSettled) return;
    this.owner?.release(this);
    owner.take(this);
  }
}

/** What one actor or one link owes: a linked list, oldest first, so that settling costs nothing. */
export class Owner {
  count = 0;
  private first: Obligation | undefined;
  private last: Obligation | undefined;

  take(obligation: Obligation): void {
    const { last } = this;
    obligation.owner = this;
    obligation.previousOwned = last;
    if (last === undefined) this.first = obligation;
    else last.nextOwned = obligation;
    this.last = obligation;
    this.count++;
  }

  release(obligation: Obligation): void {
    const { previousOwned, nextOwned } = obligation;
    if (previousOwned === undefined) this.first = nextOwned;
    else previousOwned.nextOwned = nextOwned;
    if (nextOwned === undefined) this.last = previousOwned;
    else nextOwned.previousOwned = previousOwned;
    obligation.owner = undefined;
    obligation.previousOwned = undefined;
    obligation.nextOwned = undefined;
    this.count--;
  }

  /** Settles all but those that `kept` holds. */
  settle(outcome: Unanswered, kept?: ReadonlySet<Obligation>): void {
    for (const obligation of this.all()) {
      if (kept === undefined || !kept.has(obligation)) obligation.settle(outcome);
    }
  }

  all(): readonly Obligation[] {
    const all: Obligation[] = [];
    for (let next = this.first; next !== undefined; next = next.nextOwned) all.push(next);
    return all;
  }
}
