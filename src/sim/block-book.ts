// The book of a world: every valid block that any node of the run stored, and the best chain among
// them. The chain auditor writes it; the other checks and byzantine nodes read it.

import type { HashHex, HeaderSummary } from "../types/chain.js";
import type { Consensus } from "../ports.js";

/** A valid block of the run. */
export interface BookBlock {
  readonly header: HeaderSummary;
  readonly headerBytes: Uint8Array;
  readonly bytes: Uint8Array;
  readonly parent: BookBlock | undefined;
}

/** What anybody may read of it at any time. */
export interface BlockBook {
  /** The head of the best chain that any node connected. */
  readonly best: BookBlock;
  get(hash: HashHex): BookBlock | undefined;
  /** All of them, genesis first, each after its parent. */
  blocks(): Iterable<BookBlock>;
  /** Of the best chain. */
  at(height: number): BookBlock | undefined;
  /** Whether a node connected it: its transactions fit the state, not only its own bytes. */
  isConnected(hash: HashHex): boolean;
}

export class BlockBookWriter<B extends BookBlock> implements BlockBook {
  readonly #prefers: Consensus["prefers"];
  readonly #blocks = new Map<HashHex, B>();
  readonly #connected = new Set<HashHex>();
  /** The best chain by height. */
  readonly #best: BookBlock[] = [];
  #bytes = 0;

  constructor({ prefers }: Pick<Consensus, "prefers">, genesis: B) {
    this.#prefers = prefers;
    this.put(genesis);
    this.#connected.add(genesis.header.hash);
    this.#best.push(genesis);
  }

  /** Genesis included. */
  get size(): number {
    return this.#blocks.size;
  }

  /** Encoded, of all blocks. */
  get bytes(): number {
    return this.#bytes;
  }

  get best(): BookBlock {
    return this.#best.at(-1) as BookBlock;
  }

  get(hash: HashHex): B | undefined {
    return this.#blocks.get(hash);
  }

  blocks(): Iterable<B> {
    return this.#blocks.values();
  }

  at(height: number): BookBlock | undefined {
    return this.#best[height];
  }

  isConnected(hash: HashHex): boolean {
    return this.#connected.has(hash);
  }

  put(block: B): void {
    this.#blocks.set(block.header.hash, block);
    this.#bytes += block.bytes.length;
  }

  connected(block: B): void {
    this.#connected.add(block.header.hash);
    if (!this.#prefers(block.header, this.best.header)) return;
    this.#best.length = Math.min(this.#best.length, block.header.height + 1);
    for (let at: BookBlock | undefined = block; at !== undefined; at = at.parent) {
      const height: number = at.header.height;
      if (this.#best[height] === at) break;
      this.#best[height] = at;
    }
  }
}
