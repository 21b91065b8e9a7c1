// A leaky bucket: it holds `burstItems` and drains `itemsPerSecond`. Counted in whole numbers, in
// microseconds and millionths of an item, so that both sides of a connection that count the same
// items reach the same verdict, and the last item of a full burst fits. Pure: the time is passed in.

export interface Rate {
  readonly itemsPerSecond: number;
  readonly burstItems: number;
}

/** What drains in a microsecond is `itemsPerSecond` of these. */
export const PARTS_PER_ITEM = 1_000_000;

/** What a bucket holds at most; a rate of nothing has no burst either: it takes nothing. */
export function burstPartsOf({ itemsPerSecond, burstItems }: Rate): number {
  return itemsPerSecond > 0 ? burstItems * PARTS_PER_ITEM : 0;
}

/** What of `parts` is left in a bucket after so long. */
export function drained(parts: number, itemsPerSecond: number, elapsedUs: number): number {
  // An empty bucket needs no product, which could be too large to be exact.
  const isEmpty = parts <= 0 || elapsedUs >= parts / itemsPerSecond;
  return isEmpty ? 0 : parts - elapsedUs * itemsPerSecond;
}

/** How long until a bucket that holds `over` too many parts no longer does. */
export function waitMsOf(over: number, itemsPerSecond: number): number {
  return over <= 0 ? 0 : Math.ceil(over / itemsPerSecond) / 1_000;
}

export class RateLimit {
  readonly #itemsPerSecond: number;
  readonly #burstParts: number;
  /** What the bucket held at `#atUs`. */
  #parts = 0;
  #atUs = 0;
  #atMs = 0;

  /** Both whole numbers below 2^32. */
  constructor(rate: Rate) {
    this.#itemsPerSecond = rate.itemsPerSecond;
    this.#burstParts = burstPartsOf(rate);
  }

  /** The most items that are ever taken at once. */
  get burstItems(): number {
    return this.#burstParts / PARTS_PER_ITEM;
  }

  /** Charges `items` and answers true, or charges nothing and answers false. */
  take(items: number, nowMs: number): boolean {
    // Many are counted in one turn, at one time: only the first of them pays for the call.
    if (nowMs !== this.#atMs) this.#drain(nowMs);
    const parts = this.#parts + items * PARTS_PER_ITEM;
    if (parts > this.#burstParts) return false;
    this.#parts = parts;
    return true;
  }

  /** How long until `items` have room; more than the burst have room in an empty bucket. */
  roomInMs(items: number, nowMs: number): number {
    if (nowMs !== this.#atMs) this.#drain(nowMs);
    const needed = Math.min(items * PARTS_PER_ITEM, this.#burstParts);
    return waitMsOf(this.#parts + needed - this.#burstParts, this.#itemsPerSecond);
  }

  /** What was used beyond what was taken, or (below 0) was not used: it may hold more than its burst. */
  charge(items: number): void {
    this.#parts = Math.max(0, this.#parts + items * PARTS_PER_ITEM);
  }

  /** How long until `items` would be taken; Infinity when they exceed the burst. */
  waitMs(items: number, nowMs: number): number {
    this.#drain(nowMs);
    const parts = items * PARTS_PER_ITEM;
    if (parts > this.#burstParts) return Number.POSITIVE_INFINITY;
    return waitMsOf(this.#parts + parts - this.#burstParts, this.#itemsPerSecond);
  }

  #drain(nowMs: number): void {
    this.#atMs = nowMs;
    const nowUs = Math.round(nowMs * 1_000);
    const elapsedUs = nowUs - this.#atUs;
    if (elapsedUs <= 0) return;
    this.#atUs = nowUs;
    this.#parts = drained(this.#parts, this.#itemsPerSecond, elapsedUs);
  }
}
