// What a store must answer, kept in plain maps, and made-up chains to fill both with.

import { createHash } from "node:crypto";
import type { ExecutionContext } from "ava";
import type { HeaderSummary } from "../../src/types/chain.js";
import type { BlockStore, ChainCommit, StateWrite, StoredBlock } from "../../src/ports.js";

/** A block whose hash depends on its parent and on `salt`, so that siblings differ. */
export function makeBlock(parent: HeaderSummary, salt: string, size = 300): StoredBlock {
  const hash = createHash("sha256").update(`${parent.hash} ${salt}`).digest("hex");
  const header = {
    hash,
    height: parent.height + 1,
    previousHash: parent.hash,
    timestampMs: parent.timestampMs + 1_000,
    difficulty: 1n << 70n,
    totalDifficulty: parent.totalDifficulty + (1n << 70n),
  };
  const bytes = bytesOf(`block ${hash} `.repeat(Math.ceil(size / 70)));
  return { header, headerBytes: bytesOf(`header ${hash}`), bytes };
}

export const GENESIS: StoredBlock = {
  header: {
    hash: createHash("sha256").update("genesis").digest("hex"),
    height: 0,
    previousHash: "0".repeat(64),
    timestampMs: 1_700_000_000_000,
    difficulty: 1n,
    totalDifficulty: 1n,
  },
  headerBytes: bytesOf("genesis header"),
  bytes: bytesOf("genesis"),
};

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

/** A commit that extends the canonical chain by these blocks. */
export function extension(blocks: readonly StoredBlock[], state: readonly StateWrite[] = []) {
  const commit: ChainCommit = {
    blocks,
    undo: blocks.map(({ header }) => ({ hash: header.hash, bytes: bytesOf(`u${header.hash}`) })),
    canonical: {
      fromHeight: blocks[0]!.header.height,
      hashes: blocks.map(({ header }) => header.hash),
    },
    state,
  };
  return commit;
}

export class ChainModel {
  readonly blocks = new Map<string, StoredBlock>();
  readonly undo = new Map<string, Uint8Array>();
  readonly state = new Map<string, Uint8Array>();
  canonical: string[] = [];
  /** Everything that ever was, to ask for what must be gone too. */
  private readonly hashes = new Set<string>();
  private readonly stateKeys = new Set<string>();

  constructor() {
    this.blocks.set(GENESIS.header.hash, GENESIS);
    this.canonical.push(GENESIS.header.hash);
    this.hashes.add(GENESIS.header.hash);
  }

  clone(): ChainModel {
    const copy = new ChainModel();
    for (const [key, value] of this.blocks) copy.blocks.set(key, value);
    for (const [key, value] of this.undo) copy.undo.set(key, value);
    for (const [key, value] of this.state) copy.state.set(key, value);
    copy.canonical = [...this.canonical];
    for (const hash of this.hashes) copy.hashes.add(hash);
    for (const key of this.stateKeys) copy.stateKeys.add(key);
    return copy;
  }

  head(): HeaderSummary {
    return this.blocks.get(this.canonical.at(-1)!)!.header;
  }

  forks(): StoredBlock[] {
    return [...this.blocks.values()].filter(
      ({ header }) => this.canonical[header.height] !== header.hash,
    );
  }

  apply(commit: ChainCommit): void {
    for (const block of commit.blocks) {
      this.blocks.set(block.header.hash, block);
      this.hashes.add(block.header.hash);
    }
    for (const { hash, bytes } of commit.undo) this.undo.set(hash, bytes);
    for (const { key, value } of commit.state) {
      const name = Buffer.from(key).toString("hex");
      this.stateKeys.add(name);
      if (value) this.state.set(name, value);
      else this.state.delete(name);
    }
    if (commit.canonical) {
      const { fromHeight, hashes } = commit.canonical;
      this.canonical = [...this.canonical.slice(0, fromHeight), ...hashes];
    }
    for (const hash of commit.forgotten ?? []) {
      this.blocks.delete(hash);
      this.undo.delete(hash);
    }
  }

  prune(height: number): void {
    for (const hash of [...this.undo.keys()]) {
      if (this.blocks.get(hash)!.header.height < height) this.undo.delete(hash);
    }
    for (const { header } of this.forks()) {
      if (header.height < height) this.blocks.delete(header.hash);
    }
  }

  /** Asks the store everything that the model knows. */
  check(t: ExecutionContext, store: BlockStore & { invariants(): void }): void {
    t.deepEqual(store.head(), this.head());
    for (let height = -1; height <= this.canonical.length; height++) {
      t.is(store.hashAt(height), this.canonical[height]);
    }
    for (const hash of this.hashes) {
      const block = this.blocks.get(hash);
      t.is(store.has(hash), block !== undefined);
      t.deepEqual(store.summary(hash), block?.header);
      t.deepEqual(store.headerBytes(hash), block?.headerBytes);
      t.deepEqual(store.block(hash), block?.bytes);
      t.deepEqual(store.undo(hash), this.undo.get(hash));
    }
    const bySize = (list: readonly { header: HeaderSummary; bytes: number }[]) =>
      list.map(({ header, bytes }) => `${header.hash} ${bytes}`).toSorted();
    const forks = this.forks().map(({ header, bytes }) => ({ header, bytes: bytes.length }));
    t.deepEqual(bySize(store.sideBlocks?.() ?? []), bySize(forks));
    for (const name of this.stateKeys) {
      t.deepEqual(store.state(new Uint8Array(Buffer.from(name, "hex"))), this.state.get(name));
    }
    t.notThrows(() => store.invariants());
  }
}
