// Whose headers are asked for, and which chain becomes the session: a claim starts an exchange, and
// only a chain that is proven to be heavier is synced. Part of the sync service.

import { askHeaders, leaveAlone } from "./ask-headers.js";
import { waitedFor, type HeaderExchange } from "./header-exchanges.js";
import { SyncManager } from "./sync-manager.js";
import {
  abort,
  othersWait,
  publish,
  readyClaimants,
  unproven,
  type SyncContext,
  type SyncState,
} from "./sync-state.js";

/** With so many at hand nobody waits for more: they may come behind the bodies on the same line. */
const HEADERS_SCARCE = 64;

/** Asks whoever promises a heavier chain, as far as there are places. */
export function consider(state: SyncState, context: SyncContext): void {
  const { exchanges } = state;
  if (state.session !== undefined) return;
  for (;;) {
    const peer = exchanges.choose(readyClaimants(state, context));
    if (peer === undefined) break;
    const { peerId, head } = peer;
    publish(state, { type: "SyncRequested", peerId, claimedHeight: String(head.height) });
    askHeaders(state, exchanges.begin(peer, "claim"), context);
  }
  listen(state, context);
}

/** Nobody claims a heavier chain: before that is believed, headers of somebody are looked at. */
function listen(state: SyncState, context: SyncContext): void {
  const { exchanges, peers } = state;
  if (context.env.config.alone || exchanges.all().length > 0 || peers.heardAny) return;
  const nowMs = context.env.clock.monotonicMs();
  const others = peers.all();
  const speaking = others.filter(
    ({ head, notBeforeMs }) => head.height > 0n && notBeforeMs <= nowMs,
  );
  const peer = exchanges.choose(speaking);
  if (peer !== undefined) askHeaders(state, exchanges.begin(peer, "hear"), context);
}

/** Ends what keeps a place that others wait for: silence, or headers that come one by one. */
export function judgeHeaders(state: SyncState, context: SyncContext): void {
  const { exchanges, peers, session } = state;
  const { clock, config, log } = context.env;
  const nowMs = clock.monotonicMs();
  const event = "a peer is slow with its headers, others are asked";
  const patienceMs = (peerId: string): number =>
    Math.min(peers.patienceMs(peerId), config.sync.stallMaxMs);
  if (session === undefined) {
    for (const { peerId } of exchanges.late(readyClaimants(state, context), patienceMs, nowMs)) {
      log.write("info", event, { peerId });
      leaveAlone(state, peerId, context);
    }
    return;
  }
  const exchange = exchanges.of(session.headerPeer);
  if (exchange?.step.name !== "asked") return;
  const { peerId } = exchange;
  if (!session.idle && session.chain.count >= HEADERS_SCARCE) {
    exchange.step = { ...exchange.step, askedMs: nowMs };
    return;
  }
  if (waitedFor(exchange, nowMs) < patienceMs(peerId)) return;
  if (!othersWait(state, peerId, context)) return;
  log.write("info", event, { peerId });
  if (session.idle) {
    abort(state, context, "headers came too slowly");
    return;
  }
  // What is proven of its chain is synced first.
  session.chain.exhausted = true;
  exchanges.end(peerId);
  peers.coolDown(peerId, nowMs);
}

/** Does what exchanges allow now; called after every turn. */
export function proceedHeaders(state: SyncState, context: SyncContext): void {
  for (const exchange of state.exchanges.all()) goOn(state, exchange, context);
  if (state.session === undefined) decide(state, context);
}

function goOn(state: SyncState, exchange: HeaderExchange, context: SyncContext): void {
  const { chain, peerId, purpose, step } = exchange;
  if (chain === undefined) return;
  const { blocks, clock, consensus } = context.env;
  const proven = consensus.prefers(chain.best, blocks.head());
  exchange.provenMs = proven ? (exchange.provenMs ?? clock.monotonicMs()) : undefined;
  if (step.name !== "resting") return;
  const chosen = state.session !== undefined;
  if (proven && chain.surveying) chain.retrace();
  else if (!proven && chain.full && !chain.retracing && !chosen) chain.survey();
  if (chain.wanted > 0 && (chosen || proven || purpose === "claim")) {
    askHeaders(state, exchange, context);
    return;
  }
  if (chosen || proven) return;
  state.exchanges.end(peerId);
  state.considerDue = true;
  if (purpose === "claim") unproven(state, peerId, context);
}

/** Idle → a session, when a heavier chain is proven and nobody is worth waiting for. */
function decide(state: SyncState, context: SyncContext): void {
  const { consensus, clock } = context.env;
  const nowMs = clock.monotonicMs();
  const prefers = consensus.prefers.bind(consensus);
  const chosen = state.exchanges.decide(prefers, nowMs);
  if (chosen === undefined) return;
  if ("waitMs" in chosen) context.startTimer("choose", chosen.waitMs, { type: "ChooseDue" });
  else start(state, chosen, context);
}

/** Idle → Session: there are headers that are worth their bodies. */
function start(state: SyncState, exchange: HeaderExchange, context: SyncContext): void {
  const { chain, peerId } = exchange;
  const { clock, config, log } = context.env;
  state.exchanges.chosen(exchange, clock.monotonicMs());
  chain!.widen();
  state.session = new SyncManager(state.nextTag(), {
    chain: chain!,
    offerer: peerId,
    settings: config.sync,
    asks: state.asks,
    nowMs: clock.monotonicMs(),
  });
  const fromHeight = chain!.base.summary.height;
  const gap = (state.peers.get(peerId)?.head.height ?? 0n) - BigInt(fromHeight);
  state.strategy = gap > BigInt(config.sync.incrementalBlocksMax) ? "full" : "incremental";
  const { strategy } = state;
  log.write("info", "sync started", { strategy, fromHeight, peerId });
  publish(state, { type: "SyncStarted", strategy, fromHeight, peerId });
}
