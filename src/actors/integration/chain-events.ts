// What the consensus integration tells those who follow the chain. Types only.

import type { HashHex, HeaderSummary } from "../../chain/types.js";

export interface ConnectedBlock {
  readonly header: HeaderSummary;
  /** The encoded block. */
  readonly bytes: Uint8Array;
  /** 32 bytes each. */
  readonly transactionIds: Uint8Array;
}

/** The canonical chain changed; the store's reads show it already. */
export interface ChainChanged {
  readonly type: "ChainChanged";
  /** From the old head downward. */
  readonly disconnected: readonly HeaderSummary[];
  /** From the fork upward; the last one is the head. */
  readonly connected: readonly ConnectedBlock[];
  readonly head: HeaderSummary;
}

/** Ids as hex, in order. */
export function transactionIdsOf(block: Pick<ConnectedBlock, "transactionIds">): HashHex[] {
  const { transactionIds: ids } = block;
  const bytes = Buffer.from(ids.buffer, ids.byteOffset, ids.length);
  const list: HashHex[] = [];
  for (let at = 0; at < bytes.length; at += 32) list.push(bytes.toString("hex", at, at + 32));
  return list;
}
