// The most memory that the limits of a configuration can hold, by what holds it.

import { KIB, MIB } from "./setting.js";
import type { NetworkConfig } from "./settings.js";

/** The largest message of the protocol. */
const MESSAGE_BYTES_MAX = 4 * MIB;

export function memoryPlan(config: NetworkConfig): Readonly<Record<string, number>> {
  const peers = config.maxInbound + config.maxOutbound + config.trustedPeers.length;
  const { chain, gossip, lanes, sync, mempool, pool } = config;
  return {
    // Three data lanes, whose unfinished messages may have twice the room of what arrived, and one
    // message a peer that is larger than its window.
    receiveLanes: peers * (3 * 2 * lanes.windowInitialBytes + MESSAGE_BYTES_MAX),
    windowGrowth: lanes.windowGrowthBytesMax,
    inboxes: peers * MIB,
    // Half of a queue is for replies, which are its own; what is broadcast all queues share.
    sendQueues: (peers * lanes.sendQueueBytesMax) / 2 + lanes.sendQueueBytesMax,
    // Read ahead: a chunk that is being fed to TLS and the next one.
    socketBuffers: peers * (lanes.socketBufferBytes + 2 * 64 * KIB),
    // In the socket's buffer one write over its mark, and as much of it encrypted.
    closing: config.inbound.closingMax * 2 * (lanes.socketBufferBytes + 128 * KIB),
    pendingInbound: config.inbound.pendingMax * 64 * KIB,
    // What the pool checks and the store writes is there twice.
    syncBodies: sync.bytesInFlightMax * 2,
    syncHeaders: sync.headersAheadMax * KIB,
    mempool: mempool.bytesMax,
    fetches: gossip.transactionFetchBytesMax + gossip.blockFetchBytesMax,
    // An id as text, its places in two tables and what is known of it.
    wanted: gossip.wantedMax * 256,
    // Without a data directory the blocks themselves, with one what is known of them.
    sideBranches: config.dataDir === null ? chain.sideBytesMax : chain.sideBytesMax / 8,
    reorganisation: config.chain.reorgBytesMax,
    signatureCache: pool.signatureCacheEntries * 32,
    poolHeaps: 64 * MIB,
  };
}
