// Single actors, for services that embed one or a few of them: what each is spawned as, with the
// types of its arguments, messages and environment. Nothing here brings a socket, a store, a thread
// or a native part: those come with the environment. Used by nobody inside the project.

export { DEFAULTS } from "../config/defaults.js";
export type { NetworkConfig } from "../config.js";
export type * from "../ports.js";
export type { NodeEnv } from "./env.js";
export { MemoryLedger } from "./memory-ledger.js";

export { eventBus } from "./events/event-bus.js";
export type * from "./events/event-bus.js";
export { eventTap } from "./events/event-tap.js";
export type * from "./events/event-tap.js";
export type * from "./events/event-types.js";

export { blockHandler } from "./handlers/block-handler.js";
export type {
  BlockHandlerArgs,
  BlockHandlerEnv,
  BlockHandlerMessage,
} from "./handlers/block-handler-state.js";
export type { ProducedOutcome } from "./handlers/block-origin.js";
export { feeFloors } from "./handlers/fee-floors.js";
export type * from "./handlers/fee-floors.js";
export { peerExchange } from "./handlers/peer-exchange.js";
export type * from "./handlers/peer-exchange.js";
export { syncHandler } from "./handlers/sync-handler.js";
export type * from "./handlers/sync-handler.js";
export { transactionHandler } from "./handlers/transaction-handler.js";
export type {
  SubmitOutcome,
  TransactionHandlerArgs,
  TransactionHandlerEnv,
  TransactionHandlerMessage,
} from "./handlers/transaction-handler-state.js";

export { blockProducer } from "./integration/block-producer.js";
export type * from "./integration/block-producer.js";
export type * from "./integration/chain-events.js";
export { consensusIntegration } from "./integration/consensus-integration.js";
export type * from "./integration/consensus-integration.js";
export { mempoolIntegration } from "./integration/mempool-integration.js";
export type * from "./integration/mempool-integration.js";
export { blockRepair } from "./integration/block-repair.js";
export type * from "./integration/block-repair.js";
export { storageIntegration } from "./integration/storage-integration.js";
export type * from "./integration/storage-integration.js";

export { advancedPeerRegistry } from "./peer/advanced-peer-registry.js";
export type * from "./peer/advanced-peer-registry.js";
export { peerBroadcaster } from "./peer/peer-broadcaster.js";
export type * from "./peer/peer-broadcaster.js";
export { peerHandler } from "./peer/peer-handler.js";
export { askPeer, type PeerRequest, type RequestOutcome } from "./peer/ask-peer.js";
export type * from "./peer/peer-handler-messages.js";
export type { PeerHandlerArgs } from "./peer/peer-handler-state.js";
export type * from "./peer/peer-history.js";
export type { PerformanceSnapshot } from "./peer/peer-performance.js";
export { peerReputation } from "./peer/peer-reputation.js";
export type * from "./peer/peer-reputation.js";
export type * from "./peer/peer-state.js";
export type * from "./peer/peer-table.js";
export { REPUTATION_DELTAS } from "./peer/reputation-events.js";
export type * from "./peer/reputation-events.js";
export { banText, type OperatorBan } from "./peer/ban-list.js";
export type * from "./peer/operator-messages.js";
export { ReputationLedger } from "./peer/reputation-ledger.js";
export type { PeerDeeds } from "./peer/peer-deeds.js";
export type * from "./peer/reputation-ledger.js";

export type * from "./service/dial-messages.js";
export { dialer } from "./service/dialer.js";
export type * from "./service/dialer.js";
export { listener } from "./service/listener.js";
export type * from "./service/listener.js";
export { messageRouter } from "./service/message-router.js";
export type * from "./service/message-router.js";
export { networkService } from "./service/network-service.js";
export type * from "./service/network-messages.js";
export type * from "./service/node-status.js";
export type { KindFigures } from "./service/kind-flow.js";
export type { SubsystemFigures } from "./service/subsystem.js";
export { systemRouter } from "./service/system-router.js";
export type * from "./service/system-router.js";

export type * from "./sync/sync-messages.js";
export { syncService } from "./sync/sync-service.js";
export type { SyncArgs, SyncEnv } from "./sync/sync-state.js";
