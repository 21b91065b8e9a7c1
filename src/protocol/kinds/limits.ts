// Limits of what messages hold, which docs/protocol.md promises.

import type { ReceiveQuotaName } from "./kind.js";

const MIB = 1024 * 1024;

/** The most items a message may hold; the shape check refuses more. */
export const ITEM_LIMITS = {
  locatorHashesMax: 32,
  headersMax: 2_000,
  rangeBlocksMax: 1_024,
  announcedTransactionsMax: 1_024,
  requestedTransactionsMax: 1_024,
  /** Those of a compact block: more than the largest block has. */
  compactTransactionsMax: 32_768,
  prefilledMax: 64,
  blockTransactionsMax: 1_024,
  peersMax: 256,
} as const;

/** Limits of texts (bytes of UTF-8) and lists in Handshake and Disconnect. */
export const TEXT_LIMITS = {
  agentBytesMax: 64,
  nodeIdBytesMax: 64,
  listenAddressesMax: 8,
  addressBytesMax: 128,
  capabilitiesMax: 32,
  capabilityBytesMax: 32,
  quotasMax: 16,
  disconnectDetailBytesMax: 256,
} as const;

/** Quotas in a Limits: more than there are kinds to have one. */
export const LIMITS_QUOTAS_MAX = 24;

/** The largest credit window of a lane, and so the largest WindowUpdate. */
export const WINDOW_BYTES_MAX = 4 * MIB;

/** In items and in bytes of payload; each a whole number below 2^32. */
export interface FullRate {
  readonly itemsPerSecond: number;
  readonly burstItems: number;
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
}

/** What may be sent at least of the one-way kinds, by their quota. */
export const LEAST_RATES: Readonly<Record<ReceiveQuotaName, FullRate>> = {
  pushedBlocks: {
    itemsPerSecond: 64,
    burstItems: 512,
    bytesPerSecond: 32 * MIB,
    burstBytes: 128 * MIB,
  },
  announcedBlocks: {
    itemsPerSecond: 64,
    burstItems: 512,
    bytesPerSecond: 8_192,
    burstBytes: 65_536,
  },
  pushedTransactions: {
    itemsPerSecond: 1_024,
    burstItems: 4_096,
    bytesPerSecond: 8 * MIB,
    burstBytes: 32 * MIB,
  },
  announcedTransactions: {
    itemsPerSecond: 8_192,
    burstItems: 65_536,
    bytesPerSecond: 512 * 1_024,
    burstBytes: 4 * MIB,
  },
  /** No setting: a floor is told every few seconds at most. */
  feeFloors: {
    itemsPerSecond: 1,
    burstItems: 16,
    bytesPerSecond: 16,
    burstBytes: 256,
  },
  announcedShortIds: {
    itemsPerSecond: 8_192,
    burstItems: 65_536,
    bytesPerSecond: 128 * 1_024,
    burstBytes: MIB,
  },
  relayEdges: {
    itemsPerSecond: 16,
    burstItems: 256,
    bytesPerSecond: 512,
    burstBytes: 8_192,
  },
};
