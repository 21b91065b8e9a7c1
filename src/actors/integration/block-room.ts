// What the block that is being produced has room for, and whether a consensus made one. Pure.

import type { MempoolTransaction } from "../../ports.js";
import type { BlockParts } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";

type RoomEnv = Pick<NodeEnv, "config" | "consensus">;

/** The head of a byte string in a block. */
const TRANSACTION_HEAD_BYTES = 5;

/** What a block has for transactions, each counted with its head. */
export function roomOf({ config, consensus }: RoomEnv): number {
  const { blockBytesMax, envelopeBytesMax } = consensus;
  const unsaid = Math.min(config.producer.envelopeBytes, blockBytesMax >> 2);
  return blockBytesMax - (envelopeBytesMax ?? unsaid);
}

/** A caller may have written it without types. */
export function isBlock({ header, transactions }: BlockParts): boolean {
  return header instanceof Uint8Array && Array.isArray(transactions);
}

/** A caller's own mempool may count in another way. */
export function thoseThatFit(
  transactions: readonly MempoolTransaction[],
  bytesMax: number,
): readonly MempoolTransaction[] {
  let room = bytesMax;
  const end = transactions.findIndex(
    ({ bytes }) => (room -= bytes.length + TRANSACTION_HEAD_BYTES) < 0,
  );
  return end < 0 ? transactions : transactions.slice(0, end);
}
