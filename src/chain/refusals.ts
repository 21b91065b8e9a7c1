// Why a transaction is not taken, or leaves again, in words: for the HTTP interface and the table of
// docs/operations.md. One list, so that no name of a refusal means one thing here and another there.

import type { Departure, MempoolRefusal, NodeRefusal } from "../types/refusals.js";

export type TransactionRefusal = MempoolRefusal | NodeRefusal | Departure;

export const TRANSACTION_REFUSALS: Readonly<Record<TransactionRefusal, string>> = Object.freeze({
  busy: "The node has too many transactions in hand; send it again later.",
  conflict:
    "The mempool holds another transaction with this sender and nonce; to replace it takes more gas price.",
  evicted: "It gave way to transactions that pay more.",
  expired: "It waited for a block for too long.",
  failed: "The node's mempool failed on this transaction; its log says how.",
  full: "The mempool is full of transactions that pay more, or its sender has its share of it; send it again later.",
  invalid: "The mempool cannot read this transaction.",
  known: "This node holds this transaction already, and announces it again.",
  nonce: "The sender has already confirmed this nonce or a higher one.",
  refused: "A block of this node failed for this transaction; send it again later.",
  replaced: "Its sender replaced it by one with the same nonce that pays more.",
  underpriced: "The gas price is below what this node takes now.",
});

/** Names of older versions: a mempool that is a caller's own may still say so. */
const FORMER_NAMES: ReadonlyMap<string, TransactionRefusal> = new Map([["stale-nonce", "nonce"]]);

/** One word, as labels and logs can bear it. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** The name that is used now. Throws a TypeError for what is no name. */
export function refusalName(name: string): string {
  if (!NAME.test(name)) throw new TypeError("a reason is one word of lower-case letters");
  return FORMER_NAMES.get(name) ?? name;
}
