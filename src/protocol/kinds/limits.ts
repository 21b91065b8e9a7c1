// Limits of what messages hold, which docs/protocol.md promises.

const MIB = 1024 * 1024;

/** The most items a message may hold; the shape check refuses more. */
export const ITEM_LIMITS = {
  locatorHashesMax: 32,
  headersMax: 2_000,
  rangeBlocksMax: 1_024,
  announcedTransactionsMax: 1_024,
  requestedTransactionsMax: 1_024,
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

/** The largest credit window of a lane, and so the largest WindowUpdate. */
export const WINDOW_BYTES_MAX = 4 * MIB;
