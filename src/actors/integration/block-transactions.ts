// The transactions of a stored block, a bounded number at a time, so that nobody who follows the
// chain holds the event loop for the length of a block. Owned by the actor that reads it.

import { equalBytes } from "../../bytes/compare.js";
import type { NodeEnv } from "../env.js";

export type BlockReadEnv = Pick<NodeEnv, "blocks" | "consensus">;

export interface ReadTransaction {
  /** 32 bytes; undefined when the rules cannot read it. */
  readonly id: Uint8Array | undefined;
  /** A view into the block. */
  readonly bytes: Uint8Array;
}

/**
 * What one turn reads: the rules take about 4 µs for a small transaction and a mempool that takes it
 * back up to 25 µs.
 */
const SLICE_COUNT = 192;
const SLICE_BYTES = 256 * 1024;

export class BlockTransactions {
  readonly #rules: BlockReadEnv["consensus"]["rules"];
  readonly #transactions: readonly Uint8Array[];
  #next = 0;

  /** A block that is not stored, or that the rules cannot split, has none. */
  constructor(block: Uint8Array | undefined, { consensus }: Pick<BlockReadEnv, "consensus">) {
    this.#rules = consensus.rules;
    this.#transactions = block === undefined ? [] : split(block, this.#rules);
  }

  get count(): number {
    return this.#transactions.length;
  }

  get done(): boolean {
    return this.#next >= this.#transactions.length;
  }

  /** The next ones, at least one unless it is done. */
  slice(): ReadTransaction[] {
    const read: ReadTransaction[] = [];
    let bytes = 0;
    while (!this.done && read.length < SLICE_COUNT && bytes < SLICE_BYTES) {
      const transaction = this.#transactions[this.#next++]!;
      bytes += transaction.length;
      read.push({ id: idOf(transaction, this.#rules), bytes: transaction });
    }
    return read;
  }
}

/** Foreign rules may throw; what they checked once and cannot read now is passed over. */
function split(
  block: Uint8Array,
  rules: BlockReadEnv["consensus"]["rules"],
): readonly Uint8Array[] {
  try {
    const parts = rules.splitBlock(block);
    return parts.ok ? parts.value.transactions : [];
  } catch {
    return [];
  }
}

function idOf(
  transaction: Uint8Array,
  rules: BlockReadEnv["consensus"]["rules"],
): Uint8Array | undefined {
  try {
    const summary = rules.readTransaction(transaction);
    return summary.ok ? summary.value.id : undefined;
  } catch {
    return undefined;
  }
}

/** Whether transaction `index` of a block is the one of this id. */
export function isTransactionAt(
  block: Uint8Array | undefined,
  index: number,
  id: Uint8Array,
  { consensus }: Pick<BlockReadEnv, "consensus">,
): boolean {
  const transaction = block && split(block, consensus.rules)[index];
  const read = transaction && idOf(transaction, consensus.rules);
  return read !== undefined && equalBytes(read, id);
}

/** Those at these places, which ascend; undefined: the block has no such places. */
export function transactionsAt(
  block: Uint8Array,
  indexes: readonly number[],
  { consensus }: Pick<BlockReadEnv, "consensus">,
): readonly Uint8Array[] | undefined {
  const transactions = split(block, consensus.rules);
  if ((indexes.at(-1) ?? 0) >= transactions.length) return undefined;
  return indexes.map((index) => transactions[index]!);
}
