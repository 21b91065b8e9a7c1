// What a message of the peer holds until it is dealt with, as the question that goes with it: whoever
// deals with the message answers, and what it held comes back to its peer handler, whatever became
// of it.

import type { Lane, WireMessage } from "../../protocol/types/message.js";
import { Question } from "../../runtime/question.js";

/** What a message of the peer holds until it is dealt with. */
export interface Held {
  readonly lane: Lane;
  /** Credit of its lane. */
  readonly bytes: number;
  /** 0 unless it is a request, which holds a place among those that are served. */
  readonly requestId: number;
}

/** What the peer's request is answered with; of any other message only that it was dealt with. */
export type Answer = WireMessage | "Done";

export class Dealt extends Question<Answer> implements Held {
  declare readonly type: "Dealt";
  declare readonly lane: Lane;
  declare readonly bytes: number;
  declare readonly requestId: number;

  constructor({ lane, bytes, requestId }: Held) {
    super();
    this.type = "Dealt";
    this.lane = lane;
    this.bytes = bytes;
    this.requestId = requestId;
  }

  /** Undefined: it was none that wants one, or it was lost. */
  get answer(): WireMessage | undefined {
    const { outcome } = this;
    return outcome?.ok === true && outcome.value !== "Done" ? outcome.value : undefined;
  }
}
