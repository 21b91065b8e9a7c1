// The least price that a mempool takes after it was full: above what gave way last, halving with
// time (Bitcoin Core's rolling minimum fee is the idea). What comes below it would only push out, and
// be pushed out by, its like: every peer would pass it on, and nobody would ever pay for that. Pure.

/** Below this it is no price any more. */
const LEAST = 1;

export class RollingFloor {
  readonly #halfLifeMs: number;
  #price = 0;
  #sinceMs = 0;

  /** 0: nothing is remembered. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** Something that paid `price` gave way to what pays more. */
  raise(price: bigint, nowMs: number): void {
    if (this.#halfLifeMs === 0) return;
    this.#price = Math.max(Number(price + 1n), this.at(nowMs));
    this.#sinceMs = nowMs;
  }

  /** 0 once it is forgotten. A number: of prices above 2^53 the last digits do not matter here. */
  at(nowMs: number): number {
    if (this.#price === 0) return 0;
    const price = this.#price * 2 ** (-Math.max(0, nowMs - this.#sinceMs) / this.#halfLifeMs);
    return price < LEAST ? 0 : price;
  }
}
