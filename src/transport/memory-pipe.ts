// One direction of a memory link: bytes and the end of the stream, in order, delivered after the
// link's latency by timers of the injected clock. Its capacity stands for all the buffers between
// two processes. Used by memory.ts alone.

import type { Clock, Timer } from "../ports.js";
import type { Line } from "./memory-paths.js";

/** What a pipe asks of its surroundings. Called from timers only. */
export interface PipeEnds {
  /** False: items of this type do not pass now; call `wake` when that changes. */
  passes(type: ItemType): boolean;
  onOpened(): void;
  /** `chunk` is the receiver's own. */
  onChunk(chunk: Uint8Array): void;
  onEnd(): void;
  onReset(): void;
  /** The bytes in the pipe fell to half of its capacity or less after they had filled it. */
  onDrain(): void;
}

export interface PipeOptions {
  readonly clock: Clock;
  readonly delayMs: () => number;
  /** What its bytes have to pass, each at its own rate; without any only latency delays. */
  readonly lines: readonly Line[];
  readonly capacityBytes: number;
  /** How many bytes of `left` arrive in one piece; at least 1. */
  readonly pieceBytes: (left: number) => number;
  readonly ends: PipeEnds;
}

export type ItemType = "opened" | "bytes" | "end" | "reset";

interface Due {
  /** When it has left its host, and when it arrives at the other. */
  readonly sentMs: number;
  readonly dueMs: number;
}

type Item = Due &
  (
    | { readonly type: Exclude<ItemType, "bytes"> }
    // `onTaken` is the last segment's of what was written.
    | { readonly type: "bytes"; rest: Uint8Array; readonly onTaken: (() => void) | undefined }
  );

/** Rounding may let a timer fire this much before its item is due. */
const EARLY_MS = 1e-6;
/** On a limited link bytes arrive bit by bit: in segments of 1/20 second, at least one of TCP's. */
const SEGMENTS_PER_SECOND = 20;
const SEGMENT_BYTES_MIN = 1_460;

export class MemoryPipe {
  readonly #options: PipeOptions;
  readonly #segmentBytes: number;
  #ends: PipeEnds;
  #items: Item[] = [];
  #bytes = 0;
  #full = false;
  #lastDueMs = 0;
  #timer: Timer | undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
    this.#ends = options.ends;
    const bytesPerSecond = Math.min(...options.lines.map((line) => line.bytesPerSecond));
    this.#segmentBytes = Math.max(SEGMENT_BYTES_MIN, bytesPerSecond / SEGMENTS_PER_SECOND);
  }

  /** Written and not delivered yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False: full, `onDrain` follows. `onTaken` is called when all of it is delivered. */
  pushBytes(chunk: Uint8Array, onTaken?: () => void): boolean {
    this.#bytes += chunk.length;
    const segmentBytes = this.#segmentBytes;
    for (let rest = chunk; rest.length > 0; rest = rest.subarray(segmentBytes)) {
      const segment = rest.subarray(0, segmentBytes);
      const last = segment.length === rest.length ? onTaken : undefined;
      this.#push({ type: "bytes", ...this.#due(segment.length), rest: segment, onTaken: last });
    }
    this.#full ||= this.#bytes >= this.#options.capacityBytes;
    return !this.#full;
  }

  push(type: Exclude<ItemType, "bytes">): void {
    this.#push({ type, ...this.#due(0) });
  }

  /** Delivers again what waited for `passes`. */
  wake(): void {
    if (this.#items.length > 0) this.#arm(0);
  }

  /** Forgets everything and stays silent. */
  clear(): void {
    this.#items = [];
    this.#bytes = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** From now on others answer for the receiving side. */
  deliverTo(ends: PipeEnds): void {
    this.#ends = ends;
  }

  /** Forgets what had not left the sender's machine. */
  loseUnsent(): void {
    const nowMs = this.#options.clock.monotonicMs();
    // Filtered into a new array: a delivery under way stops.
    this.#items = this.#items.filter(({ sentMs }) => sentMs <= nowMs);
    if (this.#items.length > 0) this.#arm(this.#items[0]!.dueMs - nowMs);
  }

  #due(bytes: number): Due {
    const { clock, delayMs, lines } = this.#options;
    const nowMs = clock.monotonicMs();
    let sentMs = nowMs;
    // All are booked from now: bytes that wait for a slow line do not hold up a fast one's others.
    for (const line of lines) sentMs = Math.max(sentMs, line.take(nowMs, bytes));
    this.#lastDueMs = Math.max(this.#lastDueMs, sentMs + delayMs());
    return { sentMs, dueMs: this.#lastDueMs };
  }

  #push(item: Item): void {
    this.#items.push(item);
    if (this.#items.length === 1) this.#arm(item.dueMs - this.#options.clock.monotonicMs());
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(Math.max(0, delayMs), this.#deliver);
  }

  readonly #deliver = (): void => {
    this.#timer = undefined;
    const ends = this.#ends;
    const nowMs = this.#options.clock.monotonicMs();
    const items = this.#items;
    let done = 0;
    // The handlers may clear this pipe, which replaces the array.
    while (items === this.#items) {
      const item = items[done];
      if (item === undefined || item.dueMs > nowMs + EARLY_MS || !ends.passes(item.type)) break;
      if (this.#deliverOne(item)) done += 1;
    }
    if (items !== this.#items) return;
    items.splice(0, done);
    if (this.#full && this.#bytes <= this.#options.capacityBytes / 2) {
      this.#full = false;
      ends.onDrain();
    }
    const next = this.#items[0];
    if (next !== undefined && this.#timer === undefined && ends.passes(next.type)) {
      this.#arm(next.dueMs - nowMs);
    }
  };

  /** True when all of the item was delivered. */
  #deliverOne(item: Item): boolean {
    const ends = this.#ends;
    const { pieceBytes } = this.#options;
    switch (item.type) {
      case "opened":
        ends.onOpened();
        return true;
      case "end":
        ends.onEnd();
        return true;
      case "reset":
        ends.onReset();
        return true;
      case "bytes": {
        const length = Math.min(item.rest.length, Math.max(1, pieceBytes(item.rest.length)));
        // A copy: the sender takes the buffer back, and each receiver owns its chunk.
        const piece = new Uint8Array(item.rest.subarray(0, length));
        item.rest = item.rest.subarray(length);
        this.#bytes -= length;
        if (item.rest.length === 0) item.onTaken?.();
        ends.onChunk(piece);
        return item.rest.length === 0;
      }
    }
  }
}
