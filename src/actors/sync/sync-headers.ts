// The header half of sync: whose chain to look at, and the proof of it. A claim starts an exchange;
// only checked headers start a session and move its target.

import { packBytes } from "../../bytes/packed.js";
import type { HeadersVerdict } from "../../ports.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { RequestOutcome } from "../peer/peer-handler-messages.js";
import { locatorOf, SyncManager } from "./sync-manager.js";
import {
  abort,
  blame,
  coolDown,
  publish,
  refute,
  rejectBlock,
  type SyncContext,
  type SyncPeer,
  type SyncState,
} from "./sync-state.js";

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
  if (best !== undefined) askHeaders(state, best, context);
}

/** Asking → idle, when the claimant lets others wait: those who never answer come in any number. */
export function passOver(state: SyncState, context: SyncContext): void {
  const { exchange } = state;
  if (state.session !== undefined || exchange?.step !== "asked") return;
  if (context.env.clock.monotonicMs() - exchange.askedMs < state.patienceMs) return;
  if (!readyClaimants(state, context).some(({ peerId }) => peerId !== exchange.peerId)) return;
  // A slow line among silent peers gets its time, too.
  state.patienceMs = Math.min(2 * state.patienceMs, context.env.config.sync.stallMaxMs);
  state.exchange = undefined;
  coolDown(state, exchange.peerId, context);
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

/** Asks for what follows the session's tip, or our own chain when there is no session yet. */
export function askHeaders(state: SyncState, peer: SyncPeer, context: SyncContext): void {
  const { blocks, config } = context.env;
  const hashesMax = ITEM_LIMITS.locatorHashesMax;
  const own = locatorOf(blocks.head().height, (height) => blocks.hashAt(height), hashesMax - 1);
  const tip = state.session?.tip.summary.hash;
  const locator = tip === undefined ? own : [tip, ...own];
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
  const askedMs = context.env.clock.monotonicMs();
  state.exchange = { step: "asked", tag, peerId: peer.peerId, askedMs };
}

export function headersAnswered(
  state: SyncState,
  outcome: RequestOutcome,
  context: SyncContext,
): void {
  state.exchange = undefined;
  if (outcome.ok) state.patienceMs = context.env.config.sync.stallMinMs;
  const { peerId } = outcome;
  const headers =
    outcome.ok && outcome.message.kind === "ResponseHeaders" ? outcome.message.headers : undefined;
  const { headersPerRequest } = context.env.config.sync;
  if (headers === undefined) {
    headersFailed(state, peerId, "headers did not come", context);
  } else if (headers.length > headersPerRequest) {
    blame(state, peerId, "ProtocolViolation", "more headers than asked for");
    headersFailed(state, peerId, "more headers than asked for", context);
  } else if (headers.length === 0) {
    headersExhausted(state, peerId, context);
  } else {
    // Copies: the views would keep the received chunks for as long as the session lasts.
    const copies = headers.map((header) => header.slice());
    check(state, peerId, copies, headers.length < headersPerRequest, context);
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

function check(
  state: SyncState,
  peerId: string,
  headers: readonly Uint8Array[],
  last: boolean,
  context: SyncContext,
): void {
  const { blocks, clock, config, consensus, workers } = context.env;
  const first = consensus.rules.readHeader(headers[0]!);
  if (!first.ok) {
    rejectBlock(state, context, { hash: "", fault: first.fault, peerId });
    headersFailed(state, peerId, "a header that cannot be read", context);
    return;
  }
  const { previousHash } = first.value;
  if (state.session === undefined) {
    const fork = blocks.summary(previousHash);
    if (fork === undefined) {
      blame(state, peerId, "ProtocolViolation", "headers that do not follow the locator");
      headersFailed(state, peerId, "headers that do not follow the locator", context);
      return;
    }
    if (blocks.head().height - fork.height > config.chain.reorgDepthMax) {
      context.env.log.write("error", "a heavier chain forks too deep to follow", {
        peerId,
        forkHeight: fork.height,
      });
      refute(state, peerId);
      return;
    }
    const base = { summary: fork, bytes: blocks.headerBytes(previousHash)! };
    state.session = new SyncManager(state.nextSession++, peerId, base, config.sync);
  } else if (previousHash !== state.session.tip.summary.hash) {
    abort(state, context, "the peer moved to another branch");
    return;
  }
  const session = state.session.id;
  state.exchange = { step: "checking", headers, last };
  const job = {
    headers: packBytes(headers),
    parentHeader: state.session.tip.bytes.slice(),
    nowMs: clock.wallMs(),
  };
  context.pipe(workers.validateHeaders(job), (outcome) => ({
    type: "HeadersChecked",
    session,
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
  const { headers, last } = exchange;
  const early = verdict.fault?.rule === "future";
  if (early && verdict.accepted.length === 0 && session.idle) {
    // The claim stands; once the time has come it is asked for again.
    abort(state, context, "headers from the future");
    return;
  }
  if (verdict.fault !== undefined && !early) {
    const bad = headers[verdict.accepted.length]!;
    const header = context.env.consensus.rules.readHeader(bad);
    const hash = header.ok ? header.value.hash : "";
    rejectBlock(state, context, { hash, fault: verdict.fault, peerId: session.headerPeer });
    refute(state, session.headerPeer);
    abort(state, context, `an invalid header: ${verdict.fault.rule}`);
    return;
  }
  const fresh = session.tip === session.base && session.idle;
  session.addHeaders(
    verdict.accepted.map((summary, index) => ({ summary, bytes: headers[index]! })),
  );
  // What follows a header from the future waits for its time.
  if (last || early) session.exhausted = true;
  if (fresh) announceStart(state, context);
}

function announceStart(state: SyncState, context: SyncContext): void {
  const session = state.session!;
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
