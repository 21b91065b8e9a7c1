// How the transaction index follows the chain: back to the last block that both have, then forward,
// a part of a block in each turn. So a crash, a reorganisation, or a time without the index needs
// nothing of its own. Owned by the storage integration.

import type { HashHex } from "../../types/chain.js";
import type { TxStore } from "../../ports.js";
import { BlockTransactions, type BlockReadEnv } from "./block-transactions.js";
import type { ChainChanged } from "./chain-events.js";

/** The last indexed block; height -1 and no hash: nothing is indexed. */
interface Tip {
  readonly height: number;
  readonly hash: HashHex | undefined;
}

/** A block whose ids are being read. */
interface Reading {
  readonly height: number;
  readonly hash: HashHex;
  /** Whether it is to be indexed or taken back. */
  readonly forward: boolean;
  /** Absent while the block is read. */
  transactions?: BlockTransactions;
  ids: Uint8Array;
  filled: number;
}

const NO_IDS = new Uint8Array(0);
const NOTHING: Tip = { height: -1, hash: undefined };

export class IndexFollower {
  readonly #store: TxStore;
  readonly #env: BlockReadEnv;
  #tip: Tip = NOTHING;
  #reading: Reading | undefined;

  constructor(store: TxStore, env: BlockReadEnv) {
    this.#store = store;
    this.#env = env;
    this.#readTip();
  }

  /** Of the last indexed block. */
  get height(): number {
    return this.#tip.height;
  }

  get behind(): boolean {
    const { blocks } = this.#env;
    return this.#tip.height < blocks.head().height || !this.#isCanonical(this.#tip);
  }

  /** A block that is to be read and handed in before there is another step. */
  get wanted(): HashHex | undefined {
    return this.#reading?.transactions === undefined ? this.#reading?.hash : undefined;
  }

  /** The wanted block; undefined: it cannot be read, and counts as one without transactions. */
  read(block: Uint8Array | undefined): void {
    const transactions = new BlockTransactions(block, this.#env);
    this.#reading!.transactions = transactions;
    this.#reading!.ids = new Uint8Array(32 * transactions.count);
  }

  /**
   * The chain changed. `settled`: the index acknowledged all that it was given. The promises, here
   * and of `step`, are those of the index's writes.
   */
  changed({ connected }: ChainChanged, settled: boolean): readonly Promise<void>[] {
    // It may be part of the chain's commits, and may have failed at what it was given.
    if (settled && this.#store.indexedHash !== undefined) this.#readTip();
    const writes: Promise<void>[] = [];
    if (this.#reading !== undefined) return writes;
    for (const { header, transactionIds } of connected) {
      const { hash, height } = header;
      const follows = height === this.#tip.height + 1 && this.#isCanonical(this.#tip);
      if (!follows || transactionIds === undefined || !this.#isCanonical(header)) break;
      writes.push(this.#connect({ blockHash: hash, height, transactionIds }));
    }
    return writes;
  }

  /** One step: a part of a block is read, or the index changes. */
  step(): readonly Promise<void>[] {
    if (this.#reading !== undefined) return this.#readOn(this.#reading);
    const { blocks } = this.#env;
    if (!this.#isCanonical(this.#tip)) return this.#stepBack();
    const height = this.#tip.height + 1;
    const hash = blocks.hashAt(height);
    return hash === undefined ? [] : this.#begin({ height, hash }, true);
  }

  #readTip(): void {
    const { blocks } = this.#env;
    const height = this.#store.indexedHeight();
    const hash = this.#store.indexedHash?.();
    if (hash !== undefined) this.#tip = { height, hash };
    else if (this.#store.indexedHash !== undefined || height < 0) this.#tip = NOTHING;
    else {
      // An index without hashes is taken at its word.
      const known = Math.min(height, blocks.head().height);
      this.#tip = { height: known, hash: blocks.hashAt(known) };
    }
  }

  #isCanonical({ height, hash }: Tip): boolean {
    return this.#env.blocks.hashAt(height) === hash;
  }

  /** From an abandoned block toward the chain. */
  #stepBack(): readonly Promise<void>[] {
    const { blocks } = this.#env;
    const hash = this.#tip.hash;
    let header = hash === undefined ? undefined : blocks.summary(hash);
    if (this.#store.rewind === undefined && header !== undefined) return this.#begin(header, false);
    while (header !== undefined && !this.#isCanonical(header)) {
      header = blocks.summary(header.previousHash);
    }
    // Of a branch that the store has forgotten nobody can say where it began.
    this.#tip = header === undefined ? NOTHING : { height: header.height, hash: header.hash };
    return this.#store.rewind === undefined ? [] : [this.#store.rewind(this.#tip.height)];
  }

  #begin(
    { height, hash }: { readonly height: number; readonly hash: HashHex },
    forward: boolean,
  ): readonly Promise<void>[] {
    this.#reading = { height, hash, forward, ids: NO_IDS, filled: 0 };
    return [];
  }

  #readOn(reading: Reading): readonly Promise<void>[] {
    const { height, hash, forward, transactions, ids } = reading;
    if (transactions === undefined) return [];
    for (const { id } of transactions.slice()) {
      if (id !== undefined) ids.set(id, 32 * reading.filled);
      reading.filled++;
    }
    if (!transactions.done) return [];
    this.#reading = undefined;
    const block = { blockHash: hash, height, transactionIds: ids };
    if (forward) {
      // The chain may have left this block while it was read.
      const follows = height === this.#tip.height + 1 && this.#isCanonical(this.#tip);
      return follows && this.#isCanonical({ height, hash }) ? [this.#connect(block)] : [];
    }
    const previousHash = this.#env.blocks.summary(hash)?.previousHash;
    this.#tip = previousHash === undefined ? NOTHING : { height: height - 1, hash: previousHash };
    return [this.#store.disconnect(block)];
  }

  #connect(block: Parameters<TxStore["connect"]>[0]): Promise<void> {
    this.#tip = { height: block.height, hash: block.blockHash };
    return this.#store.connect(block);
  }
}
