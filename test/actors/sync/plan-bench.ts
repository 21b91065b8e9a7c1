// Headers and blocks without content, for the tests of sync's pure parts.

import { BodyRanges, type ServingPeer } from "../../../src/actors/sync/body-ranges.js";
import { HeaderChain, type ProvenHeader } from "../../../src/actors/sync/header-chain.js";
import { ANSWER_BYTES_MAX, OpenAsks } from "../../../src/actors/sync/open-asks.js";
import { SyncManager } from "../../../src/actors/sync/sync-manager.js";
import type { CheckedBlock, HeaderSummary } from "../../../src/types/chain.js";
import { DEFAULTS, type NetworkConfig } from "../../../src/config.js";
import { peerIdOf } from "../support.js";

export type Settings = NetworkConfig["sync"];

export const HEADER_PEER = peerIdOf(1);

export const hashAt = (height: number): string => height.toString(16).padStart(64, "0");

export function summaryAt(height: number): HeaderSummary {
  return {
    hash: hashAt(height),
    height,
    previousHash: hashAt(height - 1),
    timestampMs: height,
    difficulty: 1n,
    totalDifficulty: BigInt(height),
  };
}

export function headers(from: number, count: number, bytes = 4): ProvenHeader[] {
  return Array.from({ length: count }, (_, i) => {
    const encoded = new Uint8Array(bytes);
    new DataView(encoded.buffer).setUint32(0, from + i);
    return { summary: summaryAt(from + i), bytes: encoded };
  });
}

export function checkedAt(height: number): CheckedBlock {
  return {
    header: summaryAt(height),
    headerBytes: new Uint8Array(),
    bytes: new Uint8Array(),
    transactionCount: 1,
    transactionIds: new Uint8Array(32),
    effects: new Uint8Array(),
  };
}

export const bodies = (count: number, bytes = 100): Uint8Array[] =>
  Array.from({ length: count }, () => new Uint8Array(bytes));

export function peer(number: number, more: Partial<ServingPeer> = {}): ServingPeer {
  return { peerId: peerIdOf(number), claimedHeight: 2n ** 60n, score: 0.5, ...more };
}

export function openAsks(): OpenAsks {
  let tag = 1;
  return new OpenAsks(() => tag++);
}

/** Ranges of ten blocks at the first guess of a block's size, and twenty answers at once. */
export const small: Settings = {
  ...DEFAULTS.sync,
  rangeBytesTarget: 160 * 1024,
  bytesInFlightMax: 20 * ANSWER_BYTES_MAX,
};

export function chainOf(count: number, settings: Partial<Settings> = {}): HeaderChain {
  const chain = new HeaderChain(headers(100, 1)[0]!, { ...small, ...settings });
  chain.add(headers(101, count));
  return chain;
}

export function partsOf(count: number, settings: Partial<Settings> = {}) {
  const chain = chainOf(count, settings);
  const asks = openAsks();
  return {
    chain,
    offerer: HEADER_PEER,
    settings: { ...small, ...settings },
    asks,
    nowMs: 0,
  };
}

export function rangesOf(count: number, settings: Partial<Settings> = {}) {
  const parts = partsOf(count, settings);
  return { ...parts, ranges: new BodyRanges(parts) };
}

export function session(count: number, settings: Partial<Settings> = {}) {
  const parts = partsOf(count, settings);
  return { ...parts, manager: new SyncManager(1, parts) };
}
