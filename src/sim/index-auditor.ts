// Holds the transaction index of a node against its chain: every transaction of a canonical block is
// found there, and it knows whose blocks were abandoned. The world owns one, which remembers the ids
// of all blocks of the run.

import { toHex } from "../bytes/hex.js";
import type { ChainRules, HashHex } from "../types/chain.js";
import type { BlockStore, TxStore } from "../ports.js";
import type { BlockBook, BookBlock } from "./block-book.js";

export interface IndexedStores {
  readonly blocks: Pick<BlockStore, "head" | "hashAt">;
  readonly transactions: Pick<TxStore, "indexedHash" | "indexedHeight" | "locate">;
}

type Blocks = Pick<BlockBook, "get" | "blocks">;
type Rules = Pick<ChainRules, "splitBlock" | "readTransaction">;

export class IndexAuditor {
  readonly #book: Blocks;
  readonly #rules: Rules;
  readonly #ids = new Map<HashHex, readonly Uint8Array[]>();

  constructor(book: Blocks, rules: Rules) {
    this.#book = book;
    this.#rules = rules;
  }

  /**
   * What is wrong up to where the index says that it is, in one clause; undefined: nothing, or it
   * stands on a block that the chain has left, and still follows.
   */
  audit({ blocks, transactions }: IndexedStores): string | undefined {
    const head = blocks.head();
    const indexed = transactions.indexedHeight();
    const tip = transactions.indexedHash?.();
    if (tip !== undefined && blocks.hashAt(indexed) !== tip) return undefined;
    if (indexed > head.height) return `it ends at ${indexed}, the chain at ${head.height}`;
    for (let height = 0; height <= indexed; height++) {
      const hash = blocks.hashAt(height) as HashHex;
      for (const [index, id] of this.#idsOf(this.#book.get(hash)).entries()) {
        const found = transactions.locate(id);
        if (found?.blockHash === hash && found.index === index) continue;
        return `transaction ${toHex(id)} of block ${hash} at ${height} is not found there`;
      }
    }
    return undefined;
  }

  /** Ids of transactions that are in stored blocks, and in none of this chain. */
  abandoned(blocks: Pick<BlockStore, "hashAt">): readonly HashHex[] {
    const canonical = new Set<HashHex>();
    const others = new Set<HashHex>();
    for (const block of this.#book.blocks()) {
      const { hash, height } = block.header;
      const ids = blocks.hashAt(height) === hash ? canonical : others;
      for (const id of this.#idsOf(block)) ids.add(toHex(id));
    }
    return [...others].filter((id) => !canonical.has(id));
  }

  #idsOf(block: BookBlock | undefined): readonly Uint8Array[] {
    if (block === undefined) return [];
    let ids = this.#ids.get(block.header.hash);
    if (ids === undefined) {
      const parts = this.#rules.splitBlock(block.bytes);
      ids = (parts.ok ? parts.value.transactions : []).flatMap((bytes) => {
        const read = this.#rules.readTransaction(bytes);
        return read.ok ? [read.value.id.slice()] : [];
      });
      this.#ids.set(block.header.hash, ids);
    }
    return ids;
  }
}
