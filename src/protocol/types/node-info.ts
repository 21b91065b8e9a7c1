// What a node says of itself, and how claims are kept apart from proven facts. Types only.

import type { FullRate } from "../kinds/limits.js";
import type { HashHex } from "../../types/chain.js";

/** The head of a chain as its owner states it. Heights may be anything below 2^64: a claim. */
export interface ChainHead {
  readonly height: bigint;
  readonly hash: HashHex;
  readonly totalDifficulty: bigint;
}

/**
 * A value that a peer stated and nobody validated. It may order peers to ask; it never sets a sync
 * target, an estimate or the word "synced".
 */
export interface Claimed<T> {
  readonly claimed: T;
}

/** What a node serves per requester: items of `kind` a second, after a burst. */
export interface ServeQuota {
  /** Message code of the request kind. */
  readonly kind: number;
  readonly itemsPerSecond: number;
  readonly burstItems: number;
}

/** What a node takes of one kind from its peer: of a request the bytes are those of its answer. */
export interface ToldQuota extends FullRate {
  /** Message code of the kind. */
  readonly kind: number;
}

export interface HandshakeInfo {
  readonly protocolVersion: number;
  /** The hash of the genesis block. */
  readonly networkId: HashHex;
  /** Software and version, at most 64 bytes of UTF-8. */
  readonly agent: string;
  /** The operator's label, at most 64 bytes of UTF-8; not an identity. */
  readonly nodeId: string;
  /** Where the node can be dialed, at most 8 of 128 bytes. */
  readonly listenAddresses: readonly string[];
  readonly head: ChainHead;
  /** At most 32 of 32 bytes, such as `sync/1`. */
  readonly capabilities: readonly string[];
  readonly quotas: readonly ServeQuota[];
}
