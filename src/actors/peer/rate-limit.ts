// Generic cell rate algorithm (ITU-T I.371): a rate with a burst in one number per key. The count
// is checked before it is charged. Pure: the caller passes the time.

export interface Rate {
  readonly itemsPerSecond: number;
  readonly burstItems: number;
}

export class RateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  /** The theoretical arrival time of the next conforming item. */
  #arrivalMs = Number.NEGATIVE_INFINITY;

  constructor(rate: Rate) {
    this.#intervalMs = 1_000 / rate.itemsPerSecond;
    // A rate of nothing has no burst either: it takes nothing.
    this.#burstMs = rate.itemsPerSecond > 0 ? rate.burstItems * this.#intervalMs : 0;
  }

  /** Charges `items` and answers true, or charges nothing and answers false. */
  take(items: number, nowMs: number): boolean {
    if (this.waitMs(items, nowMs) > 0) return false;
    this.#arrivalMs = Math.max(this.#arrivalMs, nowMs) + items * this.#intervalMs;
    return true;
  }

  /** How long until `items` would be taken; Infinity when they exceed the burst. */
  waitMs(items: number, nowMs: number): number {
    if (items * this.#intervalMs > this.#burstMs) return Number.POSITIVE_INFINITY;
    const next = Math.max(this.#arrivalMs, nowMs) + items * this.#intervalMs;
    return Math.max(0, next - this.#burstMs - nowMs);
  }
}
