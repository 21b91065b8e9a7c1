// What a message of the peer holds until it is dealt with, as the question that goes with it: whoever
// deals with the message answers, and what it held comes back to its peer handler, whatever became
// of it.

import type { Lane, WireMessage } from "../../protocol/types/message.js";
import type { PeerLeases } from "./peer-leases.js";
import { Question } from "../../runtime/question.js";
import type { KindFlow } from "../service/kind-flow.js";

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

const NOT_HANDED_ON = -1;
const LOST = -2;

export class Dealt extends Question<Answer> implements Held {
  declare readonly type: "Dealt";
  declare readonly lane: Lane;
  declare readonly bytes: number;
  declare readonly requestId: number;
  /** Of its connection, which counts its bytes until it is dealt with, and when it has ended too. */
  declare private leases: HandedOn | undefined;
  /**
   * Monotonic: when it was whole, and when the router handed it on, or what else became of it. In
   * whole milliseconds, which cost less to keep.
   */
  declare readonly arrivedMs: number;
  declare handedMs: number;
  /** Of its kind, once the router took it up. */
  declare private flow: KindFlow | undefined;

  constructor({ lane, bytes, requestId }: Held, leases: HandedOn, nowMs: number) {
    super();
    this.type = "Dealt";
    this.lane = lane;
    this.bytes = bytes;
    this.requestId = requestId;
    this.leases = leases;
    this.arrivedMs = Math.trunc(nowMs);
    this.handedMs = NOT_HANDED_ON;
    this.flow = undefined;
    leases.handedBytes += bytes;
  }

  /** The router takes it up: from now on its kind has one more that is open. */
  routed(flow: KindFlow): void {
    this.flow = flow;
    flow.open++;
  }

  /** The router drops it: more of its kind came than is dealt with. */
  drop(): void {
    this.handedMs = LOST;
    this.tell("Done");
  }

  get isLost(): boolean {
    return this.handedMs === LOST;
  }

  handedOn(nowMs: number): void {
    this.handedMs = Math.trunc(nowMs);
    this.flow?.queued.add(this.handedMs - this.arrivedMs);
  }

  /** It was dealt with, or lost, perhaps with its handler (then nobody knows when): counted once. */
  free(nowMs?: number): void {
    const { leases, flow } = this;
    this.leases = undefined;
    this.flow = undefined;
    leases?.dealt(this.bytes);
    if (flow === undefined) return;
    flow.open--;
    if (nowMs !== undefined && this.handedMs >= 0)
      flow.handled.add(Math.trunc(nowMs) - this.handedMs);
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
