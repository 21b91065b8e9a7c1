// What a message of the peer holds until it is dealt with, as the question that goes with it: whoever
// deals with the message answers, and what it held comes back to its peer handler, whatever became
// of it.

import type { Lane, WireMessage } from "../../protocol/types/message.js";
import type { PeerLeases } from "./peer-leases.js";
import { Question } from "../../runtime/question.js";

/** What a message of the peer holds until it is dealt with. */
export interface Held {
  readonly lane: Lane;
  /** Credit of its lane. */
  readonly bytes: number;
  /** 0 unless it is a request, which holds a place among those that are served. */
  readonly requestId: number;
}

/** The part of its connection's leases that a message concerns. */
type HandedOn = Pick<PeerLeases, "handedBytes" | "dealt">;

/** What the peer's request is answered with; of any other message only that it was dealt with. */
export type Answer = WireMessage | HistoryAnswer | "Done";

/** Old blocks: what of them leaves counts against what this node serves in a day. */
export interface HistoryAnswer {
  readonly history: WireMessage;
}

export class Dealt extends Question<Answer> implements Held {
  declare readonly type: "Dealt";
  declare readonly lane: Lane;
  declare readonly bytes: number;
  declare readonly requestId: number;
  /** Of its connection, which counts its bytes until it is dealt with, and when it has ended too. */
  declare private leases: HandedOn | undefined;

  constructor({ lane, bytes, requestId }: Held, leases: HandedOn) {
    super();
    this.type = "Dealt";
    this.lane = lane;
    this.bytes = bytes;
    this.requestId = requestId;
    this.leases = leases;
    leases.handedBytes += bytes;
  }

  /** It was dealt with, or lost, perhaps with its handler: counted once. */
  free(): void {
    const { leases } = this;
    this.leases = undefined;
    leases?.dealt(this.bytes);
  }

  /** Undefined: it was none that wants one, or it was lost. */
  get answer(): WireMessage | undefined {
    const { outcome } = this;
    if (outcome?.ok !== true || outcome.value === "Done") return undefined;
    return "history" in outcome.value ? outcome.value.history : outcome.value;
  }

  get isHistory(): boolean {
    const { outcome } = this;
    return outcome?.ok === true && outcome.value !== "Done" && "history" in outcome.value;
  }
}
