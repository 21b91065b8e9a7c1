// The status of the node, put together from what registry, sync and mempool answer. One that does
// not answer in time leaves its part unknown.

import type { WireKind } from "../../protocol/types/message.js";
import type { ActorRef, AskOutcome, Context } from "../../runtime/actor.js";
import type { NodeEnv } from "../env.js";
import type { ExchangeStatus, PeerExchangeMessage } from "../handlers/peer-exchange.js";
import type { MempoolSize } from "../integration/mempool-integration.js";
import { clockStatus } from "../peer/clock-offset.js";
import type { PeerReport, RegistryMessage } from "../peer/peer-table.js";
import type { SyncMessage, SyncStatus } from "../sync/sync-messages.js";
import type { DialStatus } from "./dial-messages.js";
import type { KindStatistics, MessageRouterMessage } from "./message-router.js";
import type { NetworkActors } from "./network-actors.js";
import type { NetworkMessage, StatusPart } from "./network-messages.js";
import { peerStatus, type KindDrops, type NodeStatus } from "./node-status.js";
import type { SubsystemFigures } from "./subsystem.js";
import type { SystemRouterMessage } from "./system-router.js";

type Asked = Pick<NetworkActors, "exchange" | "registry" | "router" | "sync" | "system">;
type StatusEnv = Pick<
  NodeEnv,
  "blocks" | "config" | "health" | "memory" | "peerId" | "throttle" | "workers"
>;
/** What the service knows itself. */
interface Known extends Pick<NodeStatus, "degraded"> {
  readonly listenAddresses: readonly string[] | undefined;
}

interface StatusQuery {
  readonly replyTo: ActorRef<NodeStatus>;
  parts: StatusPart;
}

const ASK_TIMEOUT_MS = 5_000;
const UNKNOWN_SYNC: SyncStatus = {
  state: "waiting",
  strategy: null,
  targetHeight: null,
  waitingFor: "an answer of the sync service",
};

export class StatusQueries {
  readonly #open = new Map<number, StatusQuery>();
  #next = 1;

  /** Every part comes back to the service, for `take`. */
  ask(of: Asked, replyTo: ActorRef<NodeStatus>, context: Context<NetworkMessage, unknown>): void {
    const query = this.#next++;
    this.#open.set(query, { replyTo, parts: of.exchange === undefined ? { exchange: null } : {} });
    context.ask<RegistryMessage, readonly PeerReport[]>(
      of.registry,
      (to) => ({ type: "GetPeers", replyTo: to }),
      ASK_TIMEOUT_MS,
      (outcome) => ({ type: "StatusPart", query, part: { peers: valueOr(outcome, []) } }),
    );
    context.ask<SyncMessage, SyncStatus>(
      of.sync,
      (to) => ({ type: "GetSyncStatus", replyTo: to }),
      ASK_TIMEOUT_MS,
      (outcome) => ({ type: "StatusPart", query, part: { sync: valueOr(outcome, UNKNOWN_SYNC) } }),
    );
    context.ask<RegistryMessage, DialStatus>(
      of.registry,
      (to) => ({ type: "GetDialStatus", replyTo: to }),
      ASK_TIMEOUT_MS,
      (outcome) => ({
        type: "StatusPart",
        query,
        part: { dial: valueOr(outcome, { waitingFor: null }) },
      }),
    );
    context.ask<SystemRouterMessage, MempoolSize>(
      of.system,
      (to) => ({ to: "mempool", message: { type: "GetSize", replyTo: to } }),
      ASK_TIMEOUT_MS,
      (outcome) => ({
        type: "StatusPart",
        query,
        part: { mempool: valueOr(outcome, { count: 0, bytes: 0 }) },
      }),
    );
    context.ask<SystemRouterMessage, readonly SubsystemFigures[]>(
      of.system,
      (to) => ({ to: "router", message: { type: "GetSubsystems", replyTo: to } }),
      ASK_TIMEOUT_MS,
      (outcome) => ({ type: "StatusPart", query, part: { subsystems: valueOr(outcome, []) } }),
    );
    context.ask<MessageRouterMessage, KindStatistics>(
      of.router,
      (to) => ({ type: "GetKindStatistics", replyTo: to }),
      ASK_TIMEOUT_MS,
      (outcome) => ({ type: "StatusPart", query, part: { kinds: valueOr(outcome, {}) } }),
    );
    if (of.exchange === undefined) return;
    context.ask<PeerExchangeMessage, ExchangeStatus>(
      of.exchange,
      (to) => ({ type: "GetExchangeStatus", replyTo: to }),
      ASK_TIMEOUT_MS,
      (outcome) => ({ type: "StatusPart", query, part: { exchange: valueOr(outcome, null) } }),
    );
  }

  take(
    id: number,
    part: StatusPart,
    { listenAddresses = [], degraded }: Known,
    env: StatusEnv,
  ): void {
    const query = this.#open.get(id);
    if (query === undefined) return;
    query.parts = { ...query.parts, ...part };
    const { peers, sync, dial, mempool, exchange, kinds, subsystems } = query.parts;
    if (peers === undefined || sync === undefined || exchange === undefined) return;
    if (dial === undefined || mempool === undefined) return;
    if (kinds === undefined || subsystems === undefined) return;
    this.#open.delete(id);
    const { blocks, config, health, memory, peerId, throttle, workers } = env;
    const head = blocks.head();
    const { queued, running } = workers.load();
    query.replyTo.tell({
      peerId,
      nodeId: config.nodeId,
      networkId: blocks.hashAt(0) ?? head.hash,
      height: head.height,
      headHash: head.hash,
      totalDifficulty: head.totalDifficulty.toString(),
      listenAddresses,
      listenAddress: listenAddresses[0] ?? null,
      degraded,
      peers: peers.map(peerStatus),
      sync: syncStatus(sync, dial),
      pool: { queued, running },
      clock: clockStatus(peers, config.clock.offsetMaxMs),
      mempool,
      exchange,
      overload: dropsOf(kinds),
      subsystems,
      memory: { ...memory.report(), anonymousBytes: health.anonymousBytes?.() ?? null },
      limits: throttle.report(),
    });
  }
}

function dropsOf(kinds: KindStatistics): readonly KindDrops[] {
  return Object.entries(kinds).flatMap(([kind, figures]) => {
    if (figures === undefined || figures.dropped.overload === 0) return [];
    const { dropped, dropPart } = figures;
    return [{ kind: kind as WireKind, dropped: dropped.overload, dropPart }];
  });
}

/** A sync without any peer waits for one: the registry says for which, since when and until when. */
function syncStatus(sync: SyncStatus, { waitingFor }: DialStatus): SyncStatus {
  const alone = sync.state === "waiting" && sync !== UNKNOWN_SYNC && waitingFor !== null;
  return alone ? { ...sync, waitingFor } : sync;
}

function valueOr<R>(outcome: AskOutcome<R>, otherwise: R): R {
  return outcome.ok ? outcome.value : otherwise;
}
