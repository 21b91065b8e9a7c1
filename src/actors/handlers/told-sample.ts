// What all who ask are told for a long time: a sample that was drawn once. Whoever could have it drawn
// anew at will would see which places came since, and so whom this node met. Pure.

import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { Endpoint } from "../../protocol/address.js";

export interface ToldSampleOptions {
  readonly sampleMs: number;
  /** Uniform in [0, 1). */
  readonly float: () => number;
}

/** A young node looks so often whether it knows twice as much. */
const LOOK_AGAIN_MS = 10_000;
/** A sample lasts between so much less and so much more than it should. */
const JITTER = 1 / 8;

export class ToldSample {
  readonly #options: ToldSampleOptions;
  #endpoints: readonly Endpoint[] = [];
  #version = 0;
  #endsMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ToldSampleOptions) {
    this.#options = options;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** 0: none was drawn yet; another one is higher. */
  get version(): number {
    return this.#version;
  }

  /** Another one is to be drawn, or at least looked at, before anybody is answered. */
  isDue(nowMs: number): boolean {
    if (nowMs >= this.#endsMs) return true;
    const isAll = this.#endpoints.length < ITEM_LIMITS.peersMax;
    return isAll && nowMs - this.#lookedMs >= LOOK_AGAIN_MS;
  }

  /**
   * What this node would tell now. It is told from now on if the former sample has ended, or was less
   * than a message holds and half of this at most: eight times in the time of one sample, and the
   * first nodes of a network find each other.
   */
  offer(endpoints: readonly Endpoint[], nowMs: number): void {
    this.#lookedMs = nowMs;
    const grew = endpoints.length > 0 && endpoints.length >= 2 * this.#endpoints.length;
    const isFull = this.#endpoints.length >= ITEM_LIMITS.peersMax;
    if (nowMs < this.#endsMs && (isFull || !grew)) return;
    // A sample that only grew ends when the first one of its time would have.
    if (nowMs >= this.#endsMs) this.#endsMs = nowMs + this.#lastsMs();
    this.#endpoints = endpoints.slice(0, ITEM_LIMITS.peersMax);
    this.#version++;
  }

  #lastsMs(): number {
    const { sampleMs, float } = this.#options;
    return sampleMs * (1 - JITTER + 2 * JITTER * float());
  }
}
