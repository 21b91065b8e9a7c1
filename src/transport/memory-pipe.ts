// One direction of a memory link: bytes and the end of the stream, in order, delivered after the
// link's latency by timers of the injected clock. Its capacity stands for all the buffers between
// two processes. Used by memory.ts alone.

import type { Clock, Timer } from "../ports.js";

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
  /** Infinity: only latency delays. */
  readonly bytesPerSecond: number;
  readonly capacityBytes: number;
  /** How many bytes of `left` arrive in one piece; at least 1. */
  readonly pieceBytes: (left: number) => number;
  readonly ends: PipeEnds;
}

export type ItemType = "opened" | "bytes" | "end" | "reset";

type Item =
  | { readonly type: Exclude<ItemType, "bytes">; readonly dueMs: number }
  | { readonly type: "bytes"; readonly dueMs: number; rest: Uint8Array };

/** Rounding may let a timer fire this much before its item is due. */
const EARLY_MS = 1e-6;
/** On a limited link bytes arrive bit by bit: in segments of 1/20 second, at least one of TCP's. */
const SEGMENTS_PER_SECOND = 20;
const SEGMENT_BYTES_MIN = 1_460;

export class MemoryPipe {
  readonly #options: PipeOptions;
  #items: Item[] = [];
  #bytes = 0;
  #full = false;
  #lastDueMs = 0;
  #sentMs = 0;
  #timer: Timer | undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  /** Written and not delivered yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False: full, `onDrain` follows. */
  pushBytes(chunk: Uint8Array): boolean {
    this.#bytes += chunk.length;
    const { bytesPerSecond } = this.#options;
    const segmentBytes = Math.max(SEGMENT_BYTES_MIN, bytesPerSecond / SEGMENTS_PER_SECOND);
    for (let rest = chunk; rest.length > 0; rest = rest.subarray(segmentBytes)) {
      const segment = rest.subarray(0, segmentBytes);
      this.#push({ type: "bytes", dueMs: this.#dueMs(segment.length), rest: segment });
    }
    this.#full ||= this.#bytes >= this.#options.capacityBytes;
    return !this.#full;
  }

  push(type: Exclude<ItemType, "bytes">): void {
    this.#push({ type, dueMs: this.#dueMs(0) });
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

  #dueMs(bytes: number): number {
    const { clock, delayMs, bytesPerSecond } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#sentMs = Math.max(this.#sentMs, nowMs) + (bytes * 1000) / bytesPerSecond;
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#sentMs + delayMs());
    return this.#lastDueMs;
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
    const { clock, ends } = this.#options;
    const nowMs = clock.monotonicMs();
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
    const { ends, pieceBytes } = this.#options;
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
        // A copy: one buffer may be written to many links, and each receiver owns its chunk.
        const piece = new Uint8Array(item.rest.subarray(0, length));
        item.rest = item.rest.subarray(length);
        this.#bytes -= length;
        ends.onChunk(piece);
        return item.rest.length === 0;
      }
    }
  }
}
