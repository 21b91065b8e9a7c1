// Validates blocks with many transactions in several short tasks, on all threads at once: one task
// of 2,000 signatures would hold a thread for 180 ms. The parts meet in the signature cache.

import { packBytes, packedItems } from "../bytes/packed.js";
import type { ChainRules } from "../types/chain.js";
import type { BlocksVerdict, Packed, ValidateBlocksJob } from "../ports.js";

/** Jobs with more transactions are split. */
const TRANSACTIONS_TOGETHER_MAX = 256;
/** A task of so many signatures takes about 5 ms (88 µs each). */
const TRANSACTIONS_PER_TASK = 64;
/** Below this, a job is not even split to count: so many transactions take at least 128 bytes. */
const BYTES_TOGETHER_MAX = TRANSACTIONS_TOGETHER_MAX * 128;

export interface LargeBlockSteps {
  /** Checks every rule but signatures; takes the bytes and gives them back. */
  validateUnsigned(job: ValidateBlocksJob): Promise<BlocksVerdict>;
  /** Verifies signatures and notes them in the signature cache. */
  validateTransactions(transactions: Packed): Promise<unknown>;
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
  const unsigned = await steps.validateUnsigned(job);
  const first = unsigned.accepted[0];
  if (first === undefined) return unsigned;
  const transactions = transactionsOf(
    rules,
    unsigned.accepted.map((block) => block.bytes),
  );
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < transactions.length) {
      const from = next;
      next += TRANSACTIONS_PER_TASK;
      await steps.validateTransactions(packBytes(transactions.slice(from, next)));
    }
  };
  // What a lost task leaves unverified, the last step verifies.
  await Promise.allSettled(Array.from({ length: lanes }, lane));
  const buffer = first.bytes.buffer as ArrayBuffer;
  return steps.validateBlocks({ ...job, blocks: { buffer, ends: job.blocks.ends } });
}

function transactionsOf(rules: ChainRules, blocks: readonly Uint8Array[]): Uint8Array[] {
  return blocks.flatMap((block) => {
    const split = rules.splitBlock(block);
    return split.ok ? [...split.value.transactions] : [];
  });
}
