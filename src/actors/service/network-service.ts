// NetworkService: the root of the network's actors. Spawns them in the order of their needs, hands
// outside questions to the right one, and stops them in order. A fault that reaches it restarts the
// whole network, a few times; then it gives up and the process ends, as it does at once when the
// store failed, or an actor that the rest needs used up its own restarts.
// Told by: the composition root. Tells: every actor below it.

import { unreachable } from "../../errors.js";
import {
  defineActor,
  replyToOf,
  type ActorRef,
  type AskOutcome,
  type Context,
} from "../../runtime/actor.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { DisconnectReason } from "../../protocol/types/message.js";
import { parseAddress } from "../../protocol/address.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import { blockHandler } from "../handlers/block-handler.js";
import type { BlockHandlerMessage } from "../handlers/block-handler-state.js";
import {
  protocolHandler,
  type ProtocolHandlerArgs,
  type ProtocolMessage,
} from "../handlers/protocol-handler.js";
import { syncHandler } from "../handlers/sync-handler.js";
import { transactionHandler } from "../handlers/transaction-handler.js";
import type {
  SubmitOutcome,
  TransactionHandlerMessage,
} from "../handlers/transaction-handler-state.js";
import { blockProducer } from "../integration/block-producer.js";
import { consensusIntegration, type StoreFailed } from "../integration/consensus-integration.js";
import type { Untold } from "../integration/chain-commits.js";
import { guardMempool } from "../integration/guarded-mempool.js";
import { mempoolIntegration } from "../integration/mempool-integration.js";
import { blockRepair } from "../integration/block-repair.js";
import { storageIntegration, type TransactionLocated } from "../integration/storage-integration.js";
import { advancedPeerRegistry } from "../peer/advanced-peer-registry.js";
import { peerBroadcaster } from "../peer/peer-broadcaster.js";
import { peerReputation, type ReputationMessage } from "../peer/peer-reputation.js";
import { clockStatus } from "../peer/clock-offset.js";
import type { PeerReport, RegistryMessage } from "../peer/peer-table.js";
import type { PingOutcome } from "../peer/peer-handler-messages.js";
import type { PeerExplanation } from "../peer/reputation-ledger.js";
import type { SyncMessage, SyncStatus } from "../sync/sync-messages.js";
import { syncService } from "../sync/sync-service.js";
import { dialer, type DialerMessage, type DialStatus } from "./dialer.js";
import { listener, type ListenerMessage, type ListenOutcome } from "./listener.js";
import { messageRouter, type KindStatistics, type MessageRouterMessage } from "./message-router.js";
import {
  actorName,
  gaveUp,
  isEssential,
  reasonOf,
  type ActorLost,
  type Degraded,
} from "./given-up.js";
import { peerStatus, type NodeStatus } from "./node-status.js";
import { systemRouter, type SystemRouterMessage } from "./system-router.js";

export type NetworkMessage =
  | { readonly type: "GetStatus"; readonly replyTo: ActorRef<NodeStatus> }
  | { readonly type: "GetPeers"; readonly replyTo: ActorRef<readonly PeerReport[]> }
  | { readonly type: "GetKindStatistics"; readonly replyTo: ActorRef<KindStatistics> }
  | { readonly type: "GetBans"; readonly replyTo: ActorRef<readonly BanRecord[]> }
  | {
      readonly type: "ExplainPeer";
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<PeerExplanation>;
    }
  | { readonly type: "UnbanPeer"; readonly peerId: PeerId }
  | { readonly type: "PingPeer"; readonly peerId: PeerId; readonly replyTo: ActorRef<PingOutcome> }
  | {
      readonly type: "DisconnectPeer";
      readonly peerId: PeerId;
      readonly reason: DisconnectReason;
    }
  | Extract<DialerMessage, { type: "Connect" }>
  | {
      readonly type: "SubmitTransaction";
      readonly transaction: Uint8Array;
      readonly replyTo: ActorRef<SubmitOutcome>;
    }
  | { readonly type: "SubmitBlock"; readonly block: Uint8Array }
  | {
      readonly type: "LocateTransaction";
      readonly id: string;
      readonly replyTo: ActorRef<TransactionLocated>;
    }
  /** From a service: to the actor of the protocol that it brought. */
  | { readonly type: "ToProtocol"; readonly protocol: string; readonly message: ProtocolMessage }
  /** A subscription: handed to the event bus as it is. */
  | Extract<EventBusMessage, { type: "Subscribe" | "Unsubscribe" }>
  | { readonly type: "Stop"; readonly replyTo: ActorRef<"Stopped"> }
  | { readonly type: "StatusPart"; readonly query: number; readonly part: StatusPart }
  | { readonly type: "ClockDue" }
  | { readonly type: "ClocksTold"; readonly peers: readonly PeerReport[] }
  | { readonly type: "Drained"; readonly replyTo: ActorRef<"Stopped"> }
  | ListenOutcome
  | StoreFailed;

type StatusPart = { peers: readonly PeerReport[] } | { sync: SyncStatus } | { dial: DialStatus };

export interface NetworkServiceArgs {
  /** Told at each start: the node listens (or does not want to), or why it cannot. */
  readonly started: ActorRef<ListenOutcome | StoreFailed | ActorLost>;
  readonly events: ActorRef<EventBusMessage>;
  readonly untold: Untold;
}

interface Children {
  readonly reputation: ActorRef<ReputationMessage>;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly sync: ActorRef<SyncMessage>;
  readonly transactions: ActorRef<TransactionHandlerMessage>;
  readonly blocks: ActorRef<BlockHandlerMessage>;
  /** By name. */
  readonly protocols: ReadonlyMap<string, ActorRef<ProtocolMessage>>;
  readonly listener: ActorRef<ListenerMessage> | undefined;
  readonly dialer: ActorRef<DialerMessage>;
}

interface StatusQuery {
  readonly replyTo: ActorRef<NodeStatus>;
  peers: readonly PeerReport[] | undefined;
  sync: SyncStatus | undefined;
  dial: DialStatus | undefined;
}

interface State extends NetworkServiceArgs {
  readonly children: Children;
  listenAddress: string | null;
  readonly queries: Map<number, StatusQuery>;
  nextQuery: number;
  /** What the network does without since its last start. */
  degraded: readonly Degraded[];
  /** Monotonic time at which the log last said that the clock is wrong. */
  clockWarnedMs: number;
}

type Ctx = Context<NetworkMessage, NodeEnv>;

const ASK_TIMEOUT_MS = 5_000;
const UNKNOWN_SYNC: SyncStatus = {
  state: "waiting",
  strategy: null,
  targetHeight: null,
  waitingFor: "an answer of the sync service",
};

export const networkService = defineActor<NetworkServiceArgs, NetworkMessage, State, NodeEnv>({
  name: "network",
  mailbox: {
    dataMax: 4_096,
    controlMax: 4_096,
    overflow: "reject",
    replyOf: (message) => replyToOf(message.type === "ToProtocol" ? message.message : message),
    isControl: ({ type }) => CONTROL.has(type),
  },
  onFault: {
    kind: "restart",
    restartsMax: 3,
    withinMs: 60_000,
    backoffMinMs: 100,
    backoffMaxMs: 2_000,
  },

  init(context, args) {
    const children = spawnAll(context, args);
    if (children.listener === undefined) args.started.tell({ type: "Listening", address: "" });
    context.startTimer("clock", context.env.config.clock.checkEveryMs, { type: "ClockDue" });
    return {
      ...args,
      children,
      listenAddress: null,
      queries: new Map(),
      nextQuery: 1,
      degraded: [],
      clockWarnedMs: Number.NEGATIVE_INFINITY,
    };
  },

  receive(state, message, context) {
    const { children } = state;
    switch (message.type) {
      case "GetStatus":
        askStatus(state, message.replyTo, context);
        return;
      case "StatusPart":
        takePart(state, message.query, message.part, context);
        return;
      case "GetPeers":
      case "PingPeer":
        context.forward(children.registry, message, message.replyTo);
        return;
      case "GetKindStatistics":
        context.forward(children.router, message, message.replyTo);
        return;
      case "GetBans":
        context.forward(children.reputation, message, message.replyTo);
        return;
      case "ExplainPeer":
        context.forward(children.reputation, { ...message, type: "Explain" }, message.replyTo);
        return;
      case "UnbanPeer":
        children.reputation.tell({ ...message, type: "Unban" });
        return;
      case "DisconnectPeer": {
        const detail = "asked for by the operator";
        children.registry.tell({ ...message, type: "Disconnect", detail });
        return;
      }
      case "Connect":
        children.dialer.tell(message);
        return;
      case "SubmitTransaction":
        submit(state, message);
        return;
      case "SubmitBlock":
        children.blocks.tell({ type: "Produced", block: message.block });
        return;
      case "LocateTransaction":
        context.forward(children.system, { to: "storage", message }, message.replyTo);
        return;
      case "ToProtocol":
        toProtocol(state, message, context);
        return;
      case "Subscribe":
      case "Unsubscribe":
        state.events.tell(message);
        return;
      case "Listening":
        state.listenAddress = message.address;
        children.registry.tell(message);
        state.started.tell(message);
        return;
      case "ListenFailed":
        // Where it listened before, nobody who could start it elsewhere waits for an answer.
        if (state.listenAddress !== null) goOnWithout("listener", message.error, state, context);
        state.started.tell(message);
        return;
      case "StoreFailed":
        // No goodbye: until it ends, this node tells peers of blocks that it may not have.
        state.started.tell(message);
        context.stop();
        return;
      case "ClockDue":
        askClocks(state, context);
        return;
      case "ClocksTold":
        checkClock(state, message.peers, context);
        return;
      case "Stop":
        stop(state, message.replyTo, context);
        return;
      case "Drained":
        message.replyTo.tell("Stopped");
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal, context) {
    if (signal.type !== "childStopped" || signal.error === undefined) return;
    const actor = actorName(signal.path);
    if (!isEssential(actor)) {
      goOnWithout(actor, signal.error, state, context);
      return;
    }
    state.started.tell({ type: "ActorLost", error: gaveUp(signal.path, signal.error) });
    context.stop();
  },
});

function goOnWithout(actor: string, error: unknown, state: State, { env }: Ctx): void {
  const reason = reasonOf(error);
  state.degraded = [...state.degraded.filter((lost) => lost.actor !== actor), { actor, reason }];
  env.log.write("error", "an actor gave up, the network goes on without it", { actor, reason });
}

const CONTROL: ReadonlySet<NetworkMessage["type"]> = new Set([
  "Listening",
  "ListenFailed",
  "StoreFailed",
  "Stop",
  "Drained",
  "StatusPart",
]);

/** Each actor comes after those it tells; who only listens subscribes by itself. */
function spawnAll(context: Ctx, { events, untold }: NetworkServiceArgs): Children {
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
  const mempool = context.spawn(mempoolIntegration, { consensus, events }, { name: "mempool" });
  const storage = context.spawn(storageIntegration, { consensus }, { name: "storage" });
  const system = context.spawn(
    systemRouter,
    { consensus, mempool, storage },
    { name: "system-router" },
  );
  const broadcaster = context.spawn(
    peerBroadcaster,
    { registry, consensus, mempool },
    { name: "broadcaster" },
  );
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
  context.spawn(blockRepair, { registry, system }, { name: "block-repair" });
  if (config.produce) {
    const args = { consensus, system, blockHandler: blocks, events };
    context.spawn(blockProducer, args, { name: "producer" });
  }
  return {
    reputation,
    router,
    registry,
    system,
    sync,
    transactions,
    blocks,
    protocols: spawnProtocols({ router, registry, mailboxMax }, context),
    dialer: context.spawn(dialer, { registry }, { name: "dialer" }),
    listener:
      config.bindAddr === null
        ? undefined
        : context.spawn(
            listener,
            { endpoint: parseAddress(config.bindAddr), registry, events, outcome: context.self },
            { name: "listener" },
          ),
  };
}

function spawnProtocols(
  args: Omit<ProtocolHandlerArgs, "protocol">,
  context: Ctx,
): Children["protocols"] {
  const { protocols = [] } = context.env;
  return new Map(
    protocols.map((protocol, index) => {
      const name = `protocol-${index + 1}`;
      return [protocol.name, context.spawn(protocolHandler, { ...args, protocol }, { name })];
    }),
  );
}

function submit(
  { children }: State,
  { transaction, replyTo }: Extract<NetworkMessage, { type: "SubmitTransaction" }>,
): void {
  if (children.transactions.tell({ type: "Submit", transaction, replyTo })) return;
  replyTo.tell({ ok: false, id: "", reason: "busy" });
}

function toProtocol(
  { children }: State,
  { protocol, message }: Extract<NetworkMessage, { type: "ToProtocol" }>,
  context: Ctx,
): void {
  const handler = children.protocols.get(protocol)!;
  if (message.type === "Send") handler.tell(message);
  else context.forward(handler, message, message.replyTo);
}

function askStatus(state: State, replyTo: ActorRef<NodeStatus>, context: Ctx): void {
  const query = state.nextQuery++;
  state.queries.set(query, { replyTo, peers: undefined, sync: undefined, dial: undefined });
  context.ask<RegistryMessage, readonly PeerReport[]>(
    state.children.registry,
    (to) => ({ type: "GetPeers", replyTo: to }),
    ASK_TIMEOUT_MS,
    (outcome) => ({ type: "StatusPart", query, part: { peers: valueOr(outcome, []) } }),
  );
  context.ask<SyncMessage, SyncStatus>(
    state.children.sync,
    (to) => ({ type: "GetSyncStatus", replyTo: to }),
    ASK_TIMEOUT_MS,
    (outcome) => ({ type: "StatusPart", query, part: { sync: valueOr(outcome, UNKNOWN_SYNC) } }),
  );
  context.ask<DialerMessage, DialStatus>(
    state.children.dialer,
    (to) => ({ type: "GetDialStatus", replyTo: to }),
    ASK_TIMEOUT_MS,
    (outcome) => ({
      type: "StatusPart",
      query,
      part: { dial: valueOr(outcome, { waitingFor: null }) },
    }),
  );
}

/** A sync without any peer waits for one: the dialer says for which, since when and until when. */
function syncStatus(sync: SyncStatus, { waitingFor }: DialStatus): SyncStatus {
  const alone = sync.state === "waiting" && sync !== UNKNOWN_SYNC && waitingFor !== null;
  return alone ? { ...sync, waitingFor } : sync;
}

function valueOr<R>(outcome: AskOutcome<R>, otherwise: R): R {
  return outcome.ok ? outcome.value : otherwise;
}

function takePart(state: State, id: number, part: StatusPart, { env }: Ctx): void {
  const query = state.queries.get(id);
  if (query === undefined) return;
  if ("peers" in part) query.peers = part.peers;
  else if ("dial" in part) query.dial = part.dial;
  else query.sync = part.sync;
  const { peers, sync, dial, replyTo } = query;
  if (peers === undefined || sync === undefined || dial === undefined) return;
  state.queries.delete(id);
  const { blocks, config, log, peerId, workers } = env;
  const mempool = guardMempool(env.mempool, log);
  const head = blocks.head();
  const { queued, running } = workers.load();
  replyTo.tell({
    peerId,
    nodeId: config.nodeId,
    networkId: blocks.hashAt(0) ?? head.hash,
    height: head.height,
    headHash: head.hash,
    totalDifficulty: head.totalDifficulty.toString(),
    listenAddress: state.listenAddress,
    peers: peers.map(peerStatus),
    sync: syncStatus(sync, dial),
    pool: { queued, running },
    clock: clockStatus(peers, config.clock.offsetMaxMs),
    degraded: state.degraded,
    mempool: { count: mempool.count, bytes: mempool.bytes },
  });
}

function askClocks({ children }: State, context: Ctx): void {
  context.ask<RegistryMessage, readonly PeerReport[]>(
    children.registry,
    (to) => ({ type: "GetPeers", replyTo: to }),
    ASK_TIMEOUT_MS,
    (outcome) => ({ type: "ClocksTold", peers: valueOr(outcome, []) }),
  );
}

function checkClock(state: State, peers: readonly PeerReport[], context: Ctx): void {
  const { clock, config, log } = context.env;
  const { offsetMaxMs, checkEveryMs, warnEveryMs } = config.clock;
  context.startTimer("clock", checkEveryMs, { type: "ClockDue" });
  const { wrong, offsetMs, told } = clockStatus(peers, offsetMaxMs);
  const nowMs = clock.monotonicMs();
  if (wrong === null || nowMs - state.clockWarnedMs < warnEveryMs) return;
  state.clockWarnedMs = nowMs;
  log.write("warn", "the clock is wrong", { offsetMs, told, reason: wrong });
}

/** No new peers, a last word to those there are, then it is over. */
function stop({ children }: State, replyTo: ActorRef<"Stopped">, context: Ctx): void {
  children.listener?.tell({ type: "Stop" });
  children.dialer.tell({ type: "Stop" });
  context.ask<RegistryMessage, "Drained">(
    children.registry,
    (to) => ({ type: "Shutdown", replyTo: to }),
    context.env.config.shutdown.drainMs + 1_000,
    () => ({ type: "Drained", replyTo }),
  );
}
