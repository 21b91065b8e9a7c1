// The vocabulary of the chain: what a header says, what a check answers, and the interface that
// every set of rules implements. Types only.

import type { Breach } from "./breach.js";

/** A sha256 digest in lower-case hex, 64 characters: the form of a hash as a key. */
export type HashHex = string;

/** An id for short: 8 bytes of it under a key, in lower-case hex, 16 characters. */
export type ShortId = string;

/** What every consensus must be able to say of a header. Heights are safe integers. */
export interface HeaderSummary {
  readonly hash: HashHex;
  readonly height: number;
  readonly previousHash: HashHex;
  readonly timestampMs: number;
  readonly difficulty: bigint;
  readonly totalDifficulty: bigint;
}

/** The rules a block or transaction can break, by name: reported to operators and to reputation. */
export type RuleName =
  | "encoding"
  | "size"
  | "link"
  | "height"
  | "time"
  | "difficulty"
  | "total-difficulty"
  | "proof-of-work"
  /** Too far ahead of the checker's clock. Clocks differ, so no peer is blamed, and time mends it. */
  | "future"
  | "root"
  | "signature"
  | "nonce"
  | "state-root"
  | "custom"
  /** This node's consensus threw at the block: nobody else is to blame. */
  | "consensus-failed";

/** A broken rule, with the place (`transaction 12`) in plain words. A value, never thrown. */
export interface Fault extends Breach {
  readonly rule: RuleName;
  /**
   * The index in its block of the transaction to blame, where it is a single one: a producer whose
   * block fails leaves it out. Without it the producer finds it by halving.
   */
  readonly transaction?: number;
}

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };

/** Verifies one signature with libsodium's rules. Never throws for bytes of any content. */
export type VerifySignature = (
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
) => boolean;

/** The parts of a block as views into the bytes that arrived: nothing is ever re-encoded. */
export interface BlockParts {
  readonly header: Uint8Array;
  readonly transactions: readonly Uint8Array[];
}

/** What the executor needs to know of a transaction; rules may carry more fields of their own. */
export interface TransactionSummary {
  /** sha256 of the encoded transaction, 32 bytes. */
  readonly id: Uint8Array;
}

/**
 * The stateless half of a consensus. It runs in pool workers, inline and in the simulator, so it
 * is loaded by module URL (see RulesModule) and holds no state, clock, random or I/O.
 * The executor calls, for a block: splitBlock, checkHeader, readTransaction for each transaction,
 * checkBody, then checkSignature for each transaction that the signature cache does not know.
 */
export interface ChainRules<T extends TransactionSummary = TransactionSummary> {
  /** Splits an encoded block at its two top levels and checks its size. */
  splitBlock(block: Uint8Array): Checked<BlockParts>;
  /** Reads a header without judging it: for parents and genesis, known to be valid. */
  readHeader(header: Uint8Array): Checked<HeaderSummary>;
  /** Checks encoding, link, height, time, difficulty, total difficulty and proof of work. */
  checkHeader(header: Uint8Array, parent: HeaderSummary, nowMs: number): Checked<HeaderSummary>;
  /** Checks encoding and limits and computes the id. */
  readTransaction(transaction: Uint8Array): Checked<T>;
  checkSignature(transaction: T, verify: VerifySignature): boolean;
  /**
   * Compares the root first, so that a body which is not its header's is `root` whatever else it is:
   * only then a fault is the block's own, and remembered as that of its hash. Then checks the rest
   * (order of nonces within the block) and returns the block's effects: opaque bytes that the stateful
   * half of the same consensus understands.
   */
  checkBody(header: Uint8Array, transactions: readonly T[]): Checked<Uint8Array>;
  /**
   * Whether the header binds exactly the transactions with these ids, in this order: what `checkBody`
   * asks first, on the event loop and without their bytes. Optional: without it a block is passed on
   * only once it was validated in full.
   */
  binds?(header: Uint8Array, ids: readonly Uint8Array[]): boolean;
  /**
   * Tries `attempts` nonces from `nonceStart`; returns the sealed header, or undefined when none
   * fits. Used by producers only.
   */
  sealHeader(header: Uint8Array, nonceStart: bigint, attempts: number): Uint8Array | undefined;
}

/** How a pool thread finds rules: a module that exports `(options) => ChainRules`. */
export interface RulesModule {
  readonly moduleUrl: string;
  readonly exportName: string;
  /** Structured-cloneable; passed to the export. */
  readonly options: unknown;
}

/** A block that passed every stateless check, with what the stateful half needs to connect it. */
export interface CheckedBlock {
  readonly header: HeaderSummary;
  /** The encoded header: a view into `bytes`. */
  readonly headerBytes: Uint8Array;
  /** The encoded block, as it arrived. */
  readonly bytes: Uint8Array;
  readonly transactionCount: number;
  /** Transaction ids in block order, 32 bytes each. */
  readonly transactionIds: Uint8Array;
  readonly effects: Uint8Array;
}
