// A leaky bucket: it holds `burstItems` and drains `itemsPerSecond`. Counted in whole numbers, in
// microseconds and millionths of an item, so that both sides of a connection that count the same
// items reach the same verdict, and the last item of a full burst fits. Pure: the time is passed in.

export interface Rate {
  readonly itemsPerSecond: number;
  readonly burstItems: number;
}

/** What drains in a microsecond is `itemsPerSecond` of these. */
const PARTS_PER_ITEM = 1_000_000;

export class RateLimit {
  readonly #itemsPerSecond: number;
  readonly #burstParts: number;
  /** What the bucket held at `#atUs`. */
  #parts = 0;
  #atUs = 0;
  #atMs = 0;

  /** Both whole numbers below 2^32; a rate of nothing has no burst either: it takes nothing. */
  constructor({ itemsPerSecond, burstItems }: Rate) {
    this.#itemsPerSecond = itemsPerSecond;
    this.#burstParts = itemsPerSecond > 0 ? burstItems * PARTS_PER_ITEM : 0;
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
    this.#drain(nowMs);
    const needed = Math.min(items * PARTS_PER_ITEM, this.#burstParts);
    return this.#waitMs(this.#parts + needed - this.#burstParts);
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
    return this.#waitMs(this.#parts + parts - this.#burstParts);
  }

  #waitMs(over: number): number {
    return over <= 0 ? 0 : Math.ceil(over / this.#itemsPerSecond) / 1_000;
  }

  #drain(nowMs: number): void {
    this.#atMs = nowMs;
    const nowUs = Math.round(nowMs * 1_000);
    const elapsedUs = nowUs - this.#atUs;
    if (elapsedUs <= 0) return;
    this.#atUs = nowUs;
    // An empty bucket needs no product, which could be too large to be exact.
    const isEmpty = this.#parts <= 0 || elapsedUs >= this.#parts / this.#itemsPerSecond;
    this.#parts = isEmpty ? 0 : this.#parts - elapsedUs * this.#itemsPerSecond;
  }
}
