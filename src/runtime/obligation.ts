// Who owes whom an answer. A reply reference is an obligation of whoever holds the message that it
// came with: told on, it is the next one's; replied, it is nobody's. What its owner loses (by a crash,
// its end, a mailbox that drops) the kernel settles, so that nobody waits for it.

import type { AskOutcome } from "./ref.js";
import { LocatedRef } from "./located-ref.js";

/** How a question ends that its owner did not answer. */
export type Unanswered = Extract<AskOutcome<never>, { ok: false }>;

export const CRASHED: Unanswered = Object.freeze({ ok: false, reason: "crashed" });
export const DROPPED: Unanswered = Object.freeze({ ok: false, reason: "dropped" });
export const REFUSED: Unanswered = Object.freeze({ ok: false, reason: "refused" });
export const STOPPED: Unanswered = Object.freeze({ ok: false, reason: "stopped" });
export const TIMED_OUT: Unanswered = Object.freeze({ ok: false, reason: "timeout" });

/** A question as it travels: telling it a message is the reply. */
export abstract class Obligation extends LocatedRef {
  // Set by the classes below: each level that initialises fields costs 5 ns.
  /** Absent: settled, or told to somebody who is no actor of the kernel. */
  declare owner: Owner | undefined;
  /** Neighbours in the list of open ones. */
  declare previous: Obligation | undefined;
  declare next: Obligation | undefined;

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
    const before = this.owner;
    if (before === owner || this.isSettled) return;
    if (before !== undefined) before.release(this);
    owner.take(this);
  }
}

/**
 * What one actor or one link owes: only how much. Which questions these are is found among all that
 * are open (`Questions.ownedBy`), for something is lost seldom, and told on with every message.
 */
export class Owner {
  count = 0;

  take(obligation: Obligation): void {
    obligation.owner = this;
    this.count++;
  }

  release(obligation: Obligation): void {
    obligation.owner = undefined;
    this.count--;
  }
}
