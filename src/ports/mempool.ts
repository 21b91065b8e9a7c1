// Transactions that wait for a block.

import type { HashHex } from "../types/chain.js";
import type { MempoolRefusal, NodeRefusal } from "../types/refusals.js";
import type { StateView } from "./consensus.js";

export interface MempoolTransaction {
  /** Hex of the id. */
  readonly id: HashHex;
  readonly bytes: Uint8Array;
}

export type MempoolAnswer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /**
       * `stale-nonce` is a former name of `nonce`, and taken for it. The node itself answers
       * `refused` for what made a block of its own fail, and `failed` where the mempool threw or
       * answered against these types.
       */
      readonly reason: MempoolRefusal | Exclude<NodeRefusal, "busy"> | "stale-nonce";
    };

/** A transaction that was accepted once and left without being confirmed. */
export interface DroppedTransaction {
  readonly id: HashHex;
  /** `evicted`, `replaced`, `nonce` or a mempool's own, in one word. */
  readonly reason: string;
}

/**
 * Transactions that passed stateless checks and wait for a block. Bounded by bytes and count. What
 * it throws, or answers against these types, is logged and costs the call that it did so at. `nowMs`
 * is the time, in milliseconds since any moment, that never goes back: for mempools with rules of time;
 * one that hands calls on to another hands it on too.
 */
export interface Mempool {
  add(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer;
  /**
   * As `add`, for a transaction of an abandoned block: its sender's higher nonces give way to it,
   * for without it they could never follow. Absent: `add` is asked.
   */
  restore?(transaction: MempoolTransaction, view: StateView, nowMs?: number): MempoolAnswer;
  has(id: HashHex): boolean;
  get(id: HashHex): Uint8Array | undefined;
  /**
   * The best transactions for the next block, in a valid order, at most `bytesMax` in all, where
   * each counts as its own bytes and five more: its head in an encoded block.
   */
  select(bytesMax: number, view: StateView, nowMs?: number): readonly MempoolTransaction[];
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
  /**
   * The ids of all that wait, in any order; valid until the next change. Optional: without it, after
   * a fault of the actor that owns the mempool, a compact block is put together only from what came
   * since, and what came meanwhile is not kept.
   */
  ids?(): Iterable<HashHex>;
  /**
   * What it takes now pays at least this; told to peers, so that they send no less. Optional: without
   * it they send everything.
   */
  floor?(nowMs: number): bigint;
  /** What one pays that waits, by the measure of `floor`. Optional: without it peers get all. */
  priceOf?(id: HashHex): bigint | undefined;
  readonly count: number;
  readonly bytes: number;
  /** Throws when it contradicts itself or its limits; called by the simulator. */
  invariants?(): void;
}
