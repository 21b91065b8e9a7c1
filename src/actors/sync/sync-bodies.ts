// The body half of sync: ranges from several peers, checks in the pool, connects in order.

import { askConsensus } from "../ask-consensus.js";
import { packBytes } from "../../bytes/packed.js";
import { blamesNobody } from "../../chain/faults.js";
import type { Fault, HashHex } from "../../types/chain.js";
import type { BlocksVerdict } from "../../ports.js";
import { breachText } from "../../protocol/violation.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import { askPeer, type RequestOutcome } from "../peer/ask-peer.js";
import type { AsksMost, RangeRequest, ServingPeer } from "./body-ranges.js";
import type { CheckTask } from "./check-queue.js";
import type { SyncManager } from "./sync-manager.js";
import {
  abort,
  blameBlock,
  broke,
  drop,
  finish,
  LEFT,
  MOVED,
  publish,
  readyClaimants,
  rejectBlock,
  report,
  type SyncContext,
  type SyncState,
} from "./sync-state.js";

/** What the pool did not check is checked again so much later. */
const CHECKS_PAUSE_MS = 50;
/**
 * Faults of a body that need not be its header's: rules compare the root before they judge what is
 * bound by it. Any other fault is the block's own, whoever sent it.
 */
const UNBOUND_RULES: ReadonlySet<Fault["rule"]> = new Set(["encoding", "size", "root"]);

/** Does all that the session allows now; called after every turn. */
export function proceedBodies(state: SyncState, context: SyncContext): void {
  const { session } = state;
  if (session === undefined) return;
  const { chain } = session;
  if (session.done) {
    if (chain.retracing) abort(state, context, isThere(state, session) ? MOVED : LEFT);
    else finish(state, context);
    return;
  }
  const proven = context.env.consensus.prefers(chain.best, context.env.blocks.head());
  const underWay = state.exchanges.of(session.headerPeer)?.step.name ?? "resting";
  if (!proven && chain.wanted === 0 && underWay === "resting" && !session.bodies.busy) {
    // Our own chain caught up meanwhile, by gossip: nobody needs the rest of this one. What was
    // asked for is set aside first, for this branch may be the better one a block later.
    drop(state, context);
    return;
  }
  if (proven) {
    const nowMs = context.env.clock.monotonicMs();
    const most = asksWithin(context);
    for (const request of session.bodies.assign(servingPeers(state, session), nowMs, most)) {
      send(state, request, context);
    }
  }
  checkTasks(state, session, context);
  connectRanges(state, session, context);
}

function isThere({ peers }: SyncState, { headerPeer }: SyncManager): boolean {
  return peers.get(headerPeer) !== undefined;
}

/** What limits of this node let come in a second is asked for ahead, and something in any case. */
function asksWithin({ env }: SyncContext): AsksMost {
  const { downloadBytesPerSec, peerDownloadBytesPerSec } = env.throttle.limits;
  const asks = (bytes: number, least: number): number =>
    bytes === 0
      ? Number.POSITIVE_INFINITY
      : Math.max(least, Math.floor(bytes / env.config.sync.rangeBytesTarget));
  return { inAll: asks(downloadBytesPerSec, 2), ofPeer: asks(peerDownloadBytesPerSec, 1) };
}

function servingPeers(state: SyncState, session: SyncManager): ServingPeer[] {
  return state.peers.all().map(({ peerId, head, direction, score }) => {
    // Of the others we know no more than that they claim the height: they may be on our branch.
    const known = peerId === session.headerPeer ? 1 : 0;
    // Whoever dialed this node may be anybody, any number of times.
    const chosen = direction === "outbound" ? 1 : 0;
    return { peerId, claimedHeight: head.height, score: score + known + chosen };
  });
}

function send(
  state: SyncState,
  { request, peerId, fromHeight, count, lastHash }: RangeRequest,
  context: SyncContext,
): void {
  const { handler } = state.peers.get(peerId)!;
  const message = { kind: "RequestBlockRange", fromHeight, count, lastHash } as const;
  askPeer({ peerId, handler, message, tag: request }, context);
}

/**
 * Asks another peer too for what everybody waits for, and ends a session whose first range nobody
 * gives: others may have a chain that can be had.
 */
export function judgeBodies(state: SyncState, context: SyncContext): void {
  const { session } = state;
  if (session === undefined) return;
  const nowMs = context.env.clock.monotonicMs();
  const waitedFor = session.bodies.front?.asks.at(-1)?.peerId;
  const request = session.bodies.hedge(servingPeers(state, session), nowMs);
  if (request !== undefined) {
    const { fromHeight } = request;
    context.env.log.write("info", "sync waits for a slow peer", { peerId: waitedFor, fromHeight });
    send(state, request, context);
  }
  const why = heldUp(state, session, context);
  if (why !== undefined) abort(state, context, `${why}: ${session.waitingFor(nowMs)}`);
}

/** Why the session ends, because it keeps this node from a chain that can be had; or undefined. */
function heldUp(
  state: SyncState,
  { bodies, chain, headerPeer, startedMs }: SyncManager,
  context: SyncContext,
): string | undefined {
  const { clock, config } = context.env;
  const { frontWaitMaxMs, rivalWaitMaxMs } = config.sync;
  const others = readyClaimants(state, context).filter(({ peerId }) => peerId !== headerPeer);
  if (others.length === 0) return undefined;
  if (bodies.waitedMs >= frontWaitMaxMs) return "nobody gives what was offered";
  const rivals = others.filter(({ peerId }) => bodies.isElsewhere(peerId));
  if (rivals.length === 0) return undefined;
  if (bodies.waitedMs >= state.peers.patienceMs(headerPeer)) return "others have another chain";
  if (clock.monotonicMs() - startedMs < rivalWaitMaxMs) return undefined;
  const { totalDifficulty } = chain.best;
  const isMore = rivals.some(({ head }) => head.totalDifficulty > totalDifficulty);
  return isMore ? "others claim a heavier chain" : undefined;
}

function checkTasks(state: SyncState, session: SyncManager, context: SyncContext): void {
  const { clock, config, workers } = context.env;
  const { checks } = session;
  while (!state.checksPaused && checks.running < config.sync.tasksInPoolMax) {
    const next = checks.next();
    if (next === undefined) return;
    const { task } = next;
    const job = {
      blocks: packBytes(next.blocks),
      parentHeader: next.parentHeader.slice(),
      nowMs: clock.wallMs(),
    };
    context.pipe(workers.validateBlocks(job), (outcome) => ({
      type: "BlocksChecked",
      session: session.id,
      task,
      verdict: outcome.ok ? outcome.value : undefined,
    }));
  }
}

function connectRanges(state: SyncState, session: SyncManager, context: SyncContext): void {
  for (;;) {
    const blocks = session.bodies.nextToConnect();
    if (blocks === undefined) return;
    const tag = state.nextTag();
    state.connects.add(tag);
    const promised = session.chain.best;
    askConsensus(state.system, { type: "Connect", blocks, promised, tag }, context);
  }
}

export function rangeAnswered(
  state: SyncState,
  outcome: RequestOutcome,
  context: SyncContext,
): void {
  const { session } = state;
  const { peerId, tag } = outcome;
  if (!state.asks.settle(tag) || session === undefined) return;
  const { bodies } = session;
  const nowMs = context.env.clock.monotonicMs();
  const range = bodies.rangeOf(tag);
  const asked = bodies.countOf(tag);
  if (!outcome.ok || outcome.message.kind !== "ResponseBlockRange") {
    const reason = outcome.ok ? "Busy" : outcome.reason;
    if (reason === "NotFound" && peerId !== session.headerPeer) {
      bodies.elsewhere(tag, peerId);
    } else if (reason === "NotFound" && range !== undefined) {
      // It no longer has what it offered, so others will hardly have it: its new chain is better.
      abort(state, context, MOVED);
    } else if (bodies.failed(tag, peerId, nowMs) && range !== undefined) {
      const blocks = `blocks ${range.fromHeight} to ${range.lastHeight} did not come`;
      abort(state, context, `${blocks}: ${UNDELIVERED[reason]}`);
    }
    return;
  }
  if (range === undefined) return;
  const { blocks } = outcome.message;
  if (blocks.length === 0 || blocks.length > asked!) {
    const detail = `${blocks.length} blocks for a range of ${asked}`;
    broke(state, peerId, detail);
    bodies.failed(tag, peerId, nowMs);
    return;
  }
  session.received(tag, peerId, blocks);
}

/** What is known of a range that did not come: a silence is no refusal, nor is a dead line. */
const UNDELIVERED: Readonly<Record<Extract<RequestOutcome, { ok: false }>["reason"], string>> = {
  NotFound: "the peer does not have them",
  Busy: "the peer withholds what it offered",
  RateLimited: "the peer withholds what it offered, by its quota",
  Timeout: "no answer in time",
  Closed: "the connection ended",
};

export function blocksChecked(
  state: SyncState,
  taskId: number,
  verdict: BlocksVerdict | undefined,
  context: SyncContext,
): void {
  const { session } = state;
  const task = session?.checks.get(taskId);
  if (session === undefined || task === undefined) return;
  if (verdict === undefined) {
    // The pool is full, or lost its copy: the blocks are still here.
    session.checks.again(task);
    state.checksPaused = true;
    context.startTimer("checks", CHECKS_PAUSE_MS, { type: "ChecksDue" });
    return;
  }
  const { accepted, fault } = verdict;
  const { server } = task.range;
  const nowMs = context.env.clock.monotonicMs();
  if (
    !session.matches(task, accepted) ||
    (fault !== undefined && !isPromised(task, accepted.length, session, context))
  ) {
    broke(state, server, "blocks other than the headers promise");
    session.spoiled(task, nowMs);
    return;
  }
  if (fault === undefined) {
    session.taskDone(task, accepted);
    return;
  }
  const hash = session.chain.hashAt(task.fromHeight + accepted.length);
  rejectBlock(state, context, { hash, fault, peerId: server });
  const { headerPeer } = session;
  const isBound = !UNBOUND_RULES.has(fault.rule);
  if (!isBound && server !== headerPeer) {
    session.spoiled(task, nowMs);
    return;
  }
  if (isBound && !blamesNobody(fault.rule)) {
    state.invalid.set(hash, { fault, toldBy: "bytes" });
    if (server !== headerPeer) blameBlock(state, headerPeer, { hash, fault });
  }
  invalidChain(state, session, fault, context);
}

/** Whether the block that failed has the promised header: otherwise it is its server's invention. */
function isPromised(
  task: CheckTask,
  index: number,
  session: SyncManager,
  { env }: SyncContext,
): boolean {
  const parts = env.consensus.rules.splitBlock(task.blocks[index]!);
  // A block that is too large or malformed cannot be split; then its sender alone answers for it.
  if (!parts.ok) return true;
  const header = env.consensus.rules.readHeader(parts.value.header);
  return header.ok && header.value.hash === session.chain.hashAt(task.fromHeight + index);
}

/** The headers were fine, the chain is not, or its offerer does not give what it offered. */
function invalidChain(
  state: SyncState,
  { headerPeer }: SyncManager,
  fault: Fault,
  context: SyncContext,
): void {
  if (blamesNobody(fault.rule)) {
    abort(state, context, `nobody's fault: ${breachText(fault)}`);
    return;
  }
  state.peers.refute(headerPeer);
  abort(state, context, `an invalid block: ${breachText(fault)}`);
}

export function connectEnded(
  state: SyncState,
  outcome: ConnectOutcome,
  context: SyncContext,
): void {
  const { session } = state;
  if (!state.connects.delete(outcome.tag) || session === undefined) return;
  if (outcome.ok) {
    connected(state, session);
    return;
  }
  if (outcome.reason !== "fault") {
    // It will not be less deep later; a claim of more work is another one. All else is our affair.
    const tooDeep = outcome.reason === "too-deep";
    if (tooDeep) state.peers.refute(session.headerPeer);
    abort(state, context, `blocks were not connected: ${outcome.reason}`, !tooDeep);
    return;
  }
  refused(state, session, outcome, context);
}

function connected(state: SyncState, session: SyncManager): void {
  const range = session.connected();
  const { blocks, server } = range.connected();
  for (const { transactionCount } of blocks) state.transactionCount += transactionCount;
  const { transactionCount } = state;
  state.excuses = 0;
  const height = range.lastHeight;
  const targetHeight = session.chain.tip.summary.height;
  publish(state, { type: "SyncProgressed", height, targetHeight, transactionCount });
  report(state, server, "UsefulData", `blocks to ${height}`);
}

/** A block broke a rule of state: its server ran it, or should have; its headers say nothing of it. */
function refused(
  state: SyncState,
  session: SyncManager,
  { hash, fault }: { readonly hash: HashHex; readonly fault: Fault },
  context: SyncContext,
): void {
  const server = session.bodies.serverOf(hash);
  if (!blamesNobody(fault.rule)) state.invalid.set(hash, { fault, toldBy: "state" });
  rejectBlock(state, context, { hash, fault, peerId: server });
  invalidChain(state, session, fault, context);
}
