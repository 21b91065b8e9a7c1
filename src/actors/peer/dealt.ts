// What a message of the peer holds until it is dealt with, as the question that goes with it: whoever
// deals with the message answers, and what it held comes back to its peer handler, whatever became
// of it.

import type { Lane, WireMessage } from "../../protocol/types/message.js";
import { Question } from "../../runtime/question.js";
import type { Answer, Held } from "./peer-handler-messages.js";

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
