// The sending half of a connection's lanes: queues encoded messages and cuts them into frames,
// control first, then the data lanes by weight, each within the credit that the peer granted.
// Owned by a session, which transmits what `pull` returns.

import { uninitialised } from "../../bytes/uninitialised.js";
import { invariant } from "../../errors.js";
import { Fifo } from "../fifo.js";
import { LANES, laneIndex, ruleOf } from "../types/message.js";
import type { KindRule, Lane, WireKind } from "../types/message.js";
import { violation } from "../violation.js";
import type { Violation } from "../violation.js";
import {
  FRAGMENT_BYTES_MAX,
  FRAME_HEADER_BYTES,
  REQUEST_ID_MAX,
  writeFrameHeader,
} from "./frame.js";
import { RANK, type Rank } from "./rank.js";
import type { WindowOptions } from "./window-options.js";

/** A fragment smaller than this is sent only when it ends its message: no crumbs. */
const FRAGMENT_BYTES_MIN = 4_096;

/** What a lane of weight 1 may send per round while other lanes wait. */
const QUANTUM_BYTES = 16_384;
/** Shares of a connection when every lane has work: a block must not wait behind a sync. */
export const LANE_WEIGHTS: { readonly [L in Lane]: number } = {
  control: 0,
  block: 4,
  sync: 2,
  transaction: 1,
};
/** Of the block lane's by what they are: an old block that was asked for is none of the tip. */
const RANKS: readonly Rank[] = [RANK.control, RANK.history, RANK.history, RANK.transactions];
/** Announcements whose blocks were not asked for yet and may be: the last few heads. */
const ANNOUNCED_MAX = 4;
const NO_MARKS: AnswerMarks = Object.freeze({});

/** The least that is pulled at once. */
export const PULL_BYTES_MIN = FRAME_HEADER_BYTES + FRAGMENT_BYTES_MIN;

/** A buffer of so many bytes, whatever they are. */
export type Allocate = (bytes: number) => Uint8Array;

interface QueuedMessage {
  readonly kind: WireKind;
  readonly rule: KindRule;
  readonly requestId: number;
  readonly payload: Uint8Array;
  readonly rank: Rank;
  /** What leaves of it is counted apart. */
  readonly isHistory: boolean;
}

/** What is known of an answer beside its message. */
export interface AnswerMarks {
  /** The hash of what was asked for. */
  readonly about?: Uint8Array | undefined;
  readonly isHistory?: boolean;
}

/** The waiting messages of one lane and what they may use: credit on the wire, turns among us. */
class SendLane {
  readonly weight: number;
  creditBytes: number;
  deficitBytes = 0;
  /** Payload bytes not yet written to a frame. */
  queuedBytes = 0;
  framesOut = 0;
  /** Messages that answer the peer and wait here: answers of requests, and Pongs. */
  answers = 0;
  pongs = 0;
  /** Payload bytes of history that were written to frames. */
  historyBytesOut = 0;
  readonly #messages = new Fifo<QueuedMessage>();
  /** How much of the first message was sent. */
  #sentBytes = 0;

  constructor(weight: number, creditBytes: number) {
    this.weight = weight;
    this.creditBytes = creditBytes;
  }

  get count(): number {
    return this.#messages.length;
  }

  push(message: QueuedMessage): void {
    this.#messages.push(message);
    this.queuedBytes += message.payload.length;
    this.#count(message, 1);
  }

  #count({ kind, rule }: QueuedMessage, by: 1 | -1): void {
    if (kind === "Pong") this.pongs += by;
    else if (rule.role === "response") this.answers += by;
  }

  /** The least that the next frame takes on the wire; 0 when nothing waits. */
  get nextBytesMin(): number {
    const next = this.#messages.first;
    if (next === undefined) return 0;
    const rest = next.payload.length - this.#sentBytes;
    return FRAME_HEADER_BYTES + Math.min(rest, FRAGMENT_BYTES_MIN);
  }

  /** The same, but not cutting a message that one frame can hold. */
  get nextBytesUncut(): number {
    const length = this.#messages.first?.payload.length ?? 0;
    const cut = this.#sentBytes > 0 || length > FRAGMENT_BYTES_MAX;
    return cut ? this.nextBytesMin : FRAME_HEADER_BYTES + length;
  }

  /** Of its next message. */
  get rank(): Rank | undefined {
    return this.#messages.first?.rank;
  }

  get sendable(): boolean {
    const least = this.nextBytesMin;
    return least > 0 && least <= this.creditBytes;
  }

  /** No less than what all frames that may be sent now take on the wire. */
  get sendableBytesMax(): number {
    if (!this.sendable) return 0;
    const framesMax = this.count + Math.floor(this.queuedBytes / FRAGMENT_BYTES_MIN);
    return Math.min(this.creditBytes, this.queuedBytes + framesMax * FRAME_HEADER_BYTES);
  }

  /** Writes the next frame, at most up to `end`; returns the offset after it. */
  writeFrame(target: Uint8Array, at: number, end: number): number {
    const { kind, rule, requestId, payload, isHistory } = this.#messages.first!;
    const start = this.#sentBytes;
    const room = Math.min(end - at, this.creditBytes) - FRAME_HEADER_BYTES;
    const payloadBytes = Math.min(payload.length - start, FRAGMENT_BYTES_MAX, room);
    const more = start + payloadBytes < payload.length;
    writeFrameHeader(target, at, { kind, requestId, payloadBytes, more }, rule);
    const whole = start === 0 && !more;
    target.set(
      whole ? payload : payload.subarray(start, start + payloadBytes),
      at + FRAME_HEADER_BYTES,
    );
    this.framesOut++;
    if (isHistory) this.historyBytesOut += payloadBytes;
    this.queuedBytes -= payloadBytes;
    this.creditBytes -= FRAME_HEADER_BYTES + payloadBytes;
    this.deficitBytes -= FRAME_HEADER_BYTES + payloadBytes;
    this.#sentBytes = more ? start + payloadBytes : 0;
    if (!more) this.#count(this.#messages.shift()!, -1);
    return at + FRAME_HEADER_BYTES + payloadBytes;
  }

  clear(): void {
    this.#messages.clear();
    this.#sentBytes = 0;
    this.queuedBytes = 0;
    this.answers = 0;
    this.pongs = 0;
  }

  invariants(windowBytesMax: number): void {
    let bytes = -this.#sentBytes;
    let answers = 0;
    for (const { kind, rule, payload } of this.#messages.items()) {
      bytes += payload.length;
      if (kind === "Pong" || rule.role === "response") answers++;
    }
    invariant(bytes === this.queuedBytes, "queued bytes are miscounted");
    invariant(answers === this.answers + this.pongs, "waiting answers are miscounted");
    invariant(this.creditBytes >= 0, "sent beyond the credit");
    const bounded = this.weight === 0 || this.creditBytes <= windowBytesMax;
    invariant(bounded, "credit beyond the largest window");
  }
}

/**
 * Unbounded by itself: whoever enqueues looks at `queuedBytes` first. Messages of one lane leave
 * in the order they came; a control message waits for nothing but earlier control messages.
 */
export class SendLanes {
  readonly #lanes: readonly SendLane[];
  readonly #windowBytesMax: number;
  /** The data lane whose turn it is. */
  #turn = 1;
  /** Payloads that told the peer of what it may ask for, and has not yet. */
  readonly #announced: Uint8Array[] = [];

  constructor(options: WindowOptions) {
    invariant(options.windowBytesInitial <= options.windowBytesMax, "a window over its maximum");
    this.#windowBytesMax = options.windowBytesMax;
    this.#lanes = LANES.map((lane) => {
      const credit = lane === "control" ? Number.POSITIVE_INFINITY : options.windowBytesInitial;
      return new SendLane(LANE_WEIGHTS[lane], credit);
    });
  }

  /**
   * Takes ownership of `payload`, which may be shared with other connections but not changed.
   * `rule`: of its kind.
   */
  enqueue(
    kind: WireKind,
    requestId: number,
    payload: Uint8Array,
    rule: KindRule = ruleOf(kind),
    { about, isHistory = false }: AnswerMarks = NO_MARKS,
  ): void {
    const { lane, payloadBytesMax, role } = rule;
    if (payload.length === 0 || payload.length > payloadBytesMax) {
      invariant(false, `${kind} with a payload of ${payload.length} bytes`);
    }
    const idFits = requestId >= 0 && requestId <= REQUEST_ID_MAX;
    if (!idFits || (requestId === 0) !== (role === "oneWay")) {
      invariant(false, `${kind} with request id ${requestId}`);
    }
    const index = laneIndex(lane);
    const rank = rule.haste === undefined ? RANKS[index]! : this.#rankOf(rule, payload, about);
    this.#lanes[index]!.push({ kind, rule, requestId, payload, rank, isHistory });
  }

  /** A block that was asked for is of the tip if the peer was told of it, once: it may be any other. */
  #rankOf({ haste }: KindRule, payload: Uint8Array, about: Uint8Array | undefined): Rank {
    if (haste === "announcement") {
      this.#announced.push(about ?? payload);
      if (this.#announced.length > ANNOUNCED_MAX) this.#announced.shift();
    }
    if (haste !== "announced") return RANK.tip;
    const at = this.#announced.findIndex((told) => about !== undefined && holds(told, about));
    if (at === -1) return RANK.history;
    this.#announced.splice(at, 1);
    return RANK.tip;
  }

  /** Forgets all that waits, begun messages too: only a goodbye may follow. */
  clear(): void {
    for (const lane of this.#lanes) lane.clear();
  }

  /** Nothing waits, on no lane. */
  get isEmpty(): boolean {
    for (const lane of this.#lanes) if (lane.count > 0) return false;
    return true;
  }

  /** Something of this rank may be sent now, as far as the peer's credit goes. */
  waits(rank: Rank): boolean {
    for (const lane of this.#lanes) if (lane.rank === rank && lane.sendable) return true;
    return false;
  }

  /** Payload bytes that wait on this lane. */
  queuedBytes(lane: Lane): number {
    return this.#lanes[laneIndex(lane)]!.queuedBytes;
  }

  /** Payload bytes that wait for credit or their turn: on all lanes but control. */
  get dataBytes(): number {
    let bytes = 0;
    for (let index = 1; index < this.#lanes.length; index++) {
      bytes += this.#lanes[index]!.queuedBytes;
    }
    return bytes;
  }

  /** Answers of the peer's requests that wait, on whatever lane: it has not got them. */
  get answersWaiting(): number {
    let count = 0;
    for (const lane of this.#lanes) count += lane.answers;
    return count;
  }

  /** Payload bytes of history that were pulled so far. */
  get historyBytesOut(): number {
    let bytes = 0;
    for (const lane of this.#lanes) bytes += lane.historyBytesOut;
    return bytes;
  }

  get pongsWaiting(): number {
    return this.#lanes[0]!.pongs;
  }

  /** Frames of the data lanes that were pulled so far. */
  get dataFramesOut(): number {
    let frames = 0;
    for (let index = 1; index < this.#lanes.length; index++) {
      frames += this.#lanes[index]!.framesOut;
    }
    return frames;
  }

  /** What the peer still lets us send on a data lane; infinite for control. */
  creditBytes(lane: Lane): number {
    return this.#lanes[laneIndex(lane)]!.creditBytes;
  }

  /** The peer's WindowUpdate. */
  grant(lane: Lane, bytes: number): Violation | undefined {
    const granted = this.#lanes[laneIndex(lane)]!;
    const credit = granted.creditBytes + bytes;
    if (lane === "control" || credit > this.#windowBytesMax) {
      return violation("window-overflow", `${bytes} more bytes of credit for lane ${lane}`);
    }
    granted.creditBytes = credit;
    return undefined;
  }

  /**
   * The next frames in one buffer for one write, which the caller owns; undefined when nothing
   * may be sent. Large payloads are copied too: a write of the header alone would be a TLS record
   * of its own, and node joins what is written together by copying it as well. `rank`: nothing else.
   */
  pull(bytesMax: number, allocate: Allocate = uninitialised, rank?: Rank): Uint8Array | undefined {
    invariant(bytesMax >= PULL_BYTES_MIN, "too little room for a frame");
    let sendable = 0;
    for (const lane of this.#lanes) {
      if (rank === undefined || lane.rank === rank) sendable += lane.sendableBytesMax;
    }
    if (sendable === 0) return undefined;
    // It may hold anything: only what was written to it leaves.
    const chunk = allocate(Math.min(bytesMax, sendable));
    const end = chunk.length;
    let at = 0;
    const control = this.#lanes[0]!;
    const isPart = rank !== undefined && rank !== RANK.control;
    while (!isPart && control.count > 0 && control.nextBytesMin <= end - at) {
      at = control.writeFrame(chunk, at, end);
    }
    while (isPart || control.count === 0) {
      const lane = this.#nextLane(rank);
      if (lane === undefined) break;
      // A chunk that is half full ends rather than cut a message, whose receiver would copy it.
      const wanted = 2 * at < end ? lane.nextBytesMin : lane.nextBytesUncut;
      if (wanted > end - at) break;
      at = lane.writeFrame(chunk, at, end);
    }
    return at === end ? chunk : chunk.subarray(0, at);
  }

  /**
   * Deficit round robin in the surplus form: a lane sends while its deficit is positive and may
   * overdraw it by one frame, so frames need not be cut to the quantum.
   */
  #nextLane(rank: Rank | undefined): SendLane | undefined {
    const current = this.#lanes[this.#turn]!;
    if (current.deficitBytes > 0 && mayGo(current, rank)) return current;
    if (!this.#lanes.some((lane) => lane.weight > 0 && mayGo(lane, rank))) return undefined;
    for (;;) {
      const lane = this.#lanes[this.#turn]!;
      const goes = mayGo(lane, rank);
      if (goes && lane.deficitBytes > 0) return lane;
      if (!goes) lane.deficitBytes = 0;
      this.#turn = this.#turn + 1 < this.#lanes.length ? this.#turn + 1 : 1;
      const next = this.#lanes[this.#turn]!;
      if (mayGo(next, rank)) next.deficitBytes += next.weight * QUANTUM_BYTES;
    }
  }

  /** Throws when the state contradicts itself. */
  invariants(): void {
    for (const lane of this.#lanes) lane.invariants(this.#windowBytesMax);
    invariant(this.#turn >= 1 && this.#turn < this.#lanes.length, "the turn of no data lane");
  }
}

function mayGo(lane: SendLane, rank: Rank | undefined): boolean {
  return (rank === undefined || lane.rank === rank) && lane.sendable;
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  return asBuffer(bytes).includes(asBuffer(part));
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
