// A question with exactly one outcome: the `replyTo` that the callee sees, and later the note that
// brings the outcome to whoever asked.

import type { AskOutcome } from "./ref.js";
import { Obligation } from "./obligation.js";
import type { OpenList } from "./questions.js";

export interface Asker {
  readonly path: string;
  readonly incarnation: number;
  /** Called once per question, when its outcome is set. */
  questionEnded(question: Question): void;
  /** A reply to a question that is settled already. */
  lateReply(): void;
}

/**
 * Subclassed with what it is about, it is a question without a deadline for `Context.expect`: it comes
 * back itself, settled, as a message to whoever expects it.
 */
export abstract class Question<R = unknown> extends Obligation {
  declare outcome: AskOutcome<R> | undefined;
  /** Of the asker, when it asked. */
  declare incarnation: number;
  declare private asker: Asker | undefined;
  declare private list: OpenList | undefined;
  /** Told of its end beside the asker. */
  declare follower: ((outcome: AskOutcome<unknown>) => void) | undefined;

  constructor() {
    super();
    this.owner = undefined;
    this.previous = undefined;
    this.next = undefined;
    this.outcome = undefined;
    this.incarnation = 0;
    this.asker = undefined;
    this.list = undefined;
    this.follower = undefined;
  }

  /** From now on it is open. */
  begin(asker: Asker, list: OpenList): void {
    this.asker = asker;
    this.incarnation = asker.incarnation;
    this.list = list;
    list.add(this);
  }

  // Not fields: there are many of these, and each field of each costs.
  get kind(): "question" {
    return "question";
  }

  get uid(): number {
    return 0;
  }

  get path(): string {
    return this.asker?.path ?? "";
  }

  /** Undefined: nobody has asked it yet. */
  get askedBy(): Asker | undefined {
    return this.asker;
  }

  get isSettled(): boolean {
    return this.outcome !== undefined;
  }

  /** What its asker is told when it has ended. */
  message(): unknown {
    return this;
  }

  tell(message: unknown): boolean {
    if (this.settle({ ok: true, value: message })) return true;
    this.asker?.lateReply();
    return false;
  }

  settle(outcome: AskOutcome<unknown>): boolean {
    if (this.outcome !== undefined) return false;
    const { asker, follower, list, owner } = this;
    this.outcome = outcome as AskOutcome<R>;
    if (list !== undefined) list.remove(this);
    if (owner !== undefined) owner.release(this);
    if (asker !== undefined) asker.questionEnded(this);
    if (follower !== undefined) follower(outcome);
    return true;
  }
}
