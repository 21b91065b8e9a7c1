// What leaves a session: bytes for its carrier, and events for its owner. The parts of a session
// share one. Pure.

import { invariant } from "../../errors.js";
import { encodeBy } from "../codec/codec.js";
import { FRAGMENT_BYTES_MAX, FRAME_HEADER_BYTES } from "../codec/frame.js";
import type { Rank } from "../codec/rank.js";
import { SendLanes, type Allocate, type AnswerMarks } from "../codec/send-lanes.js";
import { Fifo } from "../fifo.js";
import { KindTable } from "../types/kind-table.js";
import {
  KINDS,
  type DisconnectReason,
  type KindRule,
  type WireKind,
  type WireMessage,
} from "../types/message.js";
import { breachText } from "../violation.js";
import type { SessionEvent, SessionFigures, SessionSettings } from "./session-types.js";
import type { Drop, TrafficCounts } from "./traffic.js";

/** Bytes in one write: two of the largest frames, which are never cut for it. */
export const WRITE_BYTES = 2 * (FRAME_HEADER_BYTES + FRAGMENT_BYTES_MAX);
/** Of a farewell's 256 bytes, whatever the characters are. */
const DETAIL_CHARS_MAX = 80;
/** One message is always taken, however little is allowed to wait. */
const LARGEST_BYTES = Math.max(...Object.values(KINDS).map((rule) => rule.payloadBytesMax));

interface FarewellText {
  readonly rule?: string;
  readonly detail: string;
}

export class Outbox<A> {
  readonly lanes: SendLanes;
  /** Of this connection. */
  readonly kinds = new KindTable();
  readonly figures: SessionFigures = {
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    historyBytesOut: 0,
    droppedOut: 0,
    droppedIn: 0,
  };
  readonly traffic: TrafficCounts | undefined;
  readonly #queueBytesMax: number;
  readonly #mayQueue: (bytes: number) => boolean;
  readonly #allocate: Allocate | undefined;
  readonly #events = new Fifo<SessionEvent<A>>();

  constructor(
    { lanes }: SessionSettings,
    allocate: Allocate | undefined,
    traffic: TrafficCounts | undefined,
    mayQueue: (bytes: number) => boolean = () => true,
  ) {
    this.#mayQueue = mayQueue;
    this.traffic = traffic;
    this.#queueBytesMax = lanes.sendQueueBytesMax;
    this.#allocate = allocate;
    this.lanes = new SendLanes({
      windowBytesInitial: lanes.windowInitialBytes,
      windowBytesMax: lanes.windowMaxBytes,
    });
  }

  tell(event: SessionEvent<A>): void {
    this.#events.push(event);
  }

  poll(): SessionEvent<A> | undefined {
    return this.#events.shift();
  }

  /** More of this side's own requests may wait beside the replies. */
  get hasRoomForRequests(): boolean {
    return 2 * this.lanes.dataBytes < this.#queueBytesMax;
  }

  /** A message that nobody asked for; false: it has no room beside what waits. */
  offer(kind: WireKind, rule: KindRule, payload: Uint8Array, about?: Uint8Array): boolean {
    const queued = rule.lane === "control" ? 0 : this.lanes.dataBytes;
    if (queued > 0 && !this.#mayHold(queued + payload.length)) {
      this.dropped(kind, rule, "out-queue");
      return false;
    }
    this.put(kind, payload, 0, rule, { about });
    return true;
  }

  /** Half of it is its own; what is over it shares with others. */
  #mayHold(bytes: number): boolean {
    if (2 * bytes <= this.#queueBytesMax) return true;
    return bytes <= this.#queueBytesMax && this.#mayQueue(bytes);
  }

  /** A message that nobody asked for stays here. */
  dropped(kind: WireKind, rule: KindRule, drop: Drop): void {
    this.figures.droppedOut++;
    this.traffic?.dropped(rule, kind, drop);
  }

  put(
    kind: WireKind,
    payload: Uint8Array,
    requestId: number,
    rule: KindRule = this.kinds.rule(kind),
    answer?: AnswerMarks,
  ): void {
    this.figures.messagesOut++;
    this.traffic?.sent(rule, kind, payload.length);
    this.lanes.enqueue(kind, requestId, payload, rule, answer);
  }

  say(message: WireMessage, requestId = 0): void {
    const rule = this.kinds.rule(message.kind);
    this.put(message.kind, encodeBy(rule, message), requestId, rule);
  }

  encode(message: WireMessage): Uint8Array<ArrayBuffer> {
    return encodeBy(this.kinds.rule(message.kind), message);
  }

  /** It overtakes what waits, which is dropped, and nothing follows it. */
  farewell(reason: DisconnectReason, { rule, detail: told }: FarewellText): void {
    this.lanes.clear();
    const text = rule === undefined ? told : breachText({ rule, detail: told });
    // Half a character that the cut may leave becomes U+FFFD; control characters may not travel.
    const cut = new TextEncoder().encode(text.slice(0, DETAIL_CHARS_MAX));
    const detail = new TextDecoder().decode(cut).replace(/\p{Cc}/gu, " ");
    this.say({ kind: "Disconnect", reason, detail });
  }

  pull(bytesMax: number, rank: Rank | undefined): Uint8Array | undefined {
    const bytes = this.lanes.pull(bytesMax, this.#allocate, rank);
    if (bytes === undefined) return undefined;
    this.figures.bytesOut += bytes.length;
    this.figures.historyBytesOut = this.lanes.historyBytesOut;
    return bytes;
  }

  invariants(): void {
    this.lanes.invariants();
    const queued = this.lanes.dataBytes;
    // Requests may wait on top of half of it; a reply never exceeds it unless it is alone.
    const most = Math.max(this.#queueBytesMax, LARGEST_BYTES) + this.#queueBytesMax / 2;
    invariant(queued <= most, `${queued} bytes wait`);
  }
}
