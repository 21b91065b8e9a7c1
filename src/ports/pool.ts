// The worker pool: jobs of bytes go in, small verdicts come out.

import type { CheckedBlock, Fault, HeaderSummary } from "../types/chain.js";

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
