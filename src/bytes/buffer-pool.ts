// Large buffers that are filled again and again: a fresh one costs page faults and cold caches.
// Whoever gives one back must be sure that nobody reads it any more. Used by the peer handlers for
// what they write.

import { Slab } from "./slab.js";
import { uninitialised } from "./uninitialised.js";

export class BufferPool {
  readonly #bufferBytes: number;
  readonly #freeMax: number;
  readonly #free: ArrayBufferLike[] = [];
  /** For what is small and not given back. */
  readonly #small: Slab;

  constructor(options: { readonly bufferBytes: number; readonly freeMax: number }) {
    this.#bufferBytes = options.bufferBytes;
    this.#freeMax = options.freeMax;
    this.#small = new Slab(Math.ceil(options.bufferBytes / 8));
  }

  /** Holds anything. Up to half a buffer is made to measure: many of them may wait at a time. */
  take(bytes: number): Uint8Array {
    if (this.#small.fits(bytes)) return this.#small.take(bytes);
    const bufferBytes = this.#bufferBytes;
    if (2 * bytes <= bufferBytes || bytes > bufferBytes) return uninitialised(bytes);
    return new Uint8Array(this.#free.pop() ?? uninitialised(bufferBytes).buffer, 0, bytes);
  }

  /** Takes back what `take` gave, or a part of it; once. */
  give({ buffer }: Uint8Array): void {
    if (buffer.byteLength !== this.#bufferBytes || this.#free.length >= this.#freeMax) return;
    this.#free.push(buffer);
  }
}
