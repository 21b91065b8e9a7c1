// What the sync service holds, and the ends of a session. Only the files of the sync service
// import this.

import type { LRUCache } from "lru-cache";
import type { ActorRef, Context } from "../../runtime/actor.js";
import { blamesNobody } from "../../chain/faults.js";
import type { Fault, HashHex } from "../../chain/types.js";
import type { PeerId } from "../../ports.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { NetworkEvent, SyncStrategy } from "../events/event-types.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { ReputationEvent } from "../peer/reputation-ledger.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { SyncManager } from "./sync-manager.js";
import type { SyncMessage } from "./sync-messages.js";

export interface SyncArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type SyncEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "config" | "consensus" | "log" | "random" | "workers"
>;

export type SyncContext = Context<SyncMessage, SyncEnv>;

export interface SyncPeer {
  readonly peerId: PeerId;
  readonly handler: ActorRef<PeerHandlerMessage>;
  /** A claim: it orders whom to ask, nothing else. */
  head: ChainHead;
  claimedMs: number;
  score: number;
  /** What it claimed when it was last asked for headers: later claims are not on trial. */
  askedDifficulty: bigint;
  /** Claims up to this were put to the proof and failed. */
  refutedDifficulty: bigint;
  /** Left alone until then. */
  notBeforeMs: number;
  failures: number;
}

/** The one exchange of headers that may be under way. */
export type HeaderExchange =
  | {
      readonly step: "asked";
      readonly tag: number;
      readonly peerId: PeerId;
      readonly askedMs: number;
      /** The height of our head then: what the locator was made of. */
      readonly headHeight: number;
      /** Without a session: up to here the peer's chain is known to be ours. */
      readonly commonHeight: number;
    }
  | { readonly step: "checking"; readonly headers: readonly Uint8Array[] };

export interface SyncState extends SyncArgs {
  readonly peers: Map<PeerId, SyncPeer>;
  /** Set from the first headers of a better chain until its last block is connected. */
  session: SyncManager | undefined;
  strategy: SyncStrategy | null;
  exchange: HeaderExchange | undefined;
  /** How long a claimant may keep us waiting while others wait to be asked. */
  patienceMs: number;
  /** How long the one whose headers are asked for did so, less what it earned by headers. */
  waitedMs: number;
  /** Refuted claims of peers that left, so that coming back makes none of them new. */
  readonly refuted: LRUCache<PeerId, bigint>;
  /** Range requests and connects under way: the session's own numbers by tag. */
  readonly requests: Map<number, number>;
  readonly connects: Set<number>;
  /** The stall timer runs. */
  watchingStall: boolean;
  /** Setbacks of this session; too many end it. */
  setbacks: number;
  nextTag: number;
  nextSession: number;
  transactionCount: number;
}

/** Why a session ends whose chain its peer no longer has. */
export const MOVED = "the peer moved to another branch";

/** A peer that failed is left alone for a doubling time, at most 64 retries long. */
const COOLDOWN_DOUBLINGS_MAX = 6;

export function publish(state: SyncState, event: NetworkEvent): void {
  state.events.tell({ type: "Publish", event });
}

export function blame(
  state: SyncState,
  peerId: PeerId | undefined,
  event: ReputationEvent,
  detail: string,
): void {
  if (peerId !== undefined) state.reputation.tell({ type: "Report", peerId, event, detail });
}

export function rejectBlock(
  state: SyncState,
  context: SyncContext,
  rejected: { readonly hash: HashHex; readonly fault: Fault; readonly peerId: PeerId | undefined },
): void {
  const { hash, fault, peerId } = rejected;
  const { rule, detail } = fault;
  context.env.log.write("warn", "block rejected", { hash, rule, detail, peerId });
  const from = peerId === undefined ? {} : { peerId };
  publish(state, { type: "BlockRejected", hash, rule, detail, ...from });
  if (!blamesNobody(rule)) blame(state, peerId, "InvalidBlock", `${rule}: ${detail}`);
}

/** The claim did not hold, or the peer did not deliver: others first, for a while. */
export function coolDown(state: SyncState, peerId: PeerId, context: SyncContext): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  peer.failures = Math.min(peer.failures + 1, COOLDOWN_DOUBLINGS_MAX);
  const { clock, config } = context.env;
  peer.notBeforeMs = clock.monotonicMs() + config.sync.retryMs * 2 ** peer.failures;
}

export function refute(state: SyncState, peerId: PeerId): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  peer.refutedDifficulty = peer.askedDifficulty;
  state.refuted.set(peerId, peer.refutedDifficulty);
}

/** Session → idle: its chain is connected. */
export function finish(state: SyncState, context: SyncContext): void {
  const peer = state.peers.get(state.session?.headerPeer ?? "");
  const rests = peer !== undefined && peer.notBeforeMs > context.env.clock.monotonicMs();
  if (peer !== undefined && !rests) peer.failures = 0;
  end(state, context);
}

/** Session → idle: what was proven does not beat what we have by now. */
export function drop(state: SyncState, context: SyncContext): void {
  const peer = state.peers.get(state.session?.headerPeer ?? "");
  end(state, context);
  if (peer === undefined) return;
  if (peer.askedDifficulty <= context.env.blocks.head().totalDifficulty) return;
  // Its claim did not hold. Asked again at once it would keep everybody else from being asked.
  refute(state, peer.peerId);
  coolDown(state, peer.peerId, context);
}

function end(state: SyncState, context: SyncContext): void {
  const { strategy } = state;
  clear(state);
  // Nothing was proven, so nobody heard of a start.
  if (strategy === null) return;
  const head = context.env.blocks.head();
  context.env.log.write("info", "sync finished", { height: head.height, head: head.hash });
  publish(state, { type: "SyncFinished", height: head.height, headHash: head.hash });
}

/** Session → idle: the rest of the chain cannot be had from here. */
export function abort(state: SyncState, context: SyncContext, reason: string): void {
  const peerId = state.session?.headerPeer;
  const { strategy } = state;
  clear(state);
  if (peerId === undefined) return;
  coolDown(state, peerId, context);
  context.env.log.write("warn", "sync failed", { peerId, reason });
  // As above: what nobody heard of cannot fail.
  if (strategy !== null) publish(state, { type: "SyncFailed", peerId, reason });
}

function clear(state: SyncState): void {
  state.session = undefined;
  state.exchange = undefined;
  state.requests.clear();
  state.connects.clear();
  state.setbacks = 0;
  state.strategy = null;
}
