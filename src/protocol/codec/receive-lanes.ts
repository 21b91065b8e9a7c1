// The receiving half of a connection's lanes: charges credit, puts fragments together and says
// when to grant more. Owned by a session, which feeds it the frames of its FrameDecoder.

import { invariant } from "../../errors.js";
import { LANES, WINDOW_BYTES_MAX, laneIndex } from "../types/message.js";
import type { KindRule, Lane, MessageOf, WireKind } from "../types/message.js";
import { violation } from "../violation.js";
import type { Violation } from "../violation.js";
import { FRAME_HEADER_BYTES } from "./frame.js";
import type { Frame } from "./frame.js";
import type { SharedBytes, WindowOptions } from "./window-options.js";

export interface ReceivedMessage {
  readonly kind: WireKind;
  /** Of its kind. */
  readonly rule: KindRule;
  readonly lane: Lane;
  readonly requestId: number;
  readonly payload: Uint8Array;
  /** To be given to `consumed` when the message is dealt with; 0 on the control lane. */
  readonly creditBytes: number;
}

/** What `updates` answers nearly always. */
const NONE_DUE: readonly MessageOf<"WindowUpdate">[] = [];

export interface UnfinishedMessage {
  /** Whole messages that came before it on its lane. */
  readonly number: number;
  /** What has come of it, in frames. */
  readonly bytes: number;
  /** What the peer may still send on its lane. */
  readonly availableBytes: number;
}

/** Takes a message as it completes; a violation it returns goes back to the frame decoder. */
export type MessageSink = (message: ReceivedMessage, nowMs: number) => Violation | undefined;

/** One lane's window and its unfinished message. */
class ReceiveLane {
  windowBytes: number;
  /** What the peer may still send. */
  availableBytes: number;
  /** Frames of delivered messages that are not consumed yet. */
  heldBytes = 0;
  /** Whole messages so far. */
  messagesIn = 0;
  /** Frames of the unfinished message, and its payload so far. */
  openBytes = 0;
  partial: Uint8Array | undefined;
  partialBytes = 0;
  /** Granted since `epochStartMs`: when it reaches a window's worth, the window is reviewed. */
  epochBytes = 0;
  epochStartMs = Number.NEGATIVE_INFINITY;

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
    this.availableBytes = windowBytes;
  }

  append(payload: Uint8Array, payloadBytesMax: number): void {
    const bytes = this.partialBytes + payload.length;
    const had = this.partial;
    if (had === undefined || had.length < bytes) {
      // Memory follows what arrived, at most twice of it.
      const room = Math.max(bytes, 2 * (had?.length ?? 0));
      this.partial = new Uint8Array(Math.min(room, payloadBytesMax));
      if (had !== undefined) this.partial.set(had.subarray(0, this.partialBytes));
    }
    this.partial!.set(payload, this.partialBytes);
    this.partialBytes = bytes;
  }

  takePartial(): Uint8Array {
    const payload = this.partial!.subarray(0, this.partialBytes);
    this.partial = undefined;
    this.partialBytes = 0;
    return payload;
  }
}

/**
 * A round trip is measured once, when the line is idle, and pieces of a stream wait for the slowest one
 * before: on a line of 80 to 160 ms a window that was always full took 2.1 to 2.9 of the one measured.
 * Chromium's rule, too (half a window within two).
 */
const PACED_ROUND_TRIPS = 4;

/**
 * A message counts against its lane's window until it is consumed, so a slow consumer stops its
 * lane. One larger than the window could never come, so one lane at a time may go beyond its own
 * for a message. The room of an unfinished message doubles as it grows, so memory is at most twice
 * all windows and one largest message.
 */
export class ReceiveLanes {
  readonly #lanes: readonly ReceiveLane[];
  readonly #windowBytesInitial: number;
  readonly #windowBytesMax: number;
  readonly #growth: SharedBytes | undefined;
  /** The lane that may go beyond its window: from half a window on until it is back within it. */
  #large: ReceiveLane | undefined;
  #roundTripMs: number | undefined;

  constructor(options: WindowOptions) {
    invariant(options.windowBytesMax <= WINDOW_BYTES_MAX, "a window over the protocol's maximum");
    invariant(options.windowBytesInitial <= options.windowBytesMax, "a window over its maximum");
    this.#windowBytesInitial = options.windowBytesInitial;
    this.#windowBytesMax = options.windowBytesMax;
    this.#growth = options.growth;
    this.#lanes = LANES.map(() => new ReceiveLane(options.windowBytesInitial));
  }

  /** The smoothed round-trip time by which windows are tuned; without one they do not grow. */
  setRoundTrip(roundTripMs: number | undefined): void {
    this.#roundTripMs = roundTripMs;
  }

  /** Takes a frame that the decoder let through, in order. */
  accept(frame: Frame, onMessage: MessageSink, nowMs = 0): Violation | undefined {
    const { kind, rule, lane, requestId, payload, more } = frame;
    if (lane === "control") {
      return onMessage({ kind, rule, lane, requestId, payload, creditBytes: 0 }, nowMs);
    }
    const state = this.#lanes[laneIndex(lane)]!;
    const frameBytes = FRAME_HEADER_BYTES + payload.length;
    if (frameBytes > state.availableBytes) {
      return violation("credit", `lane ${lane}: a frame of ${frameBytes} bytes over its window`);
    }
    state.availableBytes -= frameBytes;
    if (more || state.partial !== undefined) {
      state.append(payload, rule.payloadBytesMax);
      state.openBytes += frameBytes;
      if (more) return undefined;
    }
    const whole = state.partial === undefined;
    const creditBytes = whole ? frameBytes : state.openBytes;
    state.openBytes = 0;
    state.messagesIn++;
    state.heldBytes += creditBytes;
    this.#settle(state);
    const taken = whole ? payload : state.takePartial();
    return onMessage({ kind, rule, lane, requestId, payload: taken, creditBytes }, nowMs);
  }

  /** Credit of delivered messages that are not consumed yet. */
  get unconsumedBytes(): number {
    return this.#lanes.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** Of messages that came, whole or not, and are not consumed. */
  get arrivedBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes) bytes += lane.heldBytes + lane.openBytes;
    return bytes;
  }

  /** A message of this lane is dealt with. Returns the update to send, if one is due. */
  consumed(lane: Lane, bytes: number, nowMs: number): MessageOf<"WindowUpdate"> | undefined {
    if (lane === "control") return undefined;
    const state = this.#lanes[laneIndex(lane)]!;
    state.heldBytes -= bytes;
    invariant(state.heldBytes >= 0, "more consumed than was received");
    this.#settle(state);
    return this.#update(lane, state, nowMs);
  }

  /**
   * The updates that unfinished messages made due. To be asked for after each `push` to the frame
   * decoder and each `consumed`: a message larger than its window waits for them.
   */
  updates(nowMs: number): readonly MessageOf<"WindowUpdate">[] {
    let due: MessageOf<"WindowUpdate">[] | undefined;
    for (let index = 1; index < LANES.length; index++) {
      const state = this.#lanes[index]!;
      if (state.openBytes === 0) continue;
      if (2 * state.openBytes >= state.windowBytes) this.#large ??= state;
      const update = this.#update(LANES[index]!, state, nowMs);
      if (update !== undefined) (due ??= []).push(update);
    }
    return due ?? NONE_DUE;
  }

  #update(lane: Lane, state: ReceiveLane, nowMs: number): MessageOf<"WindowUpdate"> | undefined {
    const openBytes = state === this.#large ? 0 : state.openBytes;
    const used = state.availableBytes + state.heldBytes + openBytes;
    if (2 * (state.windowBytes - used) < state.windowBytes) return undefined;
    this.#tune(state, state.windowBytes - used, nowMs);
    const bytes = state.windowBytes - used;
    state.availableBytes += bytes;
    return { kind: "WindowUpdate", lane, bytes };
  }

  /**
   * A window's worth within so few round trips means that the window, not the peer, sets the pace, so it
   * doubles.
   */
  #tune(state: ReceiveLane, bytes: number, nowMs: number): void {
    state.epochBytes += bytes;
    if (state.epochBytes < state.windowBytes) return;
    const roundTripMs = this.#roundTripMs;
    if (
      roundTripMs !== undefined &&
      nowMs - state.epochStartMs <= PACED_ROUND_TRIPS * roundTripMs
    ) {
      const grown = Math.min(2 * state.windowBytes, this.#windowBytesMax);
      if (this.#growth?.take(grown - state.windowBytes) ?? true) state.windowBytes = grown;
    }
    state.epochBytes = 0;
    state.epochStartMs = nowMs;
  }

  /** Lets another lane go beyond its window once this one is back within its own. */
  #settle(state: ReceiveLane): void {
    if (state !== this.#large || state.openBytes > 0) return;
    if (state.heldBytes <= state.windowBytes) this.#large = undefined;
  }

  /** The connection ends: gives back what its windows grew by, and drops unfinished messages. */
  release(): void {
    for (const lane of this.#lanes) {
      this.#growth?.give(lane.windowBytes - this.#windowBytesInitial);
      lane.windowBytes = this.#windowBytesInitial;
      lane.availableBytes = Math.min(lane.availableBytes, lane.windowBytes);
      lane.partial = undefined;
      lane.openBytes = 0;
    }
  }

  get hasUnfinished(): boolean {
    for (const lane of this.#lanes) if (lane.openBytes > 0) return true;
    return false;
  }

  /** The message of a data lane that has begun and is not whole; undefined: there is none. */
  unfinished(lane: Lane): UnfinishedMessage | undefined {
    const { messagesIn, openBytes, availableBytes } = this.#lanes[laneIndex(lane)]!;
    return openBytes === 0 ? undefined : { number: messagesIn, bytes: openBytes, availableBytes };
  }

  /** What the peer may still send on a data lane. */
  availableBytes(lane: Lane): number {
    return this.#lanes[laneIndex(lane)]!.availableBytes;
  }

  /** The window of a data lane as tuned so far. */
  windowBytes(lane: Lane): number {
    return this.#lanes[laneIndex(lane)]!.windowBytes;
  }

  /** Memory held for unfinished messages and charged for delivered ones. */
  get heldBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes) bytes += lane.heldBytes + (lane.partial?.length ?? 0);
    return bytes;
  }

  /** Throws when the state contradicts itself. */
  invariants(): void {
    for (const lane of this.#lanes) {
      invariant(lane.availableBytes >= 0 && lane.heldBytes >= 0, "negative credit");
      invariant(lane.availableBytes <= lane.windowBytes, "more credit than the window");
      invariant(lane.windowBytes <= this.#windowBytesMax, "a window over its maximum");
      invariant((lane.partial === undefined) === (lane.openBytes === 0), "a lost fragment");
    }
  }
}
