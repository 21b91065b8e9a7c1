// The body half of sync: ranges from several peers, checks in the pool, connects in order.

import { packBytes } from "../../bytes/packed.js";
import { blamesNobody } from "../../chain/faults.js";
import type { Fault } from "../../chain/types.js";
import type { BlocksVerdict } from "../../ports.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type { RequestOutcome } from "../peer/peer-handler-messages.js";
import { announceStart, askHeaders } from "./sync-headers.js";
import type { CheckTask, Range, ServingPeer, SyncManager } from "./sync-manager.js";
import {
  abort,
  blame,
  drop,
  finish,
  MOVED,
  publish,
  refute,
  rejectBlock,
  type SyncContext,
  type SyncState,
} from "./sync-state.js";

const SETBACKS_MAX = 64;

/** Does all that the session allows now; called after every turn. */
export function proceed(state: SyncState, context: SyncContext): void {
  const { session } = state;
  if (session === undefined) return;
  if (session.done) {
    if (session.retracing) abort(state, context, MOVED);
    else finish(state, context);
    return;
  }
  // Before their work is proven to exceed ours, headers buy no bodies.
  const proven = context.env.consensus.prefers(session.best, context.env.blocks.head());
  if (proven && session.surveying) session.retrace();
  else if (!proven && session.headersFull && session.idle && !session.retracing) session.survey();
  const headerPeer = state.peers.get(session.headerPeer);
  if (headerPeer === undefined) session.exhausted = true;
  else if (session.wantsHeaders && state.exchange === undefined) {
    askHeaders(state, headerPeer, context);
  }
  // A full window that is no survey was proven before: it holds no more headers.
  const ended = session.exhausted || session.headersFull;
  if (!proven && ended && state.exchange === undefined && !session.busy) {
    // Our own chain caught up meanwhile, by gossip: nobody needs the rest of this one. What was
    // asked for is set aside first, for this branch may be the better one a block later.
    drop(state, context);
    return;
  }
  if (proven) {
    if (state.strategy === null) announceStart(state, context);
    askRanges(state, session, context);
  }
  checkTasks(session, context);
  connectRanges(state, session, context);
}

export function servingPeers(state: SyncState, session: SyncManager): ServingPeer[] {
  return [...state.peers.values()].map(({ peerId, head, score }) => {
    // Of the others we know no more than that they claim the height: they may be on our branch.
    const known = peerId === session.headerPeer ? 1 : 0;
    return { peerId, claimedHeight: head.height, score: score + known };
  });
}

function askRanges(state: SyncState, session: SyncManager, context: SyncContext): void {
  const serving = servingPeers(state, session);
  const nowMs = context.env.clock.monotonicMs();
  for (const { request, peerId, fromHeight, count, lastHash } of session.assign(serving, nowMs)) {
    const tag = state.nextTag++;
    state.requests.set(tag, request);
    const asked = state.peers.get(peerId)?.handler.tell({
      type: "Request",
      message: { kind: "RequestBlockRange", fromHeight, count, lastHash },
      tag,
      items: count,
      replyTo: context.self,
    });
    if (asked === true) continue;
    state.requests.delete(tag);
    const range = session.rangeOf(request);
    if (range !== undefined) session.failed(range);
  }
}

function checkTasks(session: SyncManager, context: SyncContext): void {
  const { clock, config, workers } = context.env;
  while (session.tasksRunning < config.sync.tasksInPoolMax) {
    const next = session.nextTask();
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
    const range = session.nextToConnect();
    if (range === undefined) return;
    const tag = state.nextTag++;
    state.connects.add(tag);
    const { checked: blocks } = range;
    const promised = session.best;
    const connect = { type: "Connect", blocks, promised, tag, replyTo: context.self } as const;
    if (state.system.tell({ to: "consensus", message: connect })) continue;
    abort(state, context, "the chain cannot take blocks");
    return;
  }
}

export function rangeAnswered(
  state: SyncState,
  outcome: RequestOutcome,
  context: SyncContext,
): void {
  const request = state.requests.get(outcome.tag);
  state.requests.delete(outcome.tag);
  const { session } = state;
  const range = request === undefined ? undefined : session?.rangeOf(request);
  if (session === undefined || range === undefined) return;
  if (!outcome.ok || outcome.message.kind !== "ResponseBlockRange") {
    const reason = outcome.ok ? "Busy" : outcome.reason;
    if (reason === "NotFound" && outcome.peerId === session.headerPeer) {
      // It no longer has what it offered, so others will hardly have it: its new chain is better.
      abort(state, context, MOVED);
      return;
    }
    undelivered(state, range, reason, context);
    return;
  }
  const { blocks } = outcome.message;
  if (blocks.length === 0 || blocks.length > range.count) {
    const detail = `${blocks.length} blocks for a range of ${range.count}`;
    blame(state, outcome.peerId, "ProtocolViolation", detail);
    session.failed(range);
    setBack(state, context);
    return;
  }
  session.received(range, blocks);
}

/** What is known of a range that did not come: a silence is no refusal, nor is a dead line. */
const UNDELIVERED: Readonly<Record<Extract<RequestOutcome, { ok: false }>["reason"], string>> = {
  NotFound: "the peer does not have them",
  Busy: "the peer withholds what it offered",
  RateLimited: "the peer withholds what it offered, by its quota",
  Timeout: "no answer in time",
  Closed: "the connection ended",
};

/** A request for a range was not answered with it. */
function undelivered(
  state: SyncState,
  range: Range,
  reason: keyof typeof UNDELIVERED,
  context: SyncContext,
): void {
  const { session } = state;
  if (session === undefined) return;
  if (!session.undelivered(range)) {
    setBack(state, context);
    return;
  }
  const { fromHeight, count } = range;
  const blocks = `blocks ${fromHeight} to ${fromHeight + count - 1} did not come`;
  abort(state, context, `${blocks}: ${UNDELIVERED[reason]}`);
}

export function setBack(state: SyncState, context: SyncContext): void {
  state.setbacks++;
  if (state.setbacks > SETBACKS_MAX) abort(state, context, "too many setbacks");
}

export function blocksChecked(
  state: SyncState,
  taskId: number,
  verdict: BlocksVerdict | undefined,
  context: SyncContext,
): void {
  const { session } = state;
  const task = session?.task(taskId);
  if (session === undefined || task === undefined) return;
  if (verdict === undefined) {
    // The pool lost the bytes: whoever sent them is not to blame.
    session.taskLost(task);
    task.range.tried.clear();
    setBack(state, context);
    return;
  }
  const { accepted, fault } = verdict;
  const server = task.range.peerId;
  if (
    !session.matches(task, accepted) ||
    (fault !== undefined && !isPromised(task, accepted.length, session, context))
  ) {
    blame(state, server, "ProtocolViolation", "blocks other than the headers promise");
    session.taskLost(task);
    setBack(state, context);
    return;
  }
  if (fault === undefined) {
    session.taskDone(task, accepted);
    return;
  }
  const hash = session.hashAt(task.fromHeight + accepted.length);
  rejectBlock(state, context, { hash, fault, peerId: server });
  if (session.faultIsChains(fault, server)) {
    invalidChain(state, session, fault, server, context);
  } else {
    session.taskLost(task);
    setBack(state, context);
  }
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
  return header.ok && header.value.hash === session.hashAt(task.fromHeight + index);
}

/** The headers were fine, the chain is not: whoever offered it and whoever served it knew. */
function invalidChain(
  state: SyncState,
  session: SyncManager,
  fault: Fault,
  server: string | undefined,
  context: SyncContext,
): void {
  const { headerPeer } = session;
  const detail = `${fault.rule}: ${fault.detail}`;
  if (blamesNobody(fault.rule)) {
    abort(state, context, `nobody's fault: ${detail}`);
    return;
  }
  if (headerPeer !== server) blame(state, headerPeer, "InvalidBlock", detail);
  refute(state, headerPeer);
  abort(state, context, `an invalid block: ${detail}`);
}

export function connectEnded(
  state: SyncState,
  outcome: ConnectOutcome,
  context: SyncContext,
): void {
  const { session } = state;
  if (!state.connects.delete(outcome.tag) || session === undefined) return;
  if (outcome.ok) {
    const range = session.connected();
    state.setbacks = 0;
    for (const { transactionCount } of range.checked) state.transactionCount += transactionCount;
    const height = range.fromHeight + range.count - 1;
    const { transactionCount } = state;
    const targetHeight = session.tip.summary.height;
    publish(state, { type: "SyncProgressed", height, targetHeight, transactionCount });
    blame(state, range.peerId, "UsefulData", `blocks to ${height}`);
    return;
  }
  if (outcome.reason !== "fault") {
    // It will not be less deep later; a claim of more work is another one.
    if (outcome.reason === "too-deep") refute(state, session.headerPeer);
    abort(state, context, `blocks were not connected: ${outcome.reason}`);
    return;
  }
  const { hash, fault } = outcome;
  const server = session.serverOf(hash);
  rejectBlock(state, context, { hash, fault, peerId: server });
  invalidChain(state, session, fault, server, context);
}
