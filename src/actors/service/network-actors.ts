// Which actors a network is made of: each is spawned after those that it tells, and given them.

import { parseAddress } from "../../protocol/address.js";
import type { ActorRef, Context } from "../../runtime/actor.js";
import type { NodeEnv } from "../env.js";
import { blockHandler } from "../handlers/block-handler.js";
import type { BlockHandlerMessage } from "../handlers/block-handler-state.js";
import {
  protocolHandler,
  type ProtocolHandlerArgs,
  type ProtocolMessage,
} from "../handlers/protocol-handler.js";
import { feeFloors } from "../handlers/fee-floors.js";
import { peerExchange, type PeerExchangeMessage } from "../handlers/peer-exchange.js";
import { syncHandler } from "../handlers/sync-handler.js";
import { transactionHandler } from "../handlers/transaction-handler.js";
import type { TransactionHandlerMessage } from "../handlers/transaction-handler-state.js";
import { blockProducer } from "../integration/block-producer.js";
import { blockRepair } from "../integration/block-repair.js";
import { consensusIntegration } from "../integration/consensus-integration.js";
import { mempoolIntegration } from "../integration/mempool-integration.js";
import { storageIntegration } from "../integration/storage-integration.js";
import { advancedPeerRegistry } from "../peer/advanced-peer-registry.js";
import { peerBroadcaster } from "../peer/peer-broadcaster.js";
import { peerReputation, type ReputationMessage } from "../peer/peer-reputation.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { SyncMessage } from "../sync/sync-messages.js";
import { syncService } from "../sync/sync-service.js";
import { dialer } from "./dialer.js";
import { listener, type ListenerMessage } from "./listener.js";
import { messageRouter, type MessageRouterMessage } from "./message-router.js";
import type { NetworkMessage, NetworkServiceArgs } from "./network-messages.js";
import { systemRouter, type SystemRouterMessage } from "./system-router.js";

/** Those that the service itself tells. */
export interface NetworkActors {
  readonly reputation: ActorRef<ReputationMessage>;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly sync: ActorRef<SyncMessage>;
  readonly transactions: ActorRef<TransactionHandlerMessage>;
  readonly blocks: ActorRef<BlockHandlerMessage>;
  /** Absent when it is off. */
  readonly exchange: ActorRef<PeerExchangeMessage> | undefined;
  /** By name. */
  readonly protocols: ReadonlyMap<string, ActorRef<ProtocolMessage>>;
  readonly listener: ActorRef<ListenerMessage>;
}

type Ctx = Context<NetworkMessage, NodeEnv>;

/** Who only listens subscribes by itself. */
export function spawnActors(
  context: Ctx,
  { events, untold, followed }: Pick<NetworkServiceArgs, "events" | "untold" | "followed">,
): NetworkActors {
  const { config } = context.env;
  const mailboxMax = config.mailbox.dataMax;
  const reputation = context.spawn(peerReputation, { mailboxMax }, { name: "reputation" });
  const router = context.spawn(messageRouter, { mailboxMax }, { name: "router" });
  const registry = context.spawn(
    advancedPeerRegistry,
    { router, reputation, events },
    { name: "registry" },
  );
  const consensus = context.spawn(
    consensusIntegration,
    { events, untold, onStoreFailed: context.self },
    { name: "consensus" },
  );
  const following = { consensus, events, followed };
  const mempool = context.spawn(mempoolIntegration, following, { name: "mempool" });
  const storage = context.spawn(storageIntegration, { consensus }, { name: "storage" });
  const system = context.spawn(
    systemRouter,
    { consensus, mempool, storage },
    { name: "system-router" },
  );
  const broadcaster = context.spawn(
    peerBroadcaster,
    { registry, router, consensus, mempool, reputation },
    { name: "broadcaster" },
  );
  context.spawn(feeFloors, { router, registry, mempool, broadcaster }, { name: "fee-floors" });
  const sync = context.spawn(
    syncService,
    { registry, system, reputation, events },
    { name: "sync" },
  );
  const transactions = context.spawn(
    transactionHandler,
    { router, system, broadcaster, reputation, events },
    { name: "transaction-handler" },
  );
  const blocks = context.spawn(
    blockHandler,
    { router, registry, system, broadcaster, sync, reputation, events },
    { name: "block-handler" },
  );
  context.spawn(syncHandler, { router, system }, { name: "sync-handler" });
  const exchange = config.exchange.enabled
    ? context.spawn(peerExchange, { router, registry }, { name: "exchange" })
    : undefined;
  context.spawn(blockRepair, { registry, system }, { name: "block-repair" });
  if (config.produce) {
    const args = { consensus, system, blockHandler: blocks, events };
    context.spawn(blockProducer, args, { name: "producer" });
  }
  context.spawn(dialer, { registry }, { name: "dialer" });
  return {
    reputation,
    router,
    registry,
    system,
    sync,
    transactions,
    blocks,
    exchange,
    protocols: spawnProtocols({ router, registry, reputation, mailboxMax }, context),
    listener: context.spawn(
      listener,
      { endpoints: config.bindAddr.map(parseAddress), registry, events, outcome: context.self },
      { name: "listener" },
    ),
  };
}

function spawnProtocols(
  args: Omit<ProtocolHandlerArgs, "protocol">,
  context: Ctx,
): NetworkActors["protocols"] {
  const { protocols = [] } = context.env;
  return new Map(
    protocols.map((protocol, index) => {
      const name = `protocol-${index + 1}`;
      return [protocol.name, context.spawn(protocolHandler, { ...args, protocol }, { name })];
    }),
  );
}
