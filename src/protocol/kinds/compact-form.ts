// The compact form of a block: made from its parts, and read into the places of its transactions. Pure.

import { equalBytes } from "../../bytes/compare.js";
import { sha256 } from "../../bytes/sha256.js";
import type { BlockParts } from "../../types/chain.js";
import { transactionCount, type PrefilledTransaction } from "./compact.js";
import { ITEM_LIMITS, type MessageOf } from "../types/message.js";
import { shortIdKey, shortIdsOf } from "../short-ids.js";

const ID_BYTES = 32;
/** Of prefilled transactions: what is missing of a block is one round trip, which so many bytes take too. */
const PREFILLED_BYTES_MAX = 32 * 1_024;

/**
 * `ids`: of the transactions, 32 bytes each. `lacked`: places of those that its receivers may not have,
 * ascending, which are prefilled as far as they fit. Undefined: the block has too many for the form.
 */
export function compactBlock(
  { header, transactions }: BlockParts,
  ids: Uint8Array,
  nonce: bigint,
  lacked: readonly number[] = [],
): MessageOf<"CompactBlock"> | undefined {
  if (transactions.length > ITEM_LIMITS.compactTransactionsMax) return undefined;
  const prefilled: PrefilledTransaction[] = [];
  let bytes = 0;
  for (const index of lacked) {
    const transaction = transactions[index]!;
    bytes += transaction.length;
    if (bytes > PREFILLED_BYTES_MAX || prefilled.length >= ITEM_LIMITS.prefilledMax) break;
    prefilled.push({ index, transaction });
  }
  const listed = without(ids, prefilled);
  const shortIds = shortIdsOf(shortIdKey(header, nonce), listed);
  return { kind: "CompactBlock", header, nonce, shortIds, prefilled };
}

function without(
  ids: Uint8Array,
  prefilled: readonly Pick<PrefilledTransaction, "index">[],
): Uint8Array {
  if (prefilled.length === 0) return ids;
  const left = new Uint8Array(ids.length - ID_BYTES * prefilled.length);
  let from = 0;
  let at = 0;
  for (const { index } of [...prefilled, { index: ids.length / ID_BYTES }]) {
    left.set(ids.subarray(from, ID_BYTES * index), at);
    at += ID_BYTES * index - from;
    from = ID_BYTES * (index + 1);
  }
  return left;
}

/** What a compact form says of its block, in a few bytes: to be held against the block later. */
export interface Description {
  readonly count: number;
  readonly nonce: bigint;
  readonly prefilled: readonly { readonly index: number; readonly id: Uint8Array }[];
  /** Of the short ids. */
  readonly digest: Uint8Array;
}

export function descriptionOf(compact: MessageOf<"CompactBlock">): Description {
  return {
    count: transactionCount(compact),
    nonce: compact.nonce,
    prefilled: compact.prefilled.map(({ index, transaction }) => ({
      index,
      id: sha256(transaction),
    })),
    digest: sha256(compact.shortIds),
  };
}

/** Is it of the block with this header and these ids? Whoever has the block can tell. */
export function describes(
  { count, nonce, prefilled, digest }: Description,
  header: Uint8Array,
  ids: Uint8Array,
): boolean {
  if (count !== ids.length / ID_BYTES) return false;
  for (const { index, id } of prefilled) {
    if (!equalBytes(id, ids.subarray(ID_BYTES * index, ID_BYTES * (index + 1)))) return false;
  }
  const shortIds = shortIdsOf(shortIdKey(header, nonce), without(ids, prefilled));
  return equalBytes(sha256(shortIds), digest);
}
