// What the sync service holds, and the ends of a session. Only the files of the sync service
// import this.

import type { LRUCache } from "lru-cache";
import type { ActorRef, Context } from "../../runtime/actor.js";
import { blamesNobody } from "../../chain/faults.js";
import type { Fault, HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { FairTimer } from "../../protocol/fair-wait.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { NetworkEvent, SyncStrategy } from "../events/event-types.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { ReputationEvent } from "../peer/reputation-events.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { HeaderExchanges } from "./header-exchanges.js";
import type { OpenAsks } from "./open-asks.js";
import type { SyncManager } from "./sync-manager.js";
import type { SyncMessage } from "./sync-messages.js";
import type { SyncPeer, SyncPeers } from "./sync-peers.js";

export interface SyncArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type SyncEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "config" | "consensus" | "log" | "memory" | "random" | "throttle" | "workers"
>;

export type SyncContext = Context<SyncMessage, SyncEnv>;

export interface SyncState extends SyncArgs {
  readonly peers: SyncPeers;
  readonly exchanges: HeaderExchanges;
  /** A chain that is proven to be heavier, until its last block is connected. */
  session: SyncManager | undefined;
  strategy: SyncStrategy | null;
  /** Blocks that can never be valid: a chain with one of them is not followed again. */
  readonly invalid: LRUCache<HashHex, InvalidBlock>;
  /** Requests for ranges, those of sessions that ended too. */
  readonly asks: OpenAsks;
  /** Of the node's memory: bodies asked for or in hand, and headers. */
  readonly bodyLease: Lease;
  readonly headerLease: Lease;
  /** Tags of connects under way. */
  readonly connects: Set<number>;
  /** For the waits that judge peers; `looking` while its timer runs. */
  readonly lookTimer: FairTimer;
  looking: boolean;
  /** How often waits began anew by this node's own limits, since blocks were last connected. */
  excuses: number;
  /** A place or a peer is new: whom to ask is to be looked at after this turn. */
  considerDue: boolean;
  /** The pool was too busy a moment ago. */
  checksPaused: boolean;
  readonly nextTag: () => number;
  transactionCount: number;
}

/** Why a session ends whose chain its peer no longer has. */
export const MOVED = "the peer moved to another branch";
export const LEFT = "the peer left before its headers came once more";

export function publish(state: SyncState, event: NetworkEvent): void {
  state.events.tell({ type: "Publish", event });
}

/** Good or bad, as the event says. */
export function report(
  state: SyncState,
  peerId: PeerId | undefined,
  event: ReputationEvent,
  detail: string,
): void {
  if (peerId !== undefined) state.reputation.tell({ type: "Report", peerId, event, detail });
}

/** A block that can never be valid. */
export interface InvalidBlock {
  readonly fault: Fault;
  /** Its bytes tell, or only the state below it: whoever has its headers alone cannot know that. */
  readonly toldBy: "bytes" | "state";
}

/** An answer that is not what was asked for: blamed, and the end of its connection. */
export function broke(state: SyncState, peerId: PeerId | undefined, detail: string): void {
  if (peerId !== undefined)
    state.reputation.tell({ type: "Broke", peerId, rule: "answer", detail });
}

/** `peerId`: whoever sent the bytes that are wrong, and is blamed for it. */
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
  blameBlock(state, peerId, { hash, fault });
}

/** Whoever gave or offered an invalid block, unless the fault is nobody's. */
export function blameBlock(
  { reputation }: SyncState,
  peerId: PeerId | undefined,
  { hash, fault: { rule, detail } }: { readonly hash: HashHex; readonly fault: Fault },
): void {
  if (peerId === undefined || blamesNobody(rule)) return;
  const evidence = { about: hash, rule, detail };
  reputation.tell({ type: "Report", peerId, event: "InvalidBlock", ...evidence });
}

/** Peers that claim a heavier chain and may be asked for its proof now. */
export function readyClaimants(state: SyncState, { env }: SyncContext): readonly SyncPeer[] {
  const { blocks, clock, config } = env;
  const nowMs = clock.monotonicMs();
  const ours = blocks.head();
  const tip = BigInt(ours.height + config.sync.incrementalBlocksMax);
  return state.peers.claimants(ours.totalDifficulty).filter(({ notBeforeMs, claimedMs, head }) => {
    // News of the next blocks comes by gossip; sync steps in when it did not.
    const fresh = head.height <= tip && nowMs - claimedMs < config.sync.retryMs;
    return notBeforeMs <= nowMs && !fresh;
  });
}

/** Whether somebody else waits to prove a heavier chain while this peer's is looked at. */
export function othersWait(state: SyncState, peerId: PeerId, context: SyncContext): boolean {
  return readyClaimants(state, context).some((peer) => peer.peerId !== peerId);
}

/** Session → idle: its chain is connected. */
export function finish(state: SyncState, context: SyncContext): void {
  const peer = state.peers.get(state.session?.headerPeer ?? "");
  const rests = peer !== undefined && peer.notBeforeMs > context.env.clock.monotonicMs();
  if (peer !== undefined && !rests) state.peers.succeeded(peer.peerId);
  end(state, context);
}

/** Session → idle: what was proven does not beat what we have by now. */
export function drop(state: SyncState, context: SyncContext): void {
  const peerId = state.session?.headerPeer;
  end(state, context);
  if (peerId !== undefined) unproven(state, peerId, context);
}

/** Nothing of its chain beats ours. Asked again at once it would keep others from being asked. */
export function unproven(state: SyncState, peerId: PeerId, { env }: SyncContext): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  if (peer.askedDifficulty <= env.blocks.head().totalDifficulty) return;
  state.peers.refute(peerId);
  state.peers.coolDown(peerId, env.clock.monotonicMs());
}

function end(state: SyncState, context: SyncContext): void {
  clear(state);
  const head = context.env.blocks.head();
  context.env.log.write("info", "sync finished", { height: head.height, head: head.hash });
  publish(state, { type: "SyncFinished", height: head.height, headHash: head.hash });
}

/**
 * Session → idle: the rest of the chain cannot be had from here. `ours`: for a reason of this node;
 * then nobody is left alone for it, and it begins anew at the next regular look.
 */
export function abort(state: SyncState, context: SyncContext, reason: string, ours = false): void {
  const peerId = state.session?.headerPeer;
  if (peerId === undefined) return;
  clear(state);
  if (ours) state.considerDue = false;
  else state.peers.coolDown(peerId, context.env.clock.monotonicMs());
  context.env.log.write("warn", "sync failed", { peerId, reason });
  publish(state, { type: "SyncFailed", peerId, reason });
}

function clear(state: SyncState): void {
  state.session = undefined;
  state.asks.forsakeAll();
  state.exchanges.clear();
  state.connects.clear();
  state.strategy = null;
  state.considerDue = true;
}
