// The ports: every capability that an actor can be given, as types only. Adapters live in
// transport/, storage/, workers/ and runtime/; compose.ts is where they meet.

import type {
  BlockParts,
  CheckedBlock,
  Checked,
  ChainRules,
  Fault,
  HashHex,
  HeaderSummary,
  RulesModule,
} from "./chain/types.js";
import type { Endpoint } from "./protocol/address.js";
import type { OwnProtocol } from "./protocol/kinds/own.js";

export type { OwnKindLimits, OwnProtocol } from "./protocol/kinds/own.js";

/** The ed25519 public key of a node in lower-case hex, 64 characters. */
export type PeerId = string;

// ---- time and chance -------------------------------------------------------------------------

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Never goes back; for deadlines and durations. Milliseconds, fractions allowed. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC; for timestamps and bans only. */
  wallMs(): number;
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform in [0, 2^32). */
  uint32(): number;
  bytes(count: number): Uint8Array;
}

// ---- transport -------------------------------------------------------------------------------

export type Direction = "inbound" | "outbound";

/** Why a transport refused or ended a connection before it reached an actor. */
export type RefusalRule =
  | "pending-limit"
  | "address-rate"
  | "handshake-timeout"
  | "tls-failed"
  | "no-certificate"
  | "certificate-key-type"
  | "small-order-key"
  | "alpn"
  | "session-reused"
  /** More bytes than a handshake needs. */
  | "tls-handshake-size"
  /** Too many TLS records without data. */
  | "tls-records";

/** What a connection reports. Handlers are called from the event loop, never re-entrantly. */
export interface ConnectionHandler {
  /** `chunk` belongs to the receiver, who may keep it: its ArrayBuffer is its own. */
  onData(chunk: Uint8Array): void;
  /** After a `write` that returned false: it may write again. */
  onDrain(): void;
  /** Exactly once, last. `error` is absent for an orderly end; `broken`: the peer's fault. */
  onClose(error?: Error, broken?: { readonly rule: RefusalRule; readonly detail: string }): void;
}

/** An authenticated, encrypted byte stream to one peer, ordered and reliable. */
export interface Connection {
  readonly peerId: PeerId;
  readonly direction: Direction;
  /** This end and the other as seen by this side; a host is whatever the transport calls it. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Monotonic time at which the raw connection was accepted or dialed. */
  readonly openedAtMs: number;
  /** Bytes written but not yet taken by the kernel. */
  readonly bufferedBytes: number;
  /** Attaches the handler and starts reading; called once. */
  open(handler: ConnectionHandler): void;
  /**
   * Takes ownership of `chunk`; gives it back by `onTaken` when nothing of it is needed any more,
   * or never when the connection ends before. False: the buffer is over its mark, wait for onDrain.
   */
  write(chunk: Uint8Array, onTaken?: () => void): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then ends; destroyed after a bounded wait. */
  close(): void;
  destroy(): void;
}

export interface ListenHandler {
  onConnection(connection: Connection): void;
  /** A raw connection that broke a rule before it became a Connection. */
  onRefused(refusal: { remoteAddress: string; rule: RefusalRule; detail: string }): void;
}

export interface TransportListener {
  /** The bound address, with the real port. */
  readonly address: string;
  /** Stops accepting; established connections stay. */
  close(): Promise<void>;
}

export interface DialOptions {
  readonly timeoutMs: number;
  /** Refuse any other identity with DIAL_FAILED. */
  readonly expectPeerId?: PeerId;
}

export interface Transport {
  /** Without the colon: `tcp`, `memory`. */
  readonly scheme: string;
  /** Rejects with ADDRESS_IN_USE or ADDRESS_INVALID. */
  listen(address: string, handler: ListenHandler): Promise<TransportListener>;
  /** Rejects with DIAL_FAILED, its message naming the address and the rule. */
  dial(address: string, options: DialOptions): Promise<Connection>;
  close(): Promise<void>;
}

// ---- worker pool -----------------------------------------------------------------------------

/**
 * Byte strings laid end to end in one transferable buffer: item i is
 * [ends[i - 1] ?? 0, ends[i]). The buffer moves to the worker and comes back in the verdict.
 */
export interface Packed {
  readonly buffer: ArrayBuffer;
  readonly ends: Uint32Array;
}

export interface ValidateBlocksJob {
  /** Consecutive blocks, each the parent of the next. */
  readonly blocks: Packed;
  /** The encoded header of the first block's parent. */
  readonly parentHeader: Uint8Array;
  readonly nowMs: number;
}

export interface BlocksVerdict {
  /** The leading blocks that are valid; their `bytes` are views into the returned buffer. */
  readonly accepted: readonly CheckedBlock[];
  /** Set when a block failed: it is blocks[accepted.length]. */
  readonly fault?: Fault;
}

export interface ValidateHeadersJob {
  readonly headers: Packed;
  readonly parentHeader: Uint8Array;
  readonly nowMs: number;
}

export interface HeadersVerdict {
  readonly accepted: readonly HeaderSummary[];
  readonly fault?: Fault;
}

export interface TransactionsVerdict {
  /** The bytes that were sent, back again. */
  readonly transactions: Packed;
  /** 32 bytes each, in order; zeros where a fault is. */
  readonly ids: Uint8Array;
  /** Faults by index; absent indices are valid. */
  readonly faults: readonly { readonly index: number; readonly fault: Fault }[];
}

/** Payloads of one connection whose kinds are decoded in the pool, in the order they arrived. */
export interface DecodeFramesJob {
  readonly kinds: Uint8Array;
  readonly payloads: Packed;
}

export interface DecodeFramesVerdict {
  readonly payloads: Packed;
  /** One entry a payload: the item ranges [start, end) within that payload, or why not. */
  readonly frames: readonly (
    | { readonly ok: true; readonly items: Uint32Array }
    | { readonly ok: false; readonly detail: string }
  )[];
}

export interface SealJob {
  readonly header: Uint8Array;
  readonly nonceStart: bigint;
  readonly attempts: number;
}

/** All methods reject with QUEUE_FULL, WORKER_LOST (the bytes are gone) or STOPPED. */
export interface WorkerPool {
  validateBlocks(job: ValidateBlocksJob): Promise<BlocksVerdict>;
  validateHeaders(job: ValidateHeadersJob): Promise<HeadersVerdict>;
  validateTransactions(transactions: Packed): Promise<TransactionsVerdict>;
  decodeFrames(job: DecodeFramesJob): Promise<DecodeFramesVerdict>;
  seal(job: SealJob): Promise<Uint8Array | undefined>;
  /** Tasks waiting and running, and how many may wait. */
  load(): { readonly queued: number; readonly running: number; readonly queueMax: number };
  close(): Promise<void>;
}

// ---- stores ----------------------------------------------------------------------------------

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
 * Blocks by hash, the canonical index, undo data and consensus state. Reads see a commit as soon
 * as `commit` was called; its promise resolves when the commit is durable.
 */
export interface BlockStore {
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
  undo(hash: HashHex): Uint8Array | undefined;
  /** All side blocks: asked once at the start. Absent: what lies there from before is not counted. */
  sideBlocks?(): readonly SideBlock[];
  state(key: Uint8Array): Uint8Array | undefined;
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
  readonly reason: string;
  /** How often this peer was banned: the next ban doubles. */
  readonly count: number;
}

export interface PeerStore {
  bans(): readonly BanRecord[];
  putBan(ban: BanRecord): Promise<void>;
  deleteBan(peerId: PeerId): Promise<void>;
  close(): Promise<void>;
}

// ---- mempool ---------------------------------------------------------------------------------

export interface MempoolTransaction {
  /** Hex of the id. */
  readonly id: HashHex;
  readonly bytes: Uint8Array;
}

export type MempoolAnswer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason:
        | "known"
        | "full"
        | "underpriced"
        | "stale-nonce"
        | "conflict"
        | "invalid"
        /** A block of this node failed for it: the node's answer, not a mempool's. */
        | "refused"
        /** The mempool threw, or answered none of these: likewise. */
        | "failed";
    };

/** A transaction that was accepted once and left without being confirmed. */
export interface DroppedTransaction {
  readonly id: HashHex;
  /** `evicted`, `replaced`, `stale-nonce` or a mempool's own, in one word. */
  readonly reason: string;
}

/**
 * Transactions that passed stateless checks and wait for a block. Bounded by bytes and count. What
 * it throws, or answers against these types, is logged and costs the call that it did so at.
 */
export interface Mempool {
  add(transaction: MempoolTransaction, view: StateView): MempoolAnswer;
  /**
   * As `add`, for a transaction of an abandoned block: its sender's higher nonces give way to it,
   * for without it they could never follow. Absent: `add` is asked.
   */
  restore?(transaction: MempoolTransaction, view: StateView): MempoolAnswer;
  has(id: HashHex): boolean;
  get(id: HashHex): Uint8Array | undefined;
  /**
   * The best transactions for the next block, in a valid order, at most `bytesMax` in all, where
   * each counts as its own bytes and five more: its head in an encoded block.
   */
  select(bytesMax: number, view: StateView): readonly MempoolTransaction[];
  /** A block was connected: drop what it confirmed or made invalid. */
  confirmed(ids: readonly HashHex[], view: StateView): void;
  /**
   * Ids from the best on, each after those that it depends on. Taken in slices, between which the
   * mempool changes: what left meanwhile may be among them, what came may be not. Optional: without
   * it a new peer does not hear of what already waits here.
   */
  best?(): Iterator<HashHex>;
  /**
   * Removes these; ids that it does not hold are none of its business. Optional: without it nothing
   * expires, and what made a block fail stays, though it is neither selected nor taken again.
   */
  remove?(ids: readonly HashHex[]): void;
  /**
   * What left since the last call, neither confirmed nor removed by `remove`: told to whoever waits
   * for it. Optional: without it such transactions vanish without a word.
   */
  takeDropped?(): readonly DroppedTransaction[];
  readonly count: number;
  readonly bytes: number;
  /** Throws when it contradicts itself or its limits; called by the simulator. */
  invariants?(): void;
}

// ---- consensus -------------------------------------------------------------------------------

export interface StateView {
  state(key: Uint8Array): Uint8Array | undefined;
}

/** No block yet: at this time of the wall clock it is worth asking again. */
export interface NotNow {
  readonly notBeforeMs: number;
}

/**
 * The stateful half of a consensus: it lives on the main side and is pure over the state it is
 * shown. It names its stateless half by module, so that pool threads can load it.
 */
export interface Consensus {
  readonly rulesModule: RulesModule;
  readonly rules: ChainRules;
  /** The encoded genesis block; its hash is the network id. */
  readonly genesis: Uint8Array;
  readonly blockBytesMax: number;
  /**
   * The most bytes that a block from `template` and `assemble` takes beside its transactions, of
   * which each counts as its own bytes and five more. A whole number below `blockBytesMax`, checked
   * at start. Optional: without it `producer.envelopeBytes` are kept free, and a block that is too
   * large all the same is made again with less.
   */
  readonly envelopeBytesMax?: number;
  /** Fork choice: true when `candidate` is to replace `current`. Ties keep the current head. */
  prefers(candidate: HeaderSummary, current: HeaderSummary): boolean;
  /**
   * Applies a block to the state of its parent. A fault that names its transaction costs a producer
   * one block; one that does not, as many as it takes to find it by halves.
   */
  connect(
    block: Pick<CheckedBlock, "header" | "effects">,
    view: StateView,
  ): Checked<{ readonly writes: readonly StateWrite[]; readonly undo: Uint8Array }>;
  disconnect(undo: Uint8Array): readonly StateWrite[];
  /**
   * An unsealed block on `parent` with these transactions, or fewer, or with some of its own; or
   * nothing when it is not this node's turn: asked again with the next head, or at `notBeforeMs`.
   */
  template(
    parent: HeaderSummary,
    transactions: readonly Uint8Array[],
    nowMs: number,
  ): BlockParts | NotNow | undefined;
  /** Joins a sealed header and its transactions to an encoded block. */
  assemble(parts: BlockParts): Uint8Array;
}

// ---- protocols of services -------------------------------------------------------------------

/**
 * A service's own messages over the connections of the network. They are sent to peers that brought
 * the same protocol, and to nobody else. What a function throws, or a promise rejects with, is logged
 * and costs the message that it did so at.
 */
export interface ServiceProtocol extends OwnProtocol {
  /**
   * A message of a peer. The answer to a request is its body; undefined refuses it as not found.
   * While a promise is pending the peer waits, and so does its credit: it may have sent only so much
   * more by then. A request is refused as busy when the promise takes longer than
   * `requests.timeoutMaxMs`.
   */
  onMessage(message: PeerMessage, link: ProtocolLink): ProtocolReply | Promise<ProtocolReply>;
  /** A peer with this protocol is connected. */
  onPeer?(peerId: PeerId, link: ProtocolLink): void | Promise<void>;
  onPeerGone?(peerId: PeerId, link: ProtocolLink): void | Promise<void>;
}

export interface PeerMessage {
  readonly peerId: PeerId;
  /** As the protocol names it. */
  readonly kind: string;
  /** A copy that the receiver owns. */
  readonly body: Uint8Array;
}

export type ProtocolReply = Uint8Array | undefined | void;

/**
 * What a service can do with the peers of its protocol. A kind that the protocol does not have, or a
 * body beyond its limits, throws a TypeError. When the network has ended, questions reject with
 * STOPPED and messages go nowhere.
 */
export interface ProtocolLink {
  /** To one peer, unless it is gone, reads too slowly, or was sent more than the kind's rate. */
  send(peerId: PeerId, kind: string, body: Uint8Array): void;
  /** The same to every peer that has the protocol. */
  broadcast(kind: string, body: Uint8Array): void;
  /** Ends in an answer, or in why there is none. */
  ask(peerId: PeerId, kind: string, body: Uint8Array): Promise<ProtocolAnswer>;
  /** Those that are connected and have the protocol. */
  peers(): Promise<readonly PeerId[]>;
}

export type ProtocolAnswer =
  | { readonly ok: true; readonly body: Uint8Array }
  | {
      readonly ok: false;
      /** NoPeer: not connected, or without the protocol. Closed: it went away meanwhile. */
      readonly reason: "NoPeer" | "NotFound" | "Busy" | "RateLimited" | "Timeout" | "Closed";
    };

/** A protocol and its way out, as the composition root joins them. */
export interface LinkedProtocol extends OwnProtocol {
  readonly service: ServiceProtocol;
  readonly link: ProtocolLink;
}

// ---- operations ------------------------------------------------------------------------------

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log: an event name in words, and fields. The adapter bounds the rate per event. */
export interface Log {
  write(level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** How this process itself is doing: read before anybody else is blamed. */
export interface Health {
  /** The recent worst delay of the event loop. */
  loopDelayMs(): number;
}
