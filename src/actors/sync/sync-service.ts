// SyncService: brings this node to the best chain that any peer can prove. Runs one SyncManager
// session at a time: headers of one peer, checked; bodies from several; connected in order.
// Told by: registry, peer handlers (answers), block handler, consensus (outcomes), the service.
// Tells: peer handlers, system router, reputation, event bus.

import { LRUCache } from "lru-cache";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { firstTag } from "../tags.js";
import type { PeerId } from "../../ports.js";
import {
  blocksChecked,
  connectEnded,
  proceed,
  rangeAnswered,
  servingPeers,
  setBack,
} from "./sync-bodies.js";
import { claimants, consider, passOver, headersAnswered, headersChecked } from "./sync-headers.js";
import type { SyncMessage, SyncStatus } from "./sync-messages.js";
import {
  abort,
  type SyncArgs,
  type SyncContext,
  type SyncEnv,
  type SyncState,
} from "./sync-state.js";

/** How often a running session looks for a peer that holds everybody up. */
const STALL_INTERVAL_MS = 500;

export const syncService = defineActor<SyncArgs, SyncMessage, SyncState, SyncEnv>({
  name: "sync",
  mailbox: {
    dataMax: 1_024,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "BehindPeer" && type !== "GetSyncStatus",
  },
  onFault: RESTART,

  init(context, args) {
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    context.startTimer("consider", context.env.config.sync.retryMs, { type: "ConsiderDue" });
    return {
      ...args,
      peers: new Map(),
      session: undefined,
      strategy: null,
      exchange: undefined,
      patienceMs: context.env.config.sync.stallMinMs,
      waitedMs: 0,
      refuted: new LRUCache({ max: context.env.config.sync.refutedPeersMax }),
      requests: new Map(),
      connects: new Set(),
      watchingStall: false,
      setbacks: 0,
      nextTag: firstTag(context.env.random),
      nextSession: firstTag(context.env.random),
      transactionCount: 0,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady": {
        const { peerId, handler, head, capabilities } = message;
        if (!capabilities.has("sync/1")) return;
        state.peers.set(peerId, {
          peerId,
          handler,
          head: head.claimed,
          claimedMs: Number.NEGATIVE_INFINITY,
          score: 0.5,
          askedDifficulty: 0n,
          refutedDifficulty: state.refuted.get(peerId) ?? 0n,
          notBeforeMs: 0,
          failures: 0,
        });
        // Whoever claims no more than we have changes nothing, and peers may come by the hundred.
        const ours = context.env.blocks.head().totalDifficulty;
        if (head.claimed.totalDifficulty > ours) consider(state, context);
        return;
      }
      case "PeerGone":
        if (message.wasReady) peerGone(state, message.peerId);
        return;
      case "PeerMeasured": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.score = message.performance.score;
        return;
      }
      case "PeerClaimed": {
        const peer = state.peers.get(message.peerId);
        if (peer === undefined) return;
        peer.head = message.head.claimed;
        peer.claimedMs = context.env.clock.monotonicMs();
        return;
      }
      case "BehindPeer": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.claimedMs = Number.NEGATIVE_INFINITY;
        consider(state, context);
        return;
      }
      case "ConsiderDue":
        if (isStarved(state)) abort(state, context, "nobody serves the rest of it");
        state.session?.forgive();
        passOver(state, context);
        consider(state, context);
        context.startTimer("consider", context.env.config.sync.retryMs, { type: "ConsiderDue" });
        return;
      case "StallDue":
        stallDue(state, context);
        return;
      case "RequestOutcome":
        if (state.exchange?.step === "asked" && state.exchange.tag === message.tag) {
          headersAnswered(state, state.exchange, message, context);
        } else {
          rangeAnswered(state, message, context);
        }
        return;
      case "HeadersChecked":
        if (message.session === state.session?.id) headersChecked(state, message.verdict, context);
        return;
      case "BlocksChecked":
        if (message.session !== state.session?.id) return;
        blocksChecked(state, message.task, message.verdict, context);
        return;
      case "ConnectOutcome":
        connectEnded(state, message, context);
        return;
      case "GetSyncStatus":
        message.replyTo.tell(statusOf(state, context));
        return;
      default:
        unreachable(message);
    }
  },

  afterBatch(state, context) {
    const had = state.session;
    proceed(state, context);
    if (had !== undefined && state.session === undefined) consider(state, context);
    if (state.session !== undefined && !state.watchingStall) {
      state.watchingStall = true;
      context.startTimer("stall", STALL_INTERVAL_MS, { type: "StallDue" });
    }
  },

  invariants({ session, requests }) {
    session?.invariants();
    const open = [...requests.values()].filter((request) => session?.rangeOf(request));
    const held = session?.requestedCount ?? 0;
    invariant(open.length === held, `${held} ranges wait for ${open.length} answers`);
  },

  atRest({ session, exchange, requests, connects }) {
    invariant(session === undefined, "a session goes on");
    invariant(exchange === undefined, "headers are waited for");
    invariant(requests.size === 0, `${requests.size} requests for ranges are owed`);
    invariant(connects.size === 0, `${connects.size} ranges are being connected`);
  },
});

/** The one who offered the chain left, and nobody who stayed can serve what is missing. */
function isStarved({ session, peers }: SyncState): boolean {
  return session !== undefined && session.starved && !peers.has(session.headerPeer);
}

function peerGone(state: SyncState, peerId: PeerId): void {
  state.peers.delete(peerId);
  state.session?.peerGone(peerId);
  if (state.exchange?.step === "asked" && state.exchange.peerId === peerId) {
    state.exchange = undefined;
  }
}

/** Gives the range that everything waits for to another peer, when there is one. */
function stallDue(state: SyncState, context: SyncContext): void {
  state.watchingStall = false;
  const { session } = state;
  if (session === undefined) return;
  const range = session.stalled(servingPeers(state, session), context.env.clock.monotonicMs());
  if (range === undefined) return;
  const { peerId, fromHeight } = range;
  context.env.log.write("info", "sync waits for a slow peer", { peerId, fromHeight });
  // Slow is not withheld: over a thin line a range takes many seconds to arrive.
  session.failed(range);
  setBack(state, context);
}

function statusOf(state: SyncState, context: SyncContext): SyncStatus {
  const { session, strategy, exchange } = state;
  if (session !== undefined) {
    return {
      state: "syncing",
      strategy,
      targetHeight: session.tip.summary.height,
      waitingFor: session.waitingFor(context.env.clock.monotonicMs()),
    };
  }
  const none = { strategy: null, targetHeight: null };
  if (exchange?.step === "asked") {
    const seconds = ((context.env.clock.monotonicMs() - exchange.askedMs) / 1_000).toFixed(1);
    const waitingFor = `headers from ${exchange.peerId.slice(0, 8)} for ${seconds} s`;
    return { state: "syncing", ...none, waitingFor };
  }
  if (state.peers.size === 0) return { state: "waiting", ...none, waitingFor: "a peer" };
  const open = claimants(state, context).length;
  if (open === 0) return { state: "synced", ...none, waitingFor: null };
  return { state: "waiting", ...none, waitingFor: `proof of ${open} claimed heavier chains` };
}
