// How many of a kind are dropped when more comes than is dealt with: by chance, the more of them the
// more wait (random early detection, Floyd and Jacobson 1993), so that whoever sends most loses most
// and nobody all. By the mean of about a second, since a burst that is soon dealt with harms nobody; beyond
// a bound all. Pure: the time and the chance are passed in.

import type { Random } from "../../ports.js";

/** By so long the mean is behind. */
const MEAN_MS = 1_000;

export interface DropSettings {
  /** Of those that wait: below it none is dropped. */
  readonly dropFrom: number;
  /** From it on all are. */
  readonly dropAll: number;
}

export class EarlyDrop {
  readonly #settings: DropSettings;
  #meanWaiting = 0;
  #ratio = 0;
  #nowMs = -1;
  /** Since the last look, then weighed down by time: what the told ratio is made of. */
  #came = 0;
  #dropped = 0;

  constructor(settings: DropSettings) {
    this.#settings = settings;
  }

  /** One more came while so many wait. True: it is dropped. */
  drops(waiting: number, random: Pick<Random, "float">): boolean {
    this.#came++;
    const isDropped =
      waiting >= this.#settings.dropAll || (this.#ratio > 0 && random.float() < this.#ratio);
    if (isDropped) this.#dropped++;
    return isDropped;
  }

  /** So many wait now: once in a while, for whatever comes until the next time. */
  look(waiting: number, nowMs: number): void {
    const { dropFrom, dropAll } = this.#settings;
    const passed = 1 - this.#kept(nowMs);
    this.#nowMs = nowMs;
    this.#meanWaiting += passed * (waiting - this.#meanWaiting);
    this.#came *= 1 - passed;
    this.#dropped *= 1 - passed;
    // What has been dealt with meanwhile keeps nothing out.
    const least = Math.min(this.#meanWaiting, waiting);
    const span = Math.max(1, dropAll - dropFrom);
    this.#ratio = Math.min(1, Math.max(0, (least - dropFrom) / span));
  }

  /** Of those that came in about the last second, 0 to 1. */
  droppedPart(nowMs: number): number {
    // Of less than one nothing can be said; both have aged alike.
    return this.#came * this.#kept(nowMs) < 1 ? 0 : this.#dropped / this.#came;
  }

  /** What a mean keeps of itself in the time since the last look. */
  #kept(nowMs: number): number {
    return this.#nowMs < 0 ? 1 : Math.exp(-Math.max(0, nowMs - this.#nowMs) / MEAN_MS);
  }
}
