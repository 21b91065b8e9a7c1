// BlockStore on a key-value engine: blocks by hash, the canonical index, the index of forks, undo
// data and consensus state. Used by the storage integration; the same code runs on LMDB and in
// memory, so the simulator exercises what production runs.

import { toLatin1 } from "../bytes/compare.js";
import { fromHex, toHex } from "../bytes/hex.js";
import type { HashHex, HeaderSummary } from "../types/chain.js";
import { CodedError, invariant } from "../errors.js";
import type {
  BlockStore,
  ChainCommit,
  CheckedTransactions,
  SideBlock,
  StagedCommit,
  StoredBlock,
} from "../ports.js";
import type { KeyValue, SharedKeyValue, Writes } from "./key-value.js";
import { decodeHeaderBytes, decodeSummary, encodeHeaderRecord } from "./summary-codec.js";
import { hashOfKey, heightKey, heightOfKey, KEY_BYTES_MAX, Table } from "./tables.js";

const HEAD_KEY = "head";
const NOTHING = new Uint8Array(0);
/** Keys dropped in one turn by `prune`, about 5 ms of work. */
const PRUNE_KEYS_MAX = 1_024;

/** Stages its own writes of a commit, once the canonical index shows the blocks. */
interface ChainIndex {
  extend(transactions: readonly CheckedTransactions[]): void;
}

/** Stages the genesis block in an empty engine. */
export function putGenesis(engine: KeyValue, genesis: StoredBlock): void {
  const { header, headerBytes, bytes } = genesis;
  invariant(header.height === 0, "genesis has height 0");
  engine.put(Table.headers, header.hash, encodeHeaderRecord(header, headerBytes));
  engine.put(Table.blocks, heightKey(0) + header.hash, bytes);
  engine.put(Table.canonical, heightKey(0), fromHex(header.hash));
  engine.put(Table.meta, HEAD_KEY, fromHex(header.hash));
}

export class KeyValueBlockStore implements BlockStore {
  /** Waits for every commit; the data directory is released when the last store has closed. */
  readonly close: () => Promise<void>;
  private readonly engine: KeyValue;
  private headSummary: HeaderSummary;
  /** The index that is part of every commit, if there is one. */
  private index: ChainIndex | undefined;

  /** Throws DATA_CORRUPT when the engine holds no head. */
  constructor(shared: SharedKeyValue) {
    this.engine = shared.engine;
    const hash = this.engine.get(Table.meta, HEAD_KEY);
    const head = hash && this.summary(toHex(hash));
    if (!head)
      throw new CodedError(
        "DATA_CORRUPT",
        "The block store is damaged: it has lost its head block.",
      );
    this.headSummary = head;
    this.close = shared.use();
  }

  /** From now on this index changes with the chain, in the same unit. */
  join(index: ChainIndex): void {
    this.index = index;
  }

  head(): HeaderSummary {
    return this.headSummary;
  }

  has(hash: HashHex): boolean {
    return this.engine.has(Table.headers, hash);
  }

  summary(hash: HashHex): HeaderSummary | undefined {
    const record = this.engine.get(Table.headers, hash);
    return record && decodeSummary(hash, record);
  }

  headerBytes(hash: HashHex): Uint8Array | undefined {
    const record = this.engine.get(Table.headers, hash);
    return record && decodeHeaderBytes(record);
  }

  block(hash: HashHex): Uint8Array | undefined {
    const key = this.keyOf(hash);
    return key === undefined ? undefined : this.engine.get(Table.blocks, key);
  }

  async readBlocks(hashes: readonly HashHex[], bytesMax: number): Promise<readonly Uint8Array[]> {
    const { engine } = this;
    const keys: string[] = [];
    for (const hash of hashes) {
      const key = this.keyOf(hash);
      if (key === undefined) break;
      keys.push(key);
    }
    if (engine.read !== undefined) return engine.read(Table.blocks, keys, bytesMax);
    const blocks: Uint8Array[] = [];
    let bytes = 0;
    for (const key of keys) {
      const block = engine.get(Table.blocks, key);
      if (block === undefined) break;
      bytes += block.length;
      if (blocks.length > 0 && bytes > bytesMax) break;
      blocks.push(block);
    }
    return blocks;
  }

  hashAt(height: number): HashHex | undefined {
    if (height < 0 || height > this.headSummary.height) return undefined;
    const hash = this.engine.get(Table.canonical, heightKey(height));
    return hash && toHex(hash);
  }

  undo(hash: HashHex): Uint8Array | undefined {
    const key = this.keyOf(hash);
    return key === undefined ? undefined : this.engine.get(Table.undo, key);
  }

  sideBlocks(): readonly SideBlock[] {
    return this.engine.keys(Table.forks, Infinity).flatMap((key) => {
      const header = this.summary(hashOfKey(key));
      const bytes = this.engine.get(Table.blocks, key)?.length ?? 0;
      return header === undefined ? [] : [{ header, bytes }];
    });
  }

  state(key: Uint8Array): Uint8Array | undefined {
    return this.engine.get(Table.state, toLatin1(key));
  }

  commit(commit: ChainCommit): Promise<void> {
    const refusal = this.engine.refusal();
    if (refusal) return Promise.reject(refusal);
    const fresh = new Map(commit.blocks.map(({ header }) => [header.hash, header]));
    const branch = this.checkedBranch(commit, fresh);
    for (const { header, headerBytes, bytes } of commit.blocks) {
      this.engine.put(Table.headers, header.hash, encodeHeaderRecord(header, headerBytes));
      this.engine.put(Table.blocks, heightKey(header.height) + header.hash, bytes);
    }
    for (const { hash, bytes } of commit.undo) {
      const { height } = fresh.get(hash) ?? this.summary(hash)!;
      this.engine.put(Table.undo, heightKey(height) + hash, bytes);
    }
    for (const { key, value } of commit.state) this.putState(key, value, this.engine);
    if (commit.canonical) this.replaceCanonical(commit.canonical.fromHeight, branch);
    for (const header of fresh.values()) {
      if (this.hashAt(header.height) === header.hash) continue;
      this.engine.put(Table.forks, heightKey(header.height) + header.hash, NOTHING);
    }
    for (const hash of commit.forgotten ?? []) this.forget(hash);
    this.index?.extend(commit.transactions ?? []);
    return this.engine.durable();
  }

  stage(fromHeight: number): StagedCommit {
    const writes = this.engine.stage();
    const oldHead = this.headSummary;
    let tip = this.summary(this.hashAt(fromHeight - 1)!)!;
    return {
      add: ({ state = [], hashes = [] }) => {
        for (const { key, value } of state) this.putState(key, value, writes);
        for (const hash of hashes) {
          const summary = this.summary(hash);
          invariant(summary?.previousHash === tip.hash, `canonical block ${hash} links`);
          this.abandon(summary.height, writes);
          tip = summary;
          writes.put(Table.canonical, heightKey(tip.height), fromHex(hash));
          writes.delete(Table.forks, heightKey(tip.height) + hash);
        }
      },
      commit: () => {
        const refusal = this.engine.refusal();
        if (refusal) return Promise.reject(refusal);
        invariant(this.headSummary === oldHead, "nothing else moved the head");
        for (let height = tip.height + 1; height <= oldHead.height; height++) {
          this.abandon(height, writes);
          writes.delete(Table.canonical, heightKey(height));
        }
        writes.put(Table.meta, HEAD_KEY, fromHex(tip.hash));
        this.headSummary = tip;
        return writes.commit();
      },
    };
  }

  async prune(height: number): Promise<void> {
    const before = heightKey(Math.max(0, height));
    for (;;) {
      const refusal = this.engine.refusal();
      if (refusal) throw refusal;
      const forks = this.engine.keys(Table.forks, PRUNE_KEYS_MAX, before);
      const undo = this.engine.keys(Table.undo, PRUNE_KEYS_MAX, before);
      for (const key of forks) {
        this.engine.delete(Table.forks, key);
        this.engine.delete(Table.blocks, key);
        this.engine.delete(Table.headers, hashOfKey(key));
      }
      for (const key of undo) this.engine.delete(Table.undo, key);
      await this.engine.durable();
      if (forks.length < PRUNE_KEYS_MAX && undo.length < PRUNE_KEYS_MAX) return;
    }
  }

  /** Walks the whole store and throws on the first contradiction: for tests and the simulator. */
  invariants(): void {
    let parent: HeaderSummary | undefined;
    for (let height = 0; height <= this.headSummary.height; height++) {
      const hash = this.hashAt(height);
      invariant(hash !== undefined, `height ${height} has a canonical block`);
      const summary = this.summary(hash);
      invariant(summary?.height === height, `the block at ${height} says its height`);
      invariant(this.block(hash), `the block at ${height} has its bytes`);
      const links = parent === undefined || summary.previousHash === parent.hash;
      invariant(links, `the block at ${height} links to its parent`);
      invariant(!this.engine.has(Table.forks, heightKey(height) + hash), `${height} is no fork`);
      parent = summary;
    }
    invariant(parent?.hash === this.headSummary.hash, "the head is the last canonical block");
    const canonical = this.engine.keys(Table.canonical, Infinity).length;
    invariant(canonical === this.headSummary.height + 1, "nothing is canonical above the head");
    const forks = this.engine.keys(Table.forks, Infinity);
    for (const key of forks) {
      invariant(this.has(hashOfKey(key)) && this.block(hashOfKey(key)), `fork ${key} is whole`);
    }
    const blocks = this.engine.keys(Table.blocks, Infinity).length;
    invariant(blocks === canonical + forks.length, "every block is canonical or a fork");
    invariant(blocks === this.engine.keys(Table.headers, Infinity).length, "a header a block");
    for (const key of this.engine.keys(Table.undo, Infinity)) {
      const height = this.summary(hashOfKey(key))?.height;
      invariant(height === heightOfKey(key), `undo data ${key} has its block`);
    }
  }

  private forget(hash: HashHex): void {
    const key = this.keyOf(hash);
    if (key === undefined) return;
    invariant(this.engine.has(Table.forks, key), `${hash} is a side block`);
    for (const table of [Table.forks, Table.blocks, Table.undo]) this.engine.delete(table, key);
    this.engine.delete(Table.headers, hash);
  }

  private keyOf(hash: HashHex): string | undefined {
    const record = this.engine.get(Table.headers, hash);
    return record && toHex(record.subarray(0, 6)) + hash;
  }

  /** Asserts the whole commit before anything of it is staged; returns the new branch. */
  private checkedBranch(
    commit: ChainCommit,
    fresh: ReadonlyMap<HashHex, HeaderSummary>,
  ): readonly HeaderSummary[] {
    for (const { hash } of commit.undo) {
      invariant(fresh.has(hash) || this.has(hash), `undo data belongs to a block, not to ${hash}`);
    }
    for (const { key } of commit.state) {
      invariant(key.length > 0 && key.length <= KEY_BYTES_MAX, "a state key has 1 to 255 bytes");
    }
    if (!commit.canonical) return [];
    const { fromHeight, hashes } = commit.canonical;
    invariant(fromHeight > 0, "genesis is never replaced");
    invariant(fromHeight <= this.headSummary.height + 1, "the canonical chain has no gap");
    let previousHash = this.hashAt(fromHeight - 1);
    return hashes.map((hash, index) => {
      const summary = fresh.get(hash) ?? this.summary(hash);
      invariant(summary, `canonical block ${hash} is stored`);
      invariant(summary.height === fromHeight + index, `canonical block ${hash} is at its height`);
      invariant(summary.previousHash === previousHash, `canonical block ${hash} links`);
      previousHash = hash;
      return summary;
    });
  }

  private putState(key: Uint8Array, value: Uint8Array | undefined, writes: Writes): void {
    if (value === undefined) writes.delete(Table.state, toLatin1(key));
    else writes.put(Table.state, toLatin1(key), value);
  }

  /** The canonical block of this height, if there is one, becomes a fork. */
  private abandon(height: number, writes: Writes): void {
    const hash = this.hashAt(height);
    if (hash !== undefined) writes.put(Table.forks, heightKey(height) + hash, NOTHING);
  }

  private replaceCanonical(fromHeight: number, branch: readonly HeaderSummary[]): void {
    for (let height = fromHeight; height <= this.headSummary.height; height++) {
      this.abandon(height, this.engine);
      this.engine.delete(Table.canonical, heightKey(height));
    }
    const base = this.hashAt(fromHeight - 1)!;
    for (const { height, hash } of branch) {
      this.engine.put(Table.canonical, heightKey(height), fromHex(hash));
      this.engine.delete(Table.forks, heightKey(height) + hash);
    }
    this.headSummary = branch.at(-1) ?? this.summary(base)!;
    this.engine.put(Table.meta, HEAD_KEY, fromHex(this.headSummary.hash));
  }
}
