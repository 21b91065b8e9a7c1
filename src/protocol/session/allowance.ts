// A bucket of items and one of bytes, as one: what is taken must fit both. Each message is counted in
// up to three of them, so they are asked in one call and drained together. Pure: the time is passed in.

import type { FullRate } from "../kinds/limits.js";
import { timesRate } from "./quotas.js";
import { burstPartsOf, drained, PARTS_PER_ITEM, waitMsOf } from "./rate-limit.js";

export class Allowance {
  readonly #itemsPerSecond: number;
  readonly #bytesPerSecond: number;
  readonly #burstItemParts: number;
  readonly #burstByteParts: number;
  /** What the buckets held at `#atUs`. */
  #itemParts = 0;
  #byteParts = 0;
  #atUs = 0;
  #atMs = 0;

  /** So many times the rate, and so many times the burst. */
  constructor(rate: FullRate, rateTimes = 1, burstTimes = rateTimes) {
    const { itemsPerSecond, burstItems, bytesPerSecond, burstBytes } = timesRate(
      rate,
      rateTimes,
      burstTimes,
    );
    this.#itemsPerSecond = itemsPerSecond;
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstItemParts = burstPartsOf({ itemsPerSecond, burstItems });
    this.#burstByteParts = burstPartsOf({ itemsPerSecond: bytesPerSecond, burstItems: burstBytes });
  }

  /** Charges both and answers true, or neither and answers false. */
  take(items: number, bytes: number, nowMs: number): boolean {
    // Many are counted in one turn, at one time: only the first of them pays for the call.
    if (nowMs !== this.#atMs) this.#drain(nowMs);
    const itemParts = this.#itemParts + items * PARTS_PER_ITEM;
    const byteParts = this.#byteParts + bytes * PARTS_PER_ITEM;
    if (itemParts > this.#burstItemParts || byteParts > this.#burstByteParts) return false;
    this.#itemParts = itemParts;
    this.#byteParts = byteParts;
    return true;
  }

  /** How long until that would be taken; Infinity when it exceeds a burst. */
  waitMs(items: number, bytes: number, nowMs: number): number {
    this.#drain(nowMs);
    const itemParts = items * PARTS_PER_ITEM;
    const byteParts = bytes * PARTS_PER_ITEM;
    if (itemParts > this.#burstItemParts || byteParts > this.#burstByteParts) {
      return Number.POSITIVE_INFINITY;
    }
    const itemsOver = this.#itemParts + itemParts - this.#burstItemParts;
    const bytesOver = this.#byteParts + byteParts - this.#burstByteParts;
    return Math.max(
      waitMsOf(itemsOver, this.#itemsPerSecond),
      waitMsOf(bytesOver, this.#bytesPerSecond),
    );
  }

  #drain(nowMs: number): void {
    this.#atMs = nowMs;
    const nowUs = Math.round(nowMs * 1_000);
    const elapsedUs = nowUs - this.#atUs;
    if (elapsedUs <= 0) return;
    this.#atUs = nowUs;
    this.#itemParts = drained(this.#itemParts, this.#itemsPerSecond, elapsedUs);
    this.#byteParts = drained(this.#byteParts, this.#bytesPerSecond, elapsedUs);
  }
}
