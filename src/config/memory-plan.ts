// Who holds memory, as data: each holder's part of `memoryBudgetBytes`, the most that the limits of a
// configuration let it hold. The ledger (actors/memory-ledger.ts) counts against it.

import { KIB, MIB } from "./setting.js";
import type { NetworkConfig } from "./settings.js";

interface HolderPlan {
  readonly bytes: (config: NetworkConfig) => number;
  /** What it holds, for whoever reads a status. */
  readonly text: string;
}

/** The largest message of the protocol. */
const MESSAGE_BYTES_MAX = 4 * MIB;
/** What is charged for a raw connection whose TLS handshake goes on. */
export const PENDING_CONNECTION_BYTES = 64 * KIB;
/** An offer of a wanted id: the id as text, its places in two tables and what is known of it. */
export const WANTED_ID_BYTES = 256;
/** Compact blocks whose transactions are being put together, and what one of them may have. */
export const COMPACT_FILLS_MAX = 8;
export const COMPACT_FILL_BYTES = 256 * KIB;
/** Offers of blocks at the tip: as many as there may be peers, and more. */
export const BLOCK_OFFERS_MAX = 4_096;
/** The same of short ids, which are fetched where a push does not come. */
export const SHORT_OFFERS_MAX = 16_384;
/** Of one peer, short ids and blocks that it announced and that are likely to be pushed. */
export const LATE_IDS_MAX = 1_024;
export const LATE_BLOCKS_MAX = 16;
/** An id that a peer or this node is known to have, and one that waits to be announced: measured. */
export const KNOWN_ID_BYTES = 128;
export const PENDING_ID_BYTES = 48;
/**
 * What is known of who has what: of this node, and of all. A block has few tellers, and a transaction is
 * told of within seconds: 16,384 are three of these at the highest rate.
 */
export const RELAYED_IDS = {
  block: { ownMax: 1_024, recordsMax: 4_096 },
  transaction: { ownMax: 16_384, recordsMax: 65_536 },
} as const;
/** Of one peer, those that it may ask for by the short ids that it was told. */
export const ANNOUNCED_IDS_MAX = 2_048;
/** Transactions whose ids this node knows: on their way or taken, and never valid. */
export const HELD_IDS_MAX = 65_536;
export const INVALID_IDS_MAX = 16_384;
/** Who told what news when, while it is measured. */
export const GOSSIP_TIMES_BYTES = MIB;
/** Transactions of this node's host that have no answer yet. */
export const SUBMITTED_TRANSACTIONS_MAX = 8_192;
/** Blocks of this node's host that are being checked. */
export const SUBMITTED_BLOCKS_MAX = 64;
/** Messages of so many peers that are gone may wait beside those of all that are here. */
const DEPARTED_PEERS_MAX = 2;
/** Beside its last full chunk an inbox takes one more. */
const INBOX_BYTES_MAX = MIB + 64 * KIB;
/** An entry of the cache of signatures. */
export const SIGNATURE_BYTES = 32;
/** An address with its places in the address book: measured. */
const ADDRESS_BYTES = 800;
/** A page of events as text, in a reader's socket. */
const STREAM_BYTES_MAX = 256 * KIB;
/** Undo data and commits that wait for the disk beside blocks. */
const UNDO_BYTES_MAX = 4 * MIB;
/** What the last step of a reorganisation adds: a block of 20,000 senders. */
const REORG_STEP_BYTES = 8 * MIB;
/** Over half of a send queue come one more request and what the control lane holds. */
const QUEUE_BYTES_EXTRA = 256 * KIB;

export const MEMORY_HOLDERS = {
  receiveLanes: {
    bytes: (config) =>
      (peerSlots(config) + DEPARTED_PEERS_MAX) * receivedOfPeer(config) +
      config.lanes.windowGrowthBytesMax,
    text: "messages of peers that are not whole, or that nobody has dealt with yet",
  },
  windowGrowth: {
    bytes: ({ lanes }) => lanes.windowGrowthBytesMax,
    text: "what peers may send beyond their first windows",
  },
  inboxes: {
    bytes: (config) => peerSlots(config) * INBOX_BYTES_MAX,
    text: "bytes that were read from sockets and are no messages yet",
  },
  sendQueues: {
    bytes: (config) => peerSlots(config) * ownQueueBytes(config),
    text: "encoded messages that wait for their peer, up to half of its queue",
  },
  queueGrowth: {
    bytes: ({ lanes }) => lanes.sendQueueBytesMax,
    text: "what queues hold beyond that, all together",
  },
  socketBuffers: {
    // Read ahead: a chunk that is being fed to TLS and the next one.
    bytes: (config) => peerSlots(config) * (config.lanes.socketBufferBytes + 2 * 64 * KIB),
    text: "written to the sockets of peers and not sent",
  },
  closing: {
    // In the socket's buffer one write over its mark, and as much of it encrypted.
    bytes: ({ inbound, lanes }) => inbound.closingMax * 2 * (lanes.socketBufferBytes + 128 * KIB),
    text: "the same of connections that have ended",
  },
  pendingInbound: {
    bytes: ({ inbound }) => inbound.pendingMax * PENDING_CONNECTION_BYTES,
    text: "connections whose TLS handshake goes on, 64 KiB each",
  },
  syncBodies: {
    bytes: ({ sync }) => sync.bytesInFlightMax,
    text: "blocks of a sync that are asked for, by the most that may come, or in hand",
  },
  connects: {
    bytes: ({ sync }) => sync.bytesInFlightMax + UNDO_BYTES_MAX,
    text: "blocks that wait for a reorganisation to end, and undo data that wait for the disk",
  },
  poolJobs: {
    bytes: ({ pool }) => pool.jobBytesMax,
    text: "copies that the pool works on",
  },
  syncHeaders: {
    bytes: ({ sync }) => sync.headersAheadMax * KIB,
    text: "proven headers ahead of their bodies",
  },
  mempool: {
    bytes: ({ mempool }) => mempool.bytesMax,
    text: "transactions that wait for a block",
  },
  fetches: {
    bytes: ({ gossip }) =>
      gossip.transactionFetchBytesMax +
      gossip.submittedBytesMax +
      gossip.blockFetchBytesMax +
      COMPACT_FILLS_MAX * COMPACT_FILL_BYTES,
    text:
      "announced transactions and blocks that are asked for, by the most that may come, or being " +
      "checked, and submitted transactions",
  },
  submissions: {
    bytes: ({ gossip }) => Math.max(gossip.submittedBytesMax, MESSAGE_BYTES_MAX),
    text: "transactions and blocks that the host handed in and has no answer to",
  },
  wanted: {
    bytes: (config) =>
      (config.gossip.wantedMax +
        SHORT_OFFERS_MAX +
        BLOCK_OFFERS_MAX +
        peerSlots(config) * (LATE_IDS_MAX + LATE_BLOCKS_MAX)) *
      WANTED_ID_BYTES,
    text: "ids of what was announced and is to be fetched",
  },
  knownIds: {
    bytes: (config) =>
      peerSlots(config) *
        (ANNOUNCED_IDS_MAX * KNOWN_ID_BYTES +
          2 * config.gossip.knownPerPeerMax * PENDING_ID_BYTES) +
      relayedIds(config) +
      (HELD_IDS_MAX + INVALID_IDS_MAX + RELAYED_IDS.transaction.ownMax) * KNOWN_ID_BYTES +
      GOSSIP_TIMES_BYTES,
    text: "ids of what this node and its peers have, and what peers are to be told",
  },
  sideBranches: {
    bytes: (config) => sideBytes(config.chain.sideBytesMax, config),
    text: "blocks beside the best chain; with a data directory what is known of them",
  },
  reorganisation: {
    bytes: ({ chain }) => chain.reorgBytesMax + REORG_STEP_BYTES,
    text: "what a reorganisation is to write",
  },
  addresses: {
    bytes: ({ addresses: { newBuckets, triedBuckets, bucketSize } }) =>
      (newBuckets + triedBuckets) * bucketSize * ADDRESS_BYTES,
    text: "addresses that peers told of, or where a peer was found",
  },
  events: {
    bytes: ({ events, http }) => events.keptBytesMax + http.streamsMax * STREAM_BYTES_MAX,
    text: "events that are kept for whoever reads them later, and those on their way to readers over HTTP",
  },
  signatureCache: {
    bytes: ({ pool }) => pool.signatureCacheEntries * SIGNATURE_BYTES,
    text: "signatures that were checked",
  },
} as const satisfies Readonly<Record<string, HolderPlan>>;

export type MemoryHolder = keyof typeof MEMORY_HOLDERS;

export type MemoryPlan = Readonly<Record<MemoryHolder, number>>;

export const memoryHolders = Object.keys(MEMORY_HOLDERS) as readonly MemoryHolder[];

export function memoryPlan(config: NetworkConfig): MemoryPlan {
  const planned = memoryHolders.map((name) => [name, MEMORY_HOLDERS[name].bytes(config)] as const);
  return Object.fromEntries(planned) as MemoryPlan;
}

/** Who has what: a record, and a bit for each peer. Both grow by doubling. */
function relayedIds(config: NetworkConfig): number {
  const recordBytes = KNOWN_ID_BYTES + peerSlots(config) / 2;
  const { block, transaction } = RELAYED_IDS;
  return (block.recordsMax + transaction.recordsMax) * recordBytes;
}

/** An address is tested in a slot of its own, one at a time. */
export const FEELERS_MAX = 1;

/** Connections that a node may make, beside those to trusted peers. */
export function outboundSlots(
  config: Pick<NetworkConfig, "maxOutbound" | "staticPeers" | "dial">,
): number {
  const { maxOutbound, staticPeers, dial } = config;
  const own = maxOutbound + staticPeers.length;
  if (dial.onlyConfigured || maxOutbound === 0) return own;
  return own + dial.blocksOnlyMax + (dial.feelerEveryMs === 0 ? 0 : FEELERS_MAX);
}

/** What peers with slots of their own add to the plan: trusted and static ones. */
export function reservedPeersBytes(config: NetworkConfig): number {
  return plannedBytes(config) - plannedBytes({ ...config, trustedPeers: [], staticPeers: [] });
}

/** How many of `trustedMax` the budget has room for. */
export function trustedPlaces(config: NetworkConfig): number {
  let { trustedMax } = config;
  while (trustedMax > 0 && plannedBytes({ ...config, trustedMax }) > config.memoryBudgetBytes) {
    trustedMax--;
  }
  return trustedMax;
}

export function plannedBytes(config: NetworkConfig): number {
  return Object.values(memoryPlan(config)).reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * What one queue may have for itself: the half of it that is for replies and requests, which may be
 * one message however large. What is over it shares `queueGrowth`.
 */
export function ownQueueBytes({ lanes }: Pick<NetworkConfig, "lanes">): number {
  return Math.max(lanes.sendQueueBytesMax / 2, MESSAGE_BYTES_MAX) + QUEUE_BYTES_EXTRA;
}

/**
 * What the messages of one peer may have: of three data lanes the room of an unfinished one may be
 * twice of what came, and one message may be larger than its window.
 */
function receivedOfPeer({ lanes }: Pick<NetworkConfig, "lanes">): number {
  return 3 * 2 * lanes.windowInitialBytes + MESSAGE_BYTES_MAX + KIB;
}

/** Beside the messages of `open` connections and one more those of peers that are gone have room. */
export function departedFit(departedBytes: number, open: number, config: NetworkConfig): boolean {
  const places = peerSlots(config) + DEPARTED_PEERS_MAX - open - 1;
  return departedBytes <= Math.max(places, 0) * receivedOfPeer(config);
}

/**
 * Of side branches of this weight, without a data directory the blocks themselves. What is spared
 * beyond the bound, to move to a heavier branch, is as good as the chain's.
 */
export function sideBytes(weight: number, { chain, dataDir }: NetworkConfig): number {
  const counted = Math.min(weight, chain.sideBytesMax);
  return dataDir === null ? counted : counted / 8;
}

/** Connections that there may be at once, and those that are to be trusted. */
export function peerSlots(
  config: Pick<NetworkConfig, "maxInbound" | "trustedPeers" | "trustedMax"> &
    Parameters<typeof outboundSlots>[0],
): number {
  const { maxInbound, trustedPeers, trustedMax } = config;
  return maxInbound + outboundSlots(config) + trustedPeers.length + trustedMax;
}
