// The header half of sync: whose chain to look at, and the proof of it. A claim starts an exchange;
// only checked headers start a session and move its target.

import { packBytes } from "../../bytes/packed.js";
import type { HeaderSummary } from "../../chain/types.js";
import type { HeadersVerdict } from "../../ports.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { RequestOutcome } from "../peer/peer-handler-messages.js";
import { locatorOf, SyncManager } from "./sync-manager.js";
import {
  abort,
  blame,
  coolDown,
  MOVED,
  publish,
  refute,
  rejectBlock,
  type HeaderExchange,
  type SyncContext,
  type SyncPeer,
  type SyncState,
} from "./sync-state.js";

/** With so many at hand nobody waits for more: they may come behind the bodies on the same line. */
const HEADERS_SCARCE = 64;

/** Peers whose claim beats our head and was not refuted, whether or not they rest now. */
export function claimants(state: SyncState, context: SyncContext): SyncPeer[] {
  const ours = context.env.blocks.head().totalDifficulty;
  return [...state.peers.values()].filter(
    ({ head, refutedDifficulty }) =>
      head.totalDifficulty > ours && head.totalDifficulty > refutedDifficulty,
  );
}

/** Idle → asking the most promising claimant for headers. */
export function consider(state: SyncState, context: SyncContext): void {
  if (state.session !== undefined || state.exchange !== undefined) return;
  let best: SyncPeer | undefined;
  for (const peer of readyClaimants(state, context)) {
    if (best === undefined || isBetter(peer, best)) best = peer;
  }
  if (best === undefined) return;
  state.waitedMs = 0;
  askHeaders(state, best, context);
}

/**
 * Asking → idle, when the one asked lets others wait: by its silence, or by headers that come one
 * by one. Those who do come in any number.
 */
export function passOver(state: SyncState, context: SyncContext): void {
  const { exchange, session } = state;
  if (exchange?.step !== "asked") return;
  const { peerId, askedMs } = exchange;
  const nowMs = context.env.clock.monotonicMs();
  if (session !== undefined && !session.idle && session.headersAhead >= HEADERS_SCARCE) {
    state.exchange = { ...exchange, askedMs: nowMs };
    return;
  }
  const waitedMs = state.waitedMs + nowMs - askedMs;
  if (waitedMs < state.patienceMs) return;
  if (!readyClaimants(state, context).some((peer) => peer.peerId !== peerId)) return;
  // A slow line among silent peers gets its time, too.
  state.patienceMs = Math.min(2 * state.patienceMs, context.env.config.sync.stallMaxMs);
  state.exchange = undefined;
  context.env.log.write("info", "a peer is slow with its headers, others are asked", { peerId });
  if (session === undefined) coolDown(state, peerId, context);
  else if (session.idle) abort(state, context, "headers came too slowly");
  else {
    // What is proven of its chain is synced first.
    session.exhausted = true;
    coolDown(state, peerId, context);
  }
}

/** Headers pay for the time that they took; those of a survey, which has no end of its own, do not. */
function account(state: SyncState, askedMs: number, headers: number, context: SyncContext): void {
  const { clock, config } = context.env;
  const earned = state.session?.surveying === true ? 0 : headers / config.sync.headersPerSecondMin;
  const waitedMs = state.waitedMs + clock.monotonicMs() - askedMs;
  state.waitedMs = Math.max(0, waitedMs - 1_000 * earned);
}

function readyClaimants(state: SyncState, context: SyncContext): SyncPeer[] {
  const { blocks, clock, config } = context.env;
  const nowMs = clock.monotonicMs();
  const tip = BigInt(blocks.head().height + config.sync.incrementalBlocksMax);
  return claimants(state, context).filter(({ notBeforeMs, claimedMs, head }) => {
    // News of the next blocks comes by gossip; sync steps in when it did not.
    const fresh = head.height <= tip && nowMs - claimedMs < config.sync.retryMs;
    return notBeforeMs <= nowMs && !fresh;
  });
}

/** Whoever failed less, then who claims more: promises cost nothing. */
function isBetter(peer: SyncPeer, other: SyncPeer): boolean {
  if (peer.failures !== other.failures) return peer.failures < other.failures;
  const [mine, theirs] = [peer.head.totalDifficulty, other.head.totalDifficulty];
  return mine === theirs ? peer.score > other.score : mine > theirs;
}

/**
 * Asks for what follows the session's tip, or our own chain when there is no session yet. `common`:
 * a block of it that the peer is known to have.
 */
export function askHeaders(
  state: SyncState,
  peer: SyncPeer,
  context: SyncContext,
  common?: HeaderSummary,
): void {
  const { blocks, clock, config } = context.env;
  const headHeight = blocks.head().height;
  const after = state.session?.tip.summary ?? common;
  const own = locatorOf(headHeight, (height) => blocks.hashAt(height), {
    hashesMax: ITEM_LIMITS.locatorHashesMax - 1,
    depthMax: config.chain.reorgDepthMax,
  });
  const locator = after === undefined ? own : [after.hash, ...own];
  const countMax = config.sync.headersPerRequest;
  const tag = state.nextTag++;
  const asked = peer.handler.tell({
    type: "Request",
    message: { kind: "RequestHeaders", locator, countMax },
    tag,
    items: countMax,
    replyTo: context.self,
  });
  if (!asked) return;
  peer.askedDifficulty = peer.head.totalDifficulty;
  const { peerId } = peer;
  const askedMs = clock.monotonicMs();
  const commonHeight = common?.height ?? -1;
  state.exchange = { step: "asked", tag, peerId, askedMs, headHeight, commonHeight };
}

export function headersAnswered(
  state: SyncState,
  asked: Extract<HeaderExchange, { step: "asked" }>,
  outcome: RequestOutcome,
  context: SyncContext,
): void {
  state.exchange = undefined;
  const { peerId } = asked;
  const headers =
    outcome.ok && outcome.message.kind === "ResponseHeaders" ? outcome.message.headers : undefined;
  account(state, asked.askedMs, headers?.length ?? 0, context);
  const { headersPerRequest } = context.env.config.sync;
  if (headers === undefined) {
    headersFailed(state, peerId, "headers did not come", context);
  } else if (headers.length > headersPerRequest) {
    blame(state, peerId, "ProtocolViolation", "more headers than asked for");
    headersFailed(state, peerId, "more headers than asked for", context);
  } else if (headers.length === 0) {
    // Only an empty answer is the end: how many headers a server gives at a time is its own affair.
    headersExhausted(state, peerId, context);
  } else if (state.session === undefined) {
    part(state, asked, headers, context);
  } else {
    follow(state, peerId, headers, context);
  }
}

function headersFailed(
  state: SyncState,
  peerId: string,
  reason: string,
  context: SyncContext,
): void {
  if (state.session === undefined) coolDown(state, peerId, context);
  else if (state.session.idle) abort(state, context, reason);
  // Bodies that are proven already can still come from others.
  else state.session.exhausted = true;
}

function headersExhausted(state: SyncState, peerId: string, context: SyncContext): void {
  if (state.session !== undefined) {
    state.session.exhausted = true;
    return;
  }
  // It claimed a heavier chain and has nothing beyond ours.
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  const stillBetter = peer.askedDifficulty > context.env.blocks.head().totalDifficulty;
  refute(state, peerId);
  if (!stillBetter) return;
  blame(state, peerId, "DuplicateData", "claimed a chain that it does not have");
  coolDown(state, peerId, context);
}

/** Asked → checking what follows the session's tip. */
function follow(
  state: SyncState,
  peerId: string,
  headers: readonly Uint8Array[],
  context: SyncContext,
): void {
  const first = readFirst(state, peerId, headers, context);
  if (first === undefined) return;
  if (first.previousHash === state.session?.tip.summary.hash) check(state, headers, context);
  else abort(state, context, MOVED);
}

/**
 * Asked → checking, in a session that begins where their chain parts from ours: the headers before
 * are ours too, since a locator names our deeper blocks with gaps.
 */
function part(
  state: SyncState,
  { peerId, headHeight, commonHeight }: Extract<HeaderExchange, { step: "asked" }>,
  headers: readonly Uint8Array[],
  context: SyncContext,
): void {
  const { blocks, config } = context.env;
  const first = readFirst(state, peerId, headers, context);
  if (first === undefined) return;
  const before = blocks.summary(first.previousHash);
  if (before === undefined) {
    blame(state, peerId, "ProtocolViolation", "headers that do not follow the locator");
    headersFailed(state, peerId, "headers that do not follow the locator", context);
    return;
  }
  // The locator names the block at the limit: who begins below it does not have that one.
  let tooDeep = headHeight - before.height > config.chain.reorgDepthMax;
  let fork: HeaderSummary = before;
  if (!tooDeep) {
    const shared = sharedCount(headers, context);
    const last = shared === 0 ? undefined : summaryOf(headers[shared - 1]!, context);
    fork = last ?? before;
    if (shared === headers.length && last !== undefined) {
      const peer = state.peers.get(peerId);
      if (last.height <= commonHeight) headersFailed(state, peerId, "the same headers", context);
      else if (peer !== undefined) askHeaders(state, peer, context, last);
      return;
    }
    if (blocks.hashAt(fork.height) !== fork.hash) {
      // Our own chain moved while they were on their way.
      headersFailed(state, peerId, "headers on a branch that was left", context);
      return;
    }
    headers = headers.slice(shared);
    tooDeep = blocks.head().height - fork.height > config.chain.reorgDepthMax;
  }
  if (tooDeep) {
    context.env.log.write("error", "a heavier chain forks too deep to follow", {
      peerId,
      forkHeight: fork.height,
      depthMax: config.chain.reorgDepthMax,
    });
    refute(state, peerId);
    return;
  }
  const base = { summary: fork, bytes: blocks.headerBytes(fork.hash)! };
  state.session = new SyncManager(state.nextSession++, peerId, base, config.sync);
  check(state, headers, context);
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
  peerId: string,
  headers: readonly Uint8Array[],
  context: SyncContext,
): HeaderSummary | undefined {
  const first = context.env.consensus.rules.readHeader(headers[0]!);
  if (first.ok) return first.value;
  rejectBlock(state, context, { hash: "", fault: first.fault, peerId });
  headersFailed(state, peerId, "a header that cannot be read", context);
  return undefined;
}

function check(state: SyncState, received: readonly Uint8Array[], context: SyncContext): void {
  const { clock, workers } = context.env;
  const session = state.session!;
  // Copies: the views would keep the received chunks for as long as the session lasts.
  const headers = received.map((header) => header.slice());
  state.exchange = { step: "checking", headers };
  const job = {
    headers: packBytes(headers),
    parentHeader: session.tip.bytes.slice(),
    nowMs: clock.wallMs(),
  };
  context.pipe(workers.validateHeaders(job), (outcome) => ({
    type: "HeadersChecked",
    session: session.id,
    verdict: outcome.ok ? outcome.value : undefined,
  }));
}

export function headersChecked(
  state: SyncState,
  verdict: HeadersVerdict | undefined,
  context: SyncContext,
): void {
  const { session, exchange } = state;
  if (session === undefined || exchange?.step !== "checking") return;
  state.exchange = undefined;
  // Lost by the pool: they are asked for again.
  if (verdict === undefined) return;
  const { headers } = exchange;
  const early = verdict.fault?.rule === "future";
  if (early && verdict.accepted.length === 0 && session.idle) {
    // The claim stands; once the time has come it is asked for again.
    abort(state, context, "headers from the future");
    return;
  }
  if (verdict.fault !== undefined && !early) {
    const bad = headers[verdict.accepted.length]!;
    const hash = summaryOf(bad, context)?.hash ?? "";
    rejectBlock(state, context, { hash, fault: verdict.fault, peerId: session.headerPeer });
    refute(state, session.headerPeer);
    abort(state, context, `an invalid header: ${verdict.fault.rule}`);
    return;
  }
  const proven = verdict.accepted.map((summary, index) => ({ summary, bytes: headers[index]! }));
  if (!session.addHeaders(proven)) {
    abort(state, context, MOVED);
    return;
  }
  // What follows a header from the future waits for its time.
  if (early) session.exhausted = true;
}

/** Headers that are worth their bodies: the sync is under way. */
export function announceStart(state: SyncState, context: SyncContext): void {
  const session = state.session!;
  state.patienceMs = context.env.config.sync.stallMinMs;
  const peer = state.peers.get(session.headerPeer);
  const { config } = context.env;
  const fromHeight = session.base.summary.height;
  const gap = (peer?.head.height ?? 0n) - BigInt(fromHeight);
  state.strategy = gap > BigInt(config.sync.incrementalBlocksMax) ? "full" : "incremental";
  const { strategy } = state;
  const peerId = session.headerPeer;
  context.env.log.write("info", "sync started", { strategy, fromHeight, peerId });
  publish(state, { type: "SyncStarted", strategy, fromHeight, peerId });
}
