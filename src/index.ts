// vibecoin-network: run the peer-to-peer layer of the VibeCoin chain inside your own process.

import { checkOwnPorts, startNode } from "./compose.js";
import type { NetworkConfigInput } from "./config.js";
import type { Network } from "./network.js";
import type {
  BlockStore,
  Consensus,
  Log,
  Mempool,
  MempoolStore,
  PeerStore,
  ServiceProtocol,
  TxStore,
} from "./ports.js";

export interface StartOptions {
  /** A service's own messages over the same connections. */
  readonly protocols?: readonly ServiceProtocol[];
  /** Default: silent. */
  readonly log?: Log;
}

/**
 * Starts a node with the default consensus, mempool and stores (LMDB in `dataDir`, or memory).
 * Rejects with a CodedError: CONFIG_INVALID, ADDRESS_IN_USE, DATA_LOCKED, DATA_UNREADABLE, …
 */
export function startNetwork(
  config: NetworkConfigInput = {},
  options: StartOptions = {},
): Promise<Network> {
  return startNode(config, options);
}

/** A chain developer's own parts; each is optional and replaces the default one. */
export interface EnhancedPorts {
  readonly blockStore?: BlockStore;
  readonly txStore?: TxStore;
  /** What is kept of peers over a restart. */
  readonly peerStore?: PeerStore;
  readonly mempool?: Mempool;
  /** What is kept of it over a restart. */
  readonly mempoolStore?: MempoolStore;
  readonly consensus?: Consensus;
}

/** Like startNetwork, on the caller's own stores, mempool and consensus. */
export async function startEnhancedNetwork(
  config: NetworkConfigInput,
  ports: EnhancedPorts,
  options: StartOptions = {},
): Promise<Network> {
  checkOwnPorts(ports, "ports");
  checkOwnPorts(options);
  return startNode(config, { ...ports, ...options });
}

export { startNetworkThread } from "./thread.js";
export type {
  NetworkThread,
  NetworkThreadExit,
  NetworkThreadOptions,
  PortModule,
  PortModules,
} from "./thread.js";
// What chain developers build their own parts from.
export { createPowConsensus, type PowConsensusOptions } from "./chain/consensus.js";
export { createMempool, type MempoolLimits } from "./chain/mempool.js";
export type { ChainParams } from "./chain/params.js";
export { loadSignatures, type KeyPair, type SignatureScheme } from "./chain/signatures.js";
export { readTransaction, signTransaction, type TransactionFields } from "./chain/transaction.js";
export {
  DEFAULTS,
  resolveConfig,
  type LimitsInput,
  type NetworkConfig,
  type NetworkConfigInput,
} from "./config.js";
export { CodedError, isCoded, type ErrorCode } from "./errors.js";
export { createLog } from "./log.js";
export type { Network } from "./network.js";
export type {
  BanOptions,
  CommandOptions,
  DisconnectOptions,
  PeerControl,
} from "./network/peer-control.js";
export type { SentAway, TrustedPeer } from "./actors/peer/operator-messages.js";
export type * from "./actors/events/event-types.js";
export type { EventStreamOptions, ReadEventsOptions, Streamed } from "./network/event-stream.js";
export type { SubmitOutcome } from "./actors/handlers/transaction-handler-state.js";
export type { PeerReport } from "./actors/peer/peer-table.js";
export type { DirectionReport, LimitsReport } from "./actors/throttle/throttle.js";
export type { HistoryReport } from "./actors/throttle/history-budget.js";
export type { KindDrops, NodeStatus, PeerStatus } from "./actors/service/node-status.js";
export type { KindFigures } from "./actors/service/kind-flow.js";
export type { KindStatistics } from "./actors/service/message-router.js";
export type { SubsystemFigures } from "./actors/service/subsystem.js";
export type * from "./ports.js";
export type * from "./types/chain.js";
