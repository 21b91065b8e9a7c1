// SyncService: brings this node to the best chain that any peer can prove. Asks several peers for
// headers; the heaviest chain that is proven becomes a session of one SyncManager: bodies from
// several peers, checked, connected in order.
// Told by: registry, peer handlers (answers), block handler, consensus (outcomes), the service.
// Tells: peer handlers, system router, reputation, event bus.

import { LRUCache } from "lru-cache";
import { invariant, unreachable } from "../../errors.js";
import { FairTimer, READ_FIRST_MS } from "../../protocol/fair-wait.js";
import { defineActor, replyToOf } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import type { PeerId } from "../../ports.js";
import { headersAnswered, headersChecked } from "./header-answers.js";
import { HeaderExchanges } from "./header-exchanges.js";
import { OpenAsks } from "./open-asks.js";
import {
  blocksChecked,
  connectEnded,
  judgeBodies,
  proceedBodies,
  rangeAnswered,
} from "./sync-bodies.js";
import { consider, judgeHeaders, proceedHeaders } from "./sync-headers.js";
import type { SyncMessage, SyncStatus } from "./sync-messages.js";
import { SyncPeers } from "./sync-peers.js";
import {
  abort,
  publish,
  type SyncArgs,
  type SyncContext,
  type SyncEnv,
  type SyncState,
} from "./sync-state.js";

/** How often the waits for peers are looked at. */
const LOOK_INTERVAL_MS = 500;
/** Two minutes: whoever fills this node's line must not let it wait for others without end. */
const EXCUSES_MAX = 240;

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
    const { config } = context.env;
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    context.startTimer("consider", config.sync.retryMs, { type: "ConsiderDue" });
    let tag = 1;
    const nextTag = (): number => tag++;
    return {
      ...args,
      peers: new SyncPeers(config.sync),
      exchanges: new HeaderExchanges(config.sync),
      session: undefined,
      strategy: null,
      invalid: new LRUCache({ max: config.sync.invalidHashesMax }),
      asks: new OpenAsks(nextTag),
      bodyLease: context.owns(context.env.memory.lease("syncBodies")),
      headerLease: context.owns(context.env.memory.lease("syncHeaders")),
      connects: new Set(),
      lookTimer: new FairTimer(),
      looking: false,
      excuses: 0,
      considerDue: false,
      checksPaused: false,
      nextTag,
      transactionCount: 0,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady": {
        const { peerId, handler, direction, head, capabilities } = message;
        if (!capabilities.has("sync/1")) return;
        const peer = { peerId, handler, direction, head: head.claimed };
        state.peers.join(peer, context.env.clock.monotonicMs());
        // Whoever claims no more than we have changes nothing, and peers may come by the hundred.
        const ours = context.env.blocks.head().totalDifficulty;
        if (head.claimed.totalDifficulty > ours) state.considerDue = true;
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
        state.considerDue = true;
        return;
      }
      case "ConsiderDue":
        if (isStarved(state)) abort(state, context, "nobody serves the rest of it");
        state.considerDue = true;
        context.startTimer("consider", context.env.config.sync.retryMs, { type: "ConsiderDue" });
        return;
      case "LookDue":
        look(state, context);
        return;
      case "ChooseDue":
        // `afterBatch` does it.
        return;
      case "ChecksDue":
        state.checksPaused = false;
        return;
      case "RequestOutcome": {
        const exchange = state.exchanges.byTag(message.tag);
        if (exchange !== undefined) headersAnswered(state, exchange, message, context);
        else rangeAnswered(state, message, context);
        return;
      }
      case "HeadersChecked":
        headersChecked(state, message.exchange, message.verdict, context);
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
    proceedHeaders(state, context);
    proceedBodies(state, context);
    if (state.considerDue) {
      state.considerDue = false;
      consider(state, context);
    }
    resizeLeases(state);
    const waits = state.session !== undefined || state.exchanges.all().length > 0;
    if (waits && !state.looking) lookLater(state, context, LOOK_INTERVAL_MS);
  },

  signal(state, signal) {
    const peerId = state.session?.headerPeer;
    if (signal.type !== "stopping" || state.strategy === null || peerId === undefined) return;
    // Who heard of its start outlives this actor.
    publish(state, { type: "SyncFailed", peerId, reason: "the sync service stops" });
  },

  invariants(state) {
    state.exchanges.invariants();
    state.asks.invariants();
    state.session?.invariants();
  },

  atRest({ session, exchanges, asks, connects }) {
    invariant(session === undefined, "a session goes on");
    invariant(exchanges.all().length === 0, "headers are waited for");
    invariant(asks.count === 0, `${asks.count} requests for ranges are owed`);
    invariant(connects.size === 0, `${connects.size} ranges are being connected`);
  },
});

/** The one who offered the chain left, and nobody who stayed can serve what is missing. */
function isStarved({ session, peers }: SyncState): boolean {
  return session !== undefined && session.starved && peers.get(session.headerPeer) === undefined;
}

function peerGone(state: SyncState, peerId: PeerId): void {
  state.peers.leave(peerId);
  state.asks.settleAll(peerId);
  state.session?.bodies.peerGone(peerId);
  state.exchanges.end(peerId);
  // By its next turn it may be back, and still nobody asks it for the rest of its headers.
  if (state.session?.headerPeer === peerId) state.session.chain.exhausted = true;
  // Its place is free.
  state.considerDue = true;
}

/** Before the requests of this turn can be answered. */
function resizeLeases({ asks, bodyLease, exchanges, headerLease, session }: SyncState): void {
  bodyLease.resize(session?.bodies.bytesInFlight ?? asks.bytes);
  const chains = new Set(exchanges.all().map(({ chain }) => chain));
  chains.add(session?.chain);
  let bytes = 0;
  for (const chain of chains) bytes += chain?.heldBytes ?? 0;
  headerLease.resize(bytes);
}

function lookLater(state: SyncState, context: SyncContext, delayMs: number): void {
  state.looking = true;
  const inMs = state.lookTimer.next(context.env.clock.monotonicMs(), delayMs);
  context.startTimer("look", inMs, { type: "LookDue" });
}

/** Judges who lets others wait, unless it is this node that slept: what came may be unread. */
function look(state: SyncState, context: SyncContext): void {
  state.looking = false;
  const nowMs = context.env.clock.monotonicMs();
  switch (state.lookTimer.look(nowMs)) {
    case "stalled":
      state.exchanges.renew(nowMs);
      state.session?.bodies.renew(nowMs);
      return;
    case "unread":
      lookLater(state, context, READ_FIRST_MS);
      return;
    case "sound":
      excuseHeld(state, context);
      judgeHeaders(state, context);
      judgeBodies(state, context);
  }
}

/** What is waited for may be in a socket that this node does not read, by a limit of its own. */
function excuseHeld(state: SyncState, { env }: SyncContext): void {
  const { exchanges, peers, session } = state;
  if (!env.throttle.download.isLimited || state.excuses >= EXCUSES_MAX) return;
  const asked = exchanges.all().filter(({ step }) => step.name === "asked");
  const waitedFor = [...asked, ...(session?.bodies.front?.asks ?? [])];
  const isHeld = ({ peerId }: { readonly peerId: PeerId }): boolean =>
    env.throttle.download.isHeld(peers.get(peerId)?.handler.path ?? "");
  if (!waitedFor.some(isHeld)) return;
  state.excuses++;
  const nowMs = env.clock.monotonicMs();
  exchanges.renew(nowMs);
  session?.bodies.renew(nowMs);
}

function statusOf(state: SyncState, context: SyncContext): SyncStatus {
  const { exchanges, peers, session, strategy } = state;
  const nowMs = context.env.clock.monotonicMs();
  if (session !== undefined) {
    const targetHeight = session.chain.tip.summary.height;
    return { state: "syncing", strategy, targetHeight, waitingFor: session.waitingFor(nowMs) };
  }
  const none = { strategy: null, targetHeight: null };
  const proving = exchanges.waitingFor(nowMs);
  if (proving !== undefined) return { state: "syncing", ...none, waitingFor: proving };
  const open = peers.claimants(context.env.blocks.head().totalDifficulty).length;
  if (open > 0) {
    return { state: "waiting", ...none, waitingFor: `proof of ${open} claimed heavier chains` };
  }
  if (context.env.config.alone || peers.heardAny) {
    return { state: "synced", ...none, waitingFor: null };
  }
  const waitingFor = peers.size === 0 ? "a peer" : "a peer whose headers can be checked";
  return { state: "waiting", ...none, waitingFor };
}
