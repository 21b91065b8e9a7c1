// The answers to requests for headers: judged, parted from our own chain, checked in the pool and
// taken into the chain of their exchange. Part of the sync service.

import { packBytes } from "../../bytes/packed.js";
import type { HeaderSummary } from "../../types/chain.js";
import type { HeadersVerdict } from "../../ports.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import { askHeaders, headersFailed, leaveAlone } from "./ask-headers.js";
import { HeaderChain } from "./header-chain.js";
import { answered, type ExchangeStep, type HeaderExchange } from "./header-exchanges.js";
import {
  abort,
  broke,
  MOVED,
  rejectBlock,
  report,
  type SyncContext,
  type SyncState,
} from "./sync-state.js";

type Asked = Extract<ExchangeStep, { name: "asked" }>;

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
    headersFailed(state, exchange, "headers did not come", context);
  } else if (headers.length > asked.countMax) {
    broke(state, peerId, "more headers than asked for");
    headersFailed(state, exchange, "more headers than asked for", context);
  } else if (headers.length === 0) {
    // Only an empty answer is the end: how many headers a server gives at a time is its own affair.
    noMore(state, exchange, context);
  } else if (exchange.chain === undefined) {
    part(state, exchange, asked, headers, context);
  } else {
    follow(state, exchange, headers, context);
  }
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
  report(state, peerId, "UnprovenClaim", "claimed a chain that it does not have");
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
    headersFailed(state, exchange, "headers that do not follow the locator", context);
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
      headersFailed(state, exchange, "headers on a branch that was left", context);
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
  } else if (last.height <= commonHeight)
    headersFailed(state, exchange, "the same headers", context);
  else askHeaders(state, exchange, context, last);
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
  headersFailed(state, exchange, "a header that cannot be read", context);
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
    headersFailed(state, exchange, "headers from the future", context);
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
