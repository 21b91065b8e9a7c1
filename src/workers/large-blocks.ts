// Validates blocks with many transactions in several short tasks, on all threads at once: one task
// of 2,000 signatures would hold a thread for 180 ms. What was verified on its way into the mempool is
// left out: of a block that this node knew all of, one task says so.

import { packBytes, packedItems } from "../bytes/packed.js";
import type { ChainRules } from "../types/chain.js";
import type { BlocksVerdict, Packed, TransactionsVerdict, ValidateBlocksJob } from "../ports.js";
import { unsignedAt, type UnsignedVerdict } from "./executor.js";

/** Jobs with more transactions are split. */
const TRANSACTIONS_TOGETHER_MAX = 256;
/** A task of so many signatures takes about 5 ms (88 µs each). */
const TRANSACTIONS_PER_TASK = 64;
/** Below this, a job is not even split to count: so many transactions take at least 128 bytes. */
const BYTES_TOGETHER_MAX = TRANSACTIONS_TOGETHER_MAX * 128;

export interface LargeBlockSteps {
  /** Checks every rule but signatures; takes the bytes and gives them back. */
  validateUnsigned(job: ValidateBlocksJob): Promise<UnsignedVerdict>;
  validateSignatures(transactions: Packed): Promise<TransactionsVerdict>;
  validateBlocks(job: ValidateBlocksJob): Promise<BlocksVerdict>;
}

export function isLarge(rules: ChainRules, job: ValidateBlocksJob): boolean {
  if ((job.blocks.ends.at(-1) ?? 0) <= BYTES_TOGETHER_MAX) return false;
  return transactionsOf(rules, packedItems(job.blocks)).length > TRANSACTIONS_TOGETHER_MAX;
}

/**
 * The verdict is that of one `validateBlocks`. The cheap rules come first here too, so that a large
 * block under a false header costs no signature; `lanes` tasks of signatures run at a time.
 */
export async function validateLargeBlocks(
  steps: LargeBlockSteps,
  rules: ChainRules,
  job: ValidateBlocksJob,
  lanes: number,
): Promise<BlocksVerdict> {
  const { unverified, ...verdict } = await steps.validateUnsigned(job);
  const first = verdict.accepted[0];
  if (first === undefined || unverified.length === 0) return verdict;
  const transactions = transactionsOf(
    rules,
    verdict.accepted.map((block) => block.bytes),
  );
  let next = 0;
  let forged = Number.POSITIVE_INFINITY;
  const lane = async (): Promise<void> => {
    while (next < unverified.length) {
      const part = unverified.subarray(next, next + TRANSACTIONS_PER_TASK);
      next += part.length;
      const packed = packBytes(Array.from(part, (index) => transactions[index]!));
      const { faults } = await steps.validateSignatures(packed);
      for (const { index } of faults) forged = Math.min(forged, part[index]!);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  if (ends.every(({ status }) => status === "fulfilled")) return withoutForged(verdict, forged);
  // What a lost task left unverified, one more step verifies.
  const buffer = first.bytes.buffer as ArrayBuffer;
  return steps.validateBlocks({ ...job, blocks: { buffer, ends: job.blocks.ends } });
}

/** The blocks before the one that holds this transaction, counted over all of them. */
function withoutForged(verdict: BlocksVerdict, forged: number): BlocksVerdict {
  let index = forged;
  for (const [place, { transactionCount }] of verdict.accepted.entries()) {
    if (index < transactionCount) {
      return { accepted: verdict.accepted.slice(0, place), fault: unsignedAt(index) };
    }
    index -= transactionCount;
  }
  return verdict;
}

function transactionsOf(rules: ChainRules, blocks: readonly Uint8Array[]): Uint8Array[] {
  return blocks.flatMap((block) => {
    const split = rules.splitBlock(block);
    return split.ok ? [...split.value.transactions] : [];
  });
}
