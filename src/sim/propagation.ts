// How news of blocks spreads: for every block and node, the time from the first store of the block
// anywhere to its store on this node. The world feeds it; the verdict and the scale report read it.

import type { HashHex } from "../chain/types.js";

/** Milliseconds of virtual time; 0 when no block reached a second node. */
export interface PropagationTimes {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export class Propagation {
  readonly #firstMs = new Map<HashHex, number>();
  readonly #delaysMs: number[] = [];

  /** A node has the block in its store; nodes that were down or apart count from the same start. */
  stored(hash: HashHex, atMs: number): void {
    const firstMs = this.#firstMs.get(hash);
    if (firstMs === undefined) this.#firstMs.set(hash, atMs);
    else this.#delaysMs.push(atMs - firstMs);
  }

  times(): PropagationTimes {
    const sorted = Float64Array.from(this.#delaysMs).sort();
    const at = (part: number): number => {
      const delayMs = sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
      return Math.round(delayMs * 10) / 10;
    };
    return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
  }
}
