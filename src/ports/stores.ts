// What outlives the process: blocks and state, the transaction index, bans, what waits for a block.

import type { HashHex, HeaderSummary } from "../types/chain.js";
import type { PeerId } from "../types/peer-id.js";

/** One key of consensus state; undefined deletes it. */
export interface StateWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface StoredBlock {
  readonly header: HeaderSummary;
  /** The encoded header, kept apart too: headers are served without reading their blocks. */
  readonly headerBytes: Uint8Array;
  /** The encoded block. */
  readonly bytes: Uint8Array;
}

/** A stored block beside the canonical chain. */
export interface SideBlock {
  readonly header: HeaderSummary;
  /** The length of the encoded block. */
  readonly bytes: number;
}

/** All of it happens or none: a change of the canonical chain, or a fork block set aside. */
export interface ChainCommit {
  readonly blocks: readonly StoredBlock[];
  /** Undo data of the blocks that this commit connects, by block hash. */
  readonly undo: readonly { readonly hash: HashHex; readonly bytes: Uint8Array }[];
  /** Canonical hashes from `fromHeight` upward; what stood there and above is replaced. */
  readonly canonical?: { readonly fromHeight: number; readonly hashes: readonly HashHex[] };
  /** Side blocks that the store is to forget, headers included; none has a child that stays. */
  readonly forgotten?: readonly HashHex[];
  readonly state: readonly StateWrite[];
  /** Of the blocks that extend the chain: for an index that is part of the store's commits. */
  readonly transactions?: readonly CheckedTransactions[];
}

/**
 * A commit that replaces the canonical chain from some height, prepared over many turns: nothing of
 * it is seen before `commit`. Meanwhile nothing else changes the chain.
 */
export interface StagedCommit {
  /** Writes of state, the last of a key counts; the next canonical hashes, ascending. */
  add(part: { readonly state?: readonly StateWrite[]; readonly hashes?: readonly HashHex[] }): void;
  /** As BlockStore's `commit`. */
  commit(): Promise<void>;
}

/**
 * The chain as everybody reads it: the part of a block store that changes nothing. Reads see a commit
 * as soon as it was called for, before it is durable.
 */
export interface ChainView {
  /** The head of the canonical chain; never absent: genesis is put at opening. */
  head(): HeaderSummary;
  has(hash: HashHex): boolean;
  summary(hash: HashHex): HeaderSummary | undefined;
  /** The encoded header; a copy that the caller owns. */
  headerBytes(hash: HashHex): Uint8Array | undefined;
  /** A copy that the caller owns. */
  block(hash: HashHex): Uint8Array | undefined;
  /**
   * The leading ones of these blocks as far as they are stored and fit into `bytesMax` together, the
   * first one always. Copies that the caller owns, each in a buffer of its own. The event loop waits
   * for no disk meanwhile. Optional: without it `block` is asked, and one block is one turn.
   */
  readBlocks?(hashes: readonly HashHex[], bytesMax: number): Promise<readonly Uint8Array[]>;
  hashAt(height: number): HashHex | undefined;
  state(key: Uint8Array): Uint8Array | undefined;
}

/**
 * Blocks by hash, the canonical index, undo data and consensus state. The consensus integration alone
 * writes to it; the promise of a `commit` resolves when it is durable.
 */
export interface BlockStore extends ChainView {
  undo(hash: HashHex): Uint8Array | undefined;
  /** All side blocks: asked once at the start. Absent: what lies there from before is not counted. */
  sideBlocks?(): readonly SideBlock[];
  /** Rejects with STORE_FAILED; the store then keeps rejecting until it is opened again. */
  commit(commit: ChainCommit): Promise<void>;
  /**
   * Begins a commit of canonical blocks from `fromHeight` up, all of them stored. Optional: without
   * it a reorganisation is one `commit`, in one turn of the event loop.
   */
  stage?(fromHeight: number): StagedCommit;
  /** Forgets fork blocks and undo data of blocks below `height`. Canonical blocks stay. */
  prune(height: number): Promise<void>;
  close(): Promise<void>;
}

export interface TransactionLocation {
  readonly blockHash: HashHex;
  readonly index: number;
}

/**
 * The optional index from transaction id to the block that confirmed it. It may lag behind the
 * chain: who keeps it in step takes it back to the chain and then forward, at every start too.
 */
export interface TxStore {
  /**
   * A hint, to be checked in that block: the index may keep only a part of each id, and may keep
   * what an abandoned block held.
   */
  locate(id: Uint8Array): TransactionLocation | undefined;
  /** The height up to which blocks are indexed; -1 when empty. */
  indexedHeight(): number;
  /**
   * The block at that height, by which a start finds out whether it was abandoned meanwhile. Absent:
   * the index must have followed every change of the chain.
   */
  indexedHash?(): HashHex | undefined;
  /** The block after the last indexed one. */
  connect(block: CheckedTransactions): Promise<void>;
  /** The last indexed one; not called when there is `rewind`. */
  disconnect(block: CheckedTransactions): Promise<void>;
  /** Forgets at once what is indexed above the canonical block at `height`; -1: all of it. */
  rewind?(height: number): Promise<void>;
  close(): Promise<void>;
}

export interface CheckedTransactions {
  readonly blockHash: HashHex;
  readonly height: number;
  /** 32 bytes each. */
  readonly transactionIds: Uint8Array;
}

export interface BanRecord {
  readonly peerId: PeerId;
  readonly untilWallMs: number;
  /** The event that brought it; in records of older versions a text of all that is known. */
  readonly reason: string;
  /** The rule that was broken, and how, as far as that is known. */
  readonly rule?: string;
  readonly detail?: string;
  /** How often this peer was banned: the next ban doubles. */
  readonly count: number;
  /** Spoken by the operator, not by reputation: it lasts as they said. */
  readonly by?: "operator";
}

/** Where a peer was dialed and found. */
export interface StoredEndpoint {
  /** The text of an endpoint. */
  readonly address: string;
  /** When it was found there last, milliseconds since 1970 UTC. */
  readonly readyWallMs: number;
}

/** What is kept of one peer over a restart: at least one of these. */
export interface PeerRecord {
  readonly peerId: PeerId;
  /** In force, or over and remembered. */
  readonly ban?: Omit<BanRecord, "peerId">;
  /** The latest first. */
  readonly endpoints?: readonly StoredEndpoint[];
  /** By the operator while the node ran, beside those of the configuration. */
  readonly trusted?: true;
}

/** A part of the address book, in a form of its own. */
export interface AddressPage {
  /** At most 16 characters: letters, digits and `-`. */
  readonly name: string;
  /** Some KiB; empty: there is no such page. */
  readonly text: string;
}

/** What a node remembers of addresses: one page a bucket, some hundred to a few thousand. */
export interface AddressStore {
  /** Asked once at each start of the network. */
  pages(): readonly AddressPage[];
  /** In place of the pages of these names. */
  write(pages: readonly AddressPage[]): Promise<void>;
}

/**
 * What a node remembers of its peers: a few thousand records at most. What it throws, rejects with or
 * answers against these types is logged and costs what it was about, nothing else.
 */
export interface PeerStore {
  /** Asked once at each start of the network. */
  records(): readonly PeerRecord[];
  /** In place of what is stored of that peer. */
  put(record: PeerRecord): Promise<void>;
  delete(peerId: PeerId): Promise<void>;
  /** Absent: of the address book the next start knows what is in the records. */
  readonly addresses?: AddressStore;
  close(): Promise<void>;
}

/** A part of what waits in the mempool, in a form of its own. */
export interface MempoolPage {
  /** Twelve digits, which rise. */
  readonly name: string;
  /** Some ten KiB; undefined: there is no such page any more. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * What waits in the mempool, over a restart: a few hundred pages, about as many bytes as it may hold.
 * What it throws, rejects with or answers against these types is logged and costs what it was about.
 */
export interface MempoolStore {
  /** The names of all pages. Asked once at each start of the network. */
  names(): readonly string[];
  /** Undefined: there is none. The event loop waits for no disk meanwhile. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** All of them or none; the bytes belong to the store from then on. Resolves when it is durable. */
  write(pages: readonly MempoolPage[]): Promise<void>;
  close(): Promise<void>;
}
