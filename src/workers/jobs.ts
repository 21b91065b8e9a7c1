// The kinds of work of the pool, by the name of their method: what goes in and what comes out.
// `poolMethods` makes the methods of every implementation from its one `submit` function.

import { CodedError, invariant } from "../errors.js";
import type {
  BlocksVerdict,
  DecodeFramesJob,
  DecodeFramesVerdict,
  HeadersVerdict,
  Packed,
  SealJob,
  TransactionsVerdict,
  ValidateBlocksJob,
  ValidateHeadersJob,
  WorkerPool,
} from "../ports.js";

export interface StartingPool extends WorkerPool {
  /**
   * Resolves when a thread has loaded the rules. Rejects with RULES_UNLOADABLE, or with WORKER_LOST
   * when threads cannot live under these options: the pool is of no use then, and is to be closed.
   */
  readonly started: Promise<void>;
  /** Resolves to WORKER_LOST when too many threads ended: nothing is checked any more. */
  readonly broken: Promise<CodedError>;
}

export interface Jobs {
  validateBlocks: ValidateBlocksJob;
  validateHeaders: ValidateHeadersJob;
  validateTransactions: Packed;
  decodeFrames: DecodeFramesJob;
  seal: SealJob;
}

export interface Verdicts {
  validateBlocks: BlocksVerdict;
  validateHeaders: HeadersVerdict;
  validateTransactions: TransactionsVerdict;
  decodeFrames: DecodeFramesVerdict;
  seal: Uint8Array | undefined;
}

export type JobKind = keyof Jobs;

/** One piece of work of any kind; structured-cloneable. */
export type Task = {
  readonly [K in JobKind]: { readonly kind: K; readonly job: Jobs[K] };
}[JobKind];

/** Work inside the pool: `validateBlocks` without its signatures, and these; see large-blocks.ts. */
export type PoolTask =
  | Task
  | { readonly kind: "validateUnsigned"; readonly job: ValidateBlocksJob }
  | { readonly kind: "validateSignatures"; readonly job: Packed };

export type Submit = <K extends JobKind>(kind: K, job: Jobs[K]) => Promise<Verdicts[K]>;

/** The methods throw for a job that no caller may make: see `assertPacked`. */
export function poolMethods(submit: Submit): Pick<WorkerPool, JobKind> {
  return {
    validateBlocks(job) {
      assertPacked(job.blocks);
      return submit("validateBlocks", job);
    },
    validateHeaders(job) {
      assertPacked(job.headers);
      return submit("validateHeaders", job);
    },
    validateTransactions(transactions) {
      assertPacked(transactions);
      return submit("validateTransactions", transactions);
    },
    decodeFrames(job) {
      assertPacked(job.payloads);
      invariant(job.kinds.length === job.payloads.ends.length, "every payload has a kind");
      return submit("decodeFrames", job);
    },
    seal: (job) => submit("seal", job),
  };
}

/** Throws when the buffer was already given away, or the ends do not lie in it in order. */
function assertPacked(packed: Packed): void {
  let previous = 0;
  for (const end of packed.ends) {
    invariant(end >= previous, "the ends of packed bytes never decrease");
    previous = end;
  }
  invariant(
    previous <= packed.buffer.byteLength,
    "packed bytes lie in a buffer that is still here",
  );
}

export function workerLost(kind: string, cause: unknown): CodedError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CodedError("WORKER_LOST", `${kind} was lost with its bytes: ${reason}`, { cause });
}

export function queueFull(kind: JobKind, queueMax: number): CodedError {
  return new CodedError("QUEUE_FULL", `${kind} refused: ${queueMax} tasks wait for the pool`);
}

export function stopped(): CodedError {
  return new CodedError("STOPPED", "the worker pool is closed");
}
