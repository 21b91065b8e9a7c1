// A question that is sent at once and whose outcome its asker makes a message of.

import type { ActorRef, AskOutcome } from "./ref.js";
import { LocatedRef } from "./located-ref.js";
import { REFUSED, STOPPED } from "./obligation.js";
import { Question, type Asker } from "./question.js";
import type { Questions } from "./questions.js";
import { NO_DEADLINE } from "./ref.js";
import { invariant } from "../errors.js";

export type Adapt = (outcome: AskOutcome<unknown>) => unknown;

export class Ask extends Question {
  /** In whole milliseconds, which cost less to keep; without a deadline it means nothing. */
  declare readonly deadlineMs: number;
  declare private readonly adapt: Adapt;

  /** `timeoutMs` may be `NO_DEADLINE`. */
  constructor(questions: Questions, asker: Asker, timeoutMs: number, adapt: Adapt) {
    super();
    const endless = timeoutMs === NO_DEADLINE;
    this.deadlineMs = endless ? 0 : Math.ceil(questions.nowMs() + timeoutMs);
    this.adapt = adapt;
    this.begin(asker, questions.listOf(timeoutMs));
  }

  /** May throw, for `adapt` is the actor's own function. */
  override message(): unknown {
    invariant(this.outcome !== undefined, "an ask that arrives is settled");
    return this.adapt(this.outcome);
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
    if (accepted) {
      if (this.owner !== undefined || this.outcome !== undefined) return;
      if (!(to instanceof LocatedRef)) return;
      this.settle(REFUSED);
      invariant(false, `${to.path} is asked, so its mailbox declares replyOf`);
    }
    this.settle(to instanceof LocatedRef && to.isGone ? STOPPED : REFUSED);
  }
}
