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

/** Of the messages of a while. */
interface Told {
  came: number;
  dropped: number;
}

export class EarlyDrop {
  readonly #settings: DropSettings;
  #meanWaiting = 0;
  #ratio = 0;
  #lookedMs = -1;
  /** What is told of: this second's, and those of the one before. */
  #told: Told = { came: 0, dropped: 0 };
  #toldBefore: Told = { came: 0, dropped: 0 };
  #toldFromMs = -1;

  constructor(settings: DropSettings) {
    this.#settings = settings;
  }

  /** One more came while so many wait. True: it is dropped. */
  drops(waiting: number, random: Pick<Random, "float">): boolean {
    const told = this.#told;
    told.came++;
    const isDropped =
      waiting >= this.#settings.dropAll || (this.#ratio > 0 && random.float() < this.#ratio);
    if (isDropped) told.dropped++;
    return isDropped;
  }

  /** So many wait now: once in a while, for whatever comes until the next time. */
  look(waiting: number, nowMs: number): void {
    const { dropFrom, dropAll } = this.#settings;
    const passedMs = this.#lookedMs < 0 ? 0 : nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    this.#meanWaiting += (1 - Math.exp(-passedMs / MEAN_MS)) * (waiting - this.#meanWaiting);
    // What has been dealt with meanwhile keeps nothing out.
    const least = Math.min(this.#meanWaiting, waiting);
    const span = Math.max(1, dropAll - dropFrom);
    this.#ratio = Math.min(1, Math.max(0, (least - dropFrom) / span));
    if (this.#toldFromMs >= 0 && nowMs - this.#toldFromMs < MEAN_MS) return;
    this.#toldFromMs = nowMs;
    this.#toldBefore = this.#told;
    this.#told = { came: 0, dropped: 0 };
  }

  /** Of those that came in about the last second, 0 to 1; of none 0. */
  droppedPart(nowMs: number): number {
    // Nobody looked since: nothing came at all.
    if (this.#toldFromMs >= 0 && nowMs - this.#toldFromMs > 2 * MEAN_MS) return 0;
    const came = this.#told.came + this.#toldBefore.came;
    return came === 0 ? 0 : (this.#told.dropped + this.#toldBefore.dropped) / came;
  }
}
