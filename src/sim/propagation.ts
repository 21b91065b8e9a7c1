// How news of blocks spreads: for every block and node, the time from the first store of the block
// anywhere to its store on this node. The world feeds it; the verdict and the scale report read it.

import type { HashHex, HeaderSummary } from "../types/chain.js";

/** Milliseconds of virtual time; 0 when no block reached a second node. */
export interface PropagationTimes {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

interface Spread {
  readonly height: number;
  readonly firstMs: number;
  /** By node, in order; 0 for the first. */
  readonly delaysMs: Map<string, number>;
}

export class Propagation {
  readonly #blocks = new Map<HashHex, Spread>();
  /** Different blocks by height. */
  readonly #rivals = new Map<number, number>();

  /**
   * A node has the block in its store; nodes that were down or apart count from the same start. One
   * that stores it again, after a crash, had it once.
   */
  stored(node: string, { hash, height }: HeaderSummary, atMs: number): void {
    const spread = this.#blocks.get(hash);
    if (spread !== undefined) {
      if (!spread.delaysMs.has(node)) spread.delaysMs.set(node, atMs - spread.firstMs);
      return;
    }
    this.#blocks.set(hash, { height, firstMs: atMs, delaysMs: new Map([[node, 0]]) });
    this.#rivals.set(height, (this.#rivals.get(height) ?? 0) + 1);
  }

  times(): PropagationTimes {
    return timesOf([...this.#blocks.values()]);
  }

  /**
   * Of blocks that were alone at their height. One that met a rival reaches the rival's followers
   * only when its branch wins, after another block: that is fork choice, not relay.
   */
  unrivalledTimes(): PropagationTimes {
    const alone = ({ height }: Spread): boolean => this.#rivals.get(height) === 1;
    return timesOf([...this.#blocks.values()].filter(alone));
  }

  /** Heights at which more than one block was made. */
  get racesCount(): number {
    let races = 0;
    for (const blocks of this.#rivals.values()) if (blocks > 1) races++;
    return races;
  }
}

function timesOf(blocks: readonly Spread[]): PropagationTimes {
  // The first entry is the node from which the time counts.
  const delays = blocks.flatMap(({ delaysMs }) => [...delaysMs.values()].slice(1));
  const sorted = Float64Array.from(delays).sort();
  const at = (part: number): number => {
    const delayMs = sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
    return Math.round(delayMs * 10) / 10;
  };
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}
