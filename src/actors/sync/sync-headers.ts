// The header half of sync: asks for headers, has them checked and takes them into chains. A claim
// starts an exchange; only a chain that is proven to be heavier becomes a session.

import { packBytes } from "../../bytes/packed.js";
import type { HeaderSummary } from "../../types/chain.js";
import type { HeadersVerdict } from "../../ports.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { RequestOutcome } from "../peer/peer-handler-messages.js";
import { HeaderChain, headersToAsk } from "./header-chain.js";
import { answered, waitedFor, type ExchangeStep, type HeaderExchange } from "./header-exchanges.js";
import { locatorOf } from "./locator.js";
import { SyncManager } from "./sync-manager.js";
import type { SyncPeer } from "./sync-peers.js";
import {
  abort,
  broke,
  MOVED,
  othersWait,
  publish,
  readyClaimants,
  rejectBlock,
  report,
  unproven,
  type SyncContext,
  type SyncState,
} from "./sync-state.js";

/** With so many at hand nobody waits for more: they may come behind the bodies on the same line. */
const HEADERS_SCARCE = 64;

type Asked = Extract<ExchangeStep, { name: "asked" }>;

/** Asks whoever promises a heavier chain, as far as there are places. */
export function consider(state: SyncState, context: SyncContext): void {
  const { exchanges } = state;
  if (state.session !== undefined) return;
  for (;;) {
    const peer = exchanges.choose(readyClaimants(state, context));
    if (peer === undefined) break;
    ask(state, exchanges.begin(peer, "claim"), context);
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
  if (peer !== undefined) ask(state, exchanges.begin(peer, "hear"), context);
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

/** The peer did not prove what it promised: it is left alone for a while. */
function leaveAlone(state: SyncState, peerId: string, context: SyncContext): void {
  state.exchanges.end(peerId);
  state.peers.coolDown(peerId, context.env.clock.monotonicMs());
  state.considerDue = true;
}

/**
 * Resting → Asked, for what follows the chain so far, or our own when there is none yet. `common`: a
 * block of ours that the peer is known to have.
 */
function ask(
  state: SyncState,
  exchange: HeaderExchange,
  context: SyncContext,
  common?: HeaderSummary,
): void {
  const { blocks, clock, config } = context.env;
  const { chain, peerId, purpose } = exchange;
  const peer = state.peers.get(peerId);
  const nowMs = clock.monotonicMs();
  const headHeight = blocks.head().height;
  const limits = config.sync;
  const hears = purpose === "hear";
  const after = chain?.tip.summary ?? common;
  const own = locatorOf(hears ? belowClaim(peer, headHeight) : headHeight, hashAt(context), {
    hashesMax: ITEM_LIMITS.locatorHashesMax - 1,
    depthMax: config.chain.reorgDepthMax,
  });
  const locator = after === undefined ? own : [after.hash, ...own];
  const room = chain?.wanted ?? headersToAsk(limits, state.exchanges.share);
  const countMax = Math.min(room, exchange.countMax);
  exchange.countMax *= 2;
  const tag = state.nextTag();
  const sent = peer?.handler.tell({
    type: "Request",
    message: { kind: "RequestHeaders", locator, countMax },
    tag,
    replyTo: context.self,
  });
  if (peer === undefined || sent !== true) {
    failed(state, exchange, "it cannot be asked for headers", context);
    return;
  }
  peer.askedDifficulty = peer.head.totalDifficulty;
  peer.askedMs = nowMs;
  const commonHeight = common?.height ?? -1;
  exchange.step = { name: "asked", tag, askedMs: nowMs, countMax, headHeight, commonHeight };
}

function hashAt({ env }: SyncContext): (height: number) => string | undefined {
  return (height) => env.blocks.hashAt(height);
}

/** One below what it claims of our chain, so that there is a header to be seen. */
function belowClaim(peer: SyncPeer | undefined, headHeight: number): number {
  const claimed = peer?.head.height ?? 0n;
  return Math.max(0, claimed < BigInt(headHeight) ? Number(claimed) - 1 : headHeight - 1);
}

export function headersAnswered(
  state: SyncState,
  exchange: HeaderExchange,
  outcome: RequestOutcome,
  context: SyncContext,
): void {
  const { clock, config } = context.env;
  const { peerId } = exchange;
  const headers =
    outcome.ok && outcome.message.kind === "ResponseHeaders" ? outcome.message.headers : undefined;
  // Those of a survey, which has no end of its own, earn nothing.
  const paid = exchange.chain?.surveying === true ? 0 : (headers?.length ?? 0);
  const earnedMs = (1_000 * paid) / config.sync.headersPerSecondMin;
  const asked = answered(exchange, earnedMs, clock.monotonicMs());
  if (headers === undefined) {
    failed(state, exchange, "headers did not come", context);
  } else if (headers.length > asked.countMax) {
    broke(state, peerId, "more headers than asked for");
    failed(state, exchange, "more headers than asked for", context);
  } else if (headers.length === 0) {
    // Only an empty answer is the end: how many headers a server gives at a time is its own affair.
    noMore(state, exchange, context);
  } else if (exchange.chain === undefined) {
    part(state, exchange, asked, headers, context);
  } else {
    follow(state, exchange, headers, context);
  }
}

/** The exchange ends; in a session, whose bodies can still come from others, just its headers do. */
function failed(
  state: SyncState,
  { peerId }: HeaderExchange,
  reason: string,
  context: SyncContext,
): void {
  const { session } = state;
  if (session === undefined) leaveAlone(state, peerId, context);
  else if (session.idle) abort(state, context, reason);
  else session.chain.exhausted = true;
}

function noMore(state: SyncState, exchange: HeaderExchange, context: SyncContext): void {
  const { chain, peerId, purpose } = exchange;
  if (chain !== undefined) {
    chain.exhausted = true;
    return;
  }
  if (purpose === "hear") {
    leaveAlone(state, peerId, context);
    return;
  }
  // It claimed a heavier chain and has nothing beyond ours.
  const claimed = state.peers.get(peerId)?.askedDifficulty ?? 0n;
  state.peers.refute(peerId);
  state.exchanges.end(peerId);
  state.considerDue = true;
  if (claimed <= context.env.blocks.head().totalDifficulty) return;
  report(state, peerId, "DuplicateData", "claimed a chain that it does not have");
  leaveAlone(state, peerId, context);
}

/** Resting → Checking what follows the chain. */
function follow(
  state: SyncState,
  exchange: HeaderExchange,
  headers: readonly Uint8Array[],
  context: SyncContext,
): void {
  const first = readFirst(state, exchange, headers, context);
  if (first === undefined) return;
  if (first.previousHash === exchange.chain?.tip.summary.hash) {
    check(exchange, headers, context);
  } else moved(state, exchange, context);
}

function moved(state: SyncState, { peerId }: HeaderExchange, context: SyncContext): void {
  if (state.session === undefined) leaveAlone(state, peerId, context);
  else abort(state, context, MOVED);
}

/**
 * Resting → Checking, on a chain that begins where theirs parts from ours: the headers before are
 * ours too, since a locator names our deeper blocks with gaps.
 */
function part(
  state: SyncState,
  exchange: HeaderExchange,
  { headHeight, commonHeight }: Asked,
  headers: readonly Uint8Array[],
  context: SyncContext,
): void {
  const { blocks, config } = context.env;
  const { peerId } = exchange;
  const first = readFirst(state, exchange, headers, context);
  if (first === undefined) return;
  const before = blocks.summary(first.previousHash);
  if (before === undefined) {
    broke(state, peerId, "headers that do not follow the locator");
    failed(state, exchange, "headers that do not follow the locator", context);
    return;
  }
  // The locator names the block at the limit: who begins below it does not have that one.
  let tooDeep = headHeight - before.height > config.chain.reorgDepthMax;
  let fork: HeaderSummary = before;
  if (!tooDeep) {
    const shared = sharedCount(headers, context);
    const last = shared === 0 ? undefined : summaryOf(headers[shared - 1]!, context);
    fork = last ?? before;
    if (last !== undefined) heard(state, peerId);
    if (shared === headers.length && last !== undefined) {
      allShared(state, exchange, last, commonHeight, context);
      return;
    }
    if (blocks.hashAt(fork.height) !== fork.hash) {
      // Our own chain moved while they were on their way.
      failed(state, exchange, "headers on a branch that was left", context);
      return;
    }
    headers = headers.slice(shared);
    tooDeep = blocks.head().height - fork.height > config.chain.reorgDepthMax;
  }
  if (tooDeep && exchange.purpose === "hear") {
    leaveAlone(state, peerId, context);
    return;
  }
  if (tooDeep) {
    context.env.log.write("error", "a heavier chain forks too deep to follow", {
      peerId,
      forkHeight: fork.height,
      depthMax: config.chain.reorgDepthMax,
    });
    state.peers.refute(peerId);
    state.exchanges.end(peerId);
    state.considerDue = true;
    return;
  }
  const base = { summary: fork, bytes: blocks.headerBytes(fork.hash)! };
  exchange.chain = new HeaderChain(base, config.sync, state.exchanges.share);
  check(exchange, headers, context);
}

function heard(state: SyncState, peerId: string): void {
  const peer = state.peers.get(peerId);
  if (peer !== undefined) peer.heard = true;
}

/** All of the headers are ours: what follows them is asked for, where that is what we want to know. */
function allShared(
  state: SyncState,
  exchange: HeaderExchange,
  last: HeaderSummary,
  commonHeight: number,
  context: SyncContext,
): void {
  if (exchange.purpose === "hear") {
    state.exchanges.end(exchange.peerId);
    state.considerDue = true;
  } else if (last.height <= commonHeight) failed(state, exchange, "the same headers", context);
  else ask(state, exchange, context, last);
}

/** How many of the first headers are canonical here. Chains part once, so it can be bisected. */
function sharedCount(headers: readonly Uint8Array[], context: SyncContext): number {
  let [shared, other] = [0, headers.length];
  while (shared < other) {
    const middle = (shared + other) >> 1;
    const header = summaryOf(headers[middle]!, context);
    const ours = header !== undefined && context.env.blocks.hashAt(header.height) === header.hash;
    if (ours) shared = middle + 1;
    else other = middle;
  }
  return shared;
}

function summaryOf(header: Uint8Array, { env }: SyncContext): HeaderSummary | undefined {
  const read = env.consensus.rules.readHeader(header);
  return read.ok ? read.value : undefined;
}

function readFirst(
  state: SyncState,
  exchange: HeaderExchange,
  headers: readonly Uint8Array[],
  context: SyncContext,
): HeaderSummary | undefined {
  const first = context.env.consensus.rules.readHeader(headers[0]!);
  if (first.ok) return first.value;
  rejectBlock(state, context, { hash: "", fault: first.fault, peerId: exchange.peerId });
  failed(state, exchange, "a header that cannot be read", context);
  return undefined;
}

function check(
  exchange: HeaderExchange,
  received: readonly Uint8Array[],
  context: SyncContext,
): void {
  const { clock, workers } = context.env;
  // Copies: the views would keep the received chunks for as long as the chain lasts.
  const headers = received.map((header) => header.slice());
  exchange.step = { name: "checking", headers };
  const job = {
    headers: packBytes(headers),
    parentHeader: exchange.chain!.tip.bytes.slice(),
    nowMs: clock.wallMs(),
  };
  const { id } = exchange;
  context.pipe(workers.validateHeaders(job), (outcome) => ({
    type: "HeadersChecked",
    exchange: id,
    verdict: outcome.ok ? outcome.value : undefined,
  }));
}

/** Checking → Resting. */
export function headersChecked(
  state: SyncState,
  id: number,
  verdict: HeadersVerdict | undefined,
  context: SyncContext,
): void {
  const exchange = state.exchanges.byId(id);
  const chain = exchange?.chain;
  if (exchange?.step.name !== "checking" || chain === undefined) return;
  const { headers } = exchange.step;
  const { peerId } = exchange;
  exchange.step = { name: "resting" };
  // Lost by the pool: they are asked for again.
  if (verdict === undefined) return;
  heard(state, peerId);
  const known = verdict.accepted.find(({ hash }) => state.invalid.has(hash));
  const invalid = known && state.invalid.get(known.hash);
  const fault = invalid?.fault ?? verdict.fault;
  const early = fault?.rule === "future";
  if (early && verdict.accepted.length === 0 && (state.session?.idle ?? chain.count === 0)) {
    // The claim stands; once the time has come it is asked for again.
    failed(state, exchange, "headers from the future", context);
    return;
  }
  if (fault !== undefined && !early) {
    const hash = known?.hash ?? summaryOf(headers[verdict.accepted.length]!, context)?.hash ?? "";
    const sender = invalid?.toldBy === "state" ? undefined : peerId;
    rejectBlock(state, context, { hash, fault, peerId: sender });
    state.peers.refute(peerId);
    if (state.session === undefined) leaveAlone(state, peerId, context);
    else abort(state, context, `an invalid header: ${fault.rule}`);
    return;
  }
  if (!chain.add(verdict.accepted.map((summary, i) => ({ summary, bytes: headers[i]! })))) {
    moved(state, exchange, context);
    return;
  }
  // What follows a header from the future waits for its time.
  if (early) chain.exhausted = true;
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
    ask(state, exchange, context);
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
