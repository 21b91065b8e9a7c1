// What the consensus integration tells those who follow the chain. Types, and how they are made.
// A change never holds the bytes of blocks: who needs them reads them from the store, in slices.

import type { CheckedBlock, HashHex, HeaderSummary } from "../../types/chain.js";
import type { CheckedTransactions } from "../../ports.js";
import { REORG_PATH_MAX, type ChainPoint, type NetworkEventOf } from "../events/event-types.js";

export interface ConnectedBlock {
  readonly header: HeaderSummary;
  readonly transactionCount: number;
  /** 32 bytes each. Absent after a reorganisation, whose blocks can be many: read the block. */
  readonly transactionIds?: Uint8Array;
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

/** What an index takes of these blocks. */
export function transactionsOf(blocks: readonly CheckedBlock[]): readonly CheckedTransactions[] {
  return blocks.map(({ header: { hash, height }, transactionIds }) => ({
    blockHash: hash,
    height,
    transactionIds,
  }));
}

/** These blocks extended the chain. */
export function changeOf(blocks: readonly CheckedBlock[], head: HeaderSummary): ChainChanged {
  const connected = blocks.map(({ header, transactionCount, transactionIds }) => ({
    header,
    transactionCount,
    transactionIds,
  }));
  return { type: "ChainChanged", disconnected: [], connected, head };
}

/** Ids as hex, in order. */
export function hexIds(ids: Uint8Array): HashHex[] {
  const bytes = Buffer.from(ids.buffer, ids.byteOffset, ids.length);
  const list: HashHex[] = [];
  for (let at = 0; at < bytes.length; at += 32) list.push(bytes.toString("hex", at, at + 32));
  return list;
}

/** Of a change by which blocks left the chain: its path, of both branches those next to the fork. */
export function reorganisedBy({
  disconnected,
  connected,
  head,
}: ChainChanged): NetworkEventOf<"ChainReorganised"> {
  const lowest = disconnected.at(-1)!;
  return {
    type: "ChainReorganised",
    from: pointOf(disconnected[0]!),
    to: pointOf(head),
    fork: { hash: lowest.previousHash, height: lowest.height - 1 },
    disconnected: disconnected.slice(-REORG_PATH_MAX).map(pointOf),
    connected: connected.slice(0, REORG_PATH_MAX).map(({ header }) => pointOf(header)),
    disconnectedCount: disconnected.length,
    connectedCount: connected.length,
  };
}

function pointOf({ hash, height }: HeaderSummary): ChainPoint {
  return { hash, height };
}
