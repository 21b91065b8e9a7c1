// Block handler: blocks at the tip, pushed, announced or produced here. Has them checked in the
// pool and connected; leaves everything that is more than a step ahead to sync.
// Told by: message router, producer, peer handlers (answers). Tells: system router, broadcaster,
// sync, reputation, event bus, peer handlers.

import { packBytes } from "../../bytes/packed.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { firstTag } from "../tags.js";
import { blamesNobody } from "../../chain/faults.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../chain/types.js";
import type { BlocksVerdict, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Answer, Incoming, RequestOutcome } from "../peer/peer-handler-messages.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { SyncMessage } from "../sync/sync-messages.js";
import { mayWin } from "./may-win.js";

export type BlockHandlerMessage =
  | Incoming<"NewBlock" | "AnnounceBlock" | "RequestBlock">
  | {
      readonly type: "Produced";
      readonly block: Uint8Array;
      /** Who is told what became of it, under this tag. */
      readonly report?: BlockReport;
    }
  | { readonly type: "Checked"; readonly tag: number; readonly verdict: BlocksVerdict | undefined }
  | RequestOutcome
  | ConnectOutcome
  /** A peer handler stopped, after all that it told. */
  | { readonly type: "PeerStopped"; readonly path: string };

export interface BlockReport {
  readonly tag: number;
  readonly replyTo: ActorRef<ProducedOutcome>;
}

/** `fault` is absent when the block was not judged: the node was busy, or the chain went on. */
export type ProducedOutcome = { readonly type: "ProducedOutcome"; readonly tag: number } & (
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly fault?: Fault }
);

export interface BlockHandlerArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly broadcaster: ActorRef<BroadcasterMessage>;
  readonly sync: ActorRef<SyncMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type BlockHandlerEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "consensus" | "log" | "random" | "workers"
>;

interface Origin {
  /** Absent: produced here. */
  readonly peerId?: PeerId;
  /** Of the peer's message that it came in. */
  readonly peerReply?: ActorRef<Answer>;
  /** Whoever produced it here and waits for its end. */
  readonly report?: BlockReport | undefined;
}

/** A block between its arrival and its end. */
interface Job extends Origin {
  readonly hash: HashHex;
  /** The peer handler that was asked for it, by its path, until it answers. */
  readonly askedOf?: string;
}

interface Child {
  readonly parent: HashHex;
  readonly block: Uint8Array;
  readonly origin: Origin;
}

interface State extends BlockHandlerArgs {
  readonly jobs: Map<number, Job>;
  readonly hashes: Set<HashHex>;
  /** Blocks whose parent is in a job: they are taken up when it ends. */
  children: Child[];
  nextTag: number;
}

type Ctx = Context<BlockHandlerMessage, BlockHandlerEnv>;

/** Blocks at the tip that are fetched or checked at once; more than that is sync's work. */
const JOBS_MAX = 64;

export const blockHandler = defineActor<
  BlockHandlerArgs,
  BlockHandlerMessage,
  State,
  BlockHandlerEnv
>({
  name: "block-handler",
  mailbox: {
    dataMax: 1_024,
    controlMax: 1_024,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Incoming",
  },
  onFault: RESTART,

  init(context, args) {
    const kinds = ["NewBlock", "AnnounceBlock", "RequestBlock"] as const;
    const handler = context.self as ActorRef<Incoming>;
    args.router.tell({ type: "Register", kinds, handler });
    return {
      ...args,
      jobs: new Map(),
      hashes: new Set(),
      children: [],
      nextTag: firstTag(context.env.random),
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        receiveIncoming(state, message, context);
        return;
      case "Produced":
        check(state, message.block, { report: message.report }, context);
        return;
      case "RequestOutcome":
        fetched(state, message, context);
        return;
      case "Checked":
        checked(state, message.tag, message.verdict, context);
        return;
      case "ConnectOutcome":
        connectEnded(state, message, context);
        return;
      case "PeerStopped":
        for (const [tag, { askedOf }] of [...state.jobs]) {
          if (askedOf === message.path) end(state, tag, context);
        }
        return;
      default:
        unreachable(message);
    }
  },

  signal(_state, signal, context) {
    // Signals overtake messages, and its last answer may still wait.
    if (signal.type !== "terminated") return;
    context.self.tell({ type: "PeerStopped", path: signal.path });
  },

  invariants(state) {
    invariant(state.jobs.size <= JOBS_MAX, `${state.jobs.size} blocks are checked`);
    invariant(state.children.length <= JOBS_MAX, `${state.children.length} wait for parents`);
  },

  atRest({ jobs, hashes, children }) {
    invariant(jobs.size === 0, `${jobs.size} blocks have places`);
    invariant(hashes.size === 0, `${hashes.size} blocks count as being under way`);
    invariant(children.length === 0, `${children.length} wait for parents`);
  },
});

function receiveIncoming(
  state: State,
  incoming: Incoming<"NewBlock" | "AnnounceBlock" | "RequestBlock">,
  context: Ctx,
): void {
  const { message, peerId, replyTo } = incoming;
  switch (message.kind) {
    case "RequestBlock": {
      const serve = { type: "Serve", request: message, replyTo } as const;
      context.forward(state.system, { to: "storage", message: serve }, replyTo);
      return;
    }
    case "AnnounceBlock":
      state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: [message.hash] });
      announced(state, incoming as Incoming<"AnnounceBlock">, context);
      replyTo.tell("Done");
      return;
    case "NewBlock":
      check(state, message.block, { peerId, peerReply: replyTo }, context);
      return;
    default:
      unreachable(message);
  }
}

/** Fetches an announced block when it is the next one; anything further is a case for sync. */
function announced(state: State, incoming: Incoming<"AnnounceBlock">, context: Ctx): void {
  const { message, from, peerId } = incoming;
  const { blocks } = context.env;
  if (blocks.has(message.hash) || state.hashes.has(message.hash)) return;
  if (state.jobs.size >= JOBS_MAX) return;
  const { hash, totalDifficulty } = message;
  const height = Number(message.height);
  if (!mayWin({ hash, height, totalDifficulty }, blocks.head(), context.env.consensus)) return;
  if (message.height > BigInt(blocks.head().height) + 1n) {
    state.sync.tell({ type: "BehindPeer", peerId });
    return;
  }
  const tag = begin(state, { hash: message.hash, peerId, askedOf: from.path });
  const request = { kind: "RequestBlock", hash: message.hash } as const;
  const asked = from.tell({
    type: "Request",
    message: request,
    tag,
    items: 1,
    replyTo: context.self,
  });
  // It may stop with the request in its mailbox.
  if (asked) context.watch(from);
  else end(state, tag, context);
}

function begin(state: State, job: Job): number {
  const tag = state.nextTag++;
  state.jobs.set(tag, job);
  state.hashes.add(job.hash);
  return tag;
}

function end(state: State, tag: number, context: Ctx): void {
  const job = state.jobs.get(tag);
  if (job === undefined) return;
  state.jobs.delete(tag);
  state.hashes.delete(job.hash);
  job.peerReply?.tell("Done");
  const children = state.children.filter(({ parent }) => parent === job.hash);
  if (children.length === 0) return;
  state.children = state.children.filter(({ parent }) => parent !== job.hash);
  for (const { block, origin } of children) check(state, block, origin, context);
}

function fetched(state: State, outcome: RequestOutcome, context: Ctx): void {
  const job = state.jobs.get(outcome.tag);
  end(state, outcome.tag, context);
  if (job === undefined || !outcome.ok || outcome.message.kind !== "ResponseBlock") return;
  check(state, outcome.message.block, { peerId: outcome.peerId }, context, job.hash);
}

function settle({ report }: Origin, outcome: { ok: true } | Omit<Refused, "type" | "tag">): void {
  report?.replyTo.tell({ type: "ProducedOutcome", tag: report.tag, ...outcome });
}

type Refused = Extract<ProducedOutcome, { ok: false }>;

/** Splits on the loop, checks in the pool. `expected`: the hash that was asked for. */
function check(
  state: State,
  block: Uint8Array,
  origin: Origin,
  context: Ctx,
  expected?: HashHex,
): void {
  const { blocks, clock, consensus, workers } = context.env;
  const { peerId, peerReply } = origin;
  const drop = (reason: string): void => {
    peerReply?.tell("Done");
    settle(origin, { ok: false, reason });
  };
  const parts = consensus.rules.splitBlock(block);
  const header = parts.ok ? consensus.rules.readHeader(parts.value.header) : parts;
  if (!header.ok) {
    rejected(state, { ...origin, hash: expected ?? "" }, header.fault, context);
    peerReply?.tell("Done");
    return;
  }
  const { hash, previousHash } = header.value;
  if (expected !== undefined && hash !== expected && peerId !== undefined) {
    const detail = "another block than the one asked for";
    state.reputation.tell({ type: "Report", peerId, event: "ProtocolViolation", detail });
    return;
  }
  if (peerId !== undefined) claimed(state, peerId, header.value);
  if (blocks.has(hash) || state.hashes.has(hash) || state.jobs.size >= JOBS_MAX) {
    drop(state.jobs.size >= JOBS_MAX ? "busy" : "known");
    return;
  }
  // A peer's block that cannot win with the next one is sync's affair once its branch is heavier.
  if (peerId !== undefined && !mayWin(header.value, blocks.head(), consensus)) {
    drop("lighter");
    return;
  }
  const parentHeader = blocks.headerBytes(previousHash);
  if (parentHeader === undefined && state.hashes.has(previousHash)) {
    if (state.children.length >= JOBS_MAX) drop("busy");
    else state.children.push({ parent: previousHash, block, origin });
    return;
  }
  if (parentHeader === undefined) {
    if (peerId !== undefined) state.sync.tell({ type: "BehindPeer", peerId });
    drop("orphan");
    return;
  }
  const tag = begin(state, { ...origin, hash });
  const job = { blocks: packBytes([block]), parentHeader, nowMs: clock.wallMs() };
  context.pipe(workers.validateBlocks(job), (outcome) => ({
    type: "Checked",
    tag,
    verdict: outcome.ok ? outcome.value : undefined,
  }));
}

function isCanonical(hash: HashHex, { blocks }: Pick<BlockHandlerEnv, "blocks">): boolean {
  const height = blocks.summary(hash)?.height;
  return height !== undefined && blocks.hashAt(height) === hash;
}

/** Whoever sends a block claims it as its head. */
function claimed(state: State, peerId: PeerId, header: HeaderSummary): void {
  const { hash, height, totalDifficulty } = header;
  state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: [hash] });
  const head = { height: BigInt(height), hash, totalDifficulty };
  state.registry.tell({ type: "HeadClaimed", peerId, head });
}

function checked(
  state: State,
  tag: number,
  verdict: BlocksVerdict | undefined,
  context: Ctx,
): void {
  const job = state.jobs.get(tag);
  if (job === undefined) return;
  if (verdict === undefined) {
    // The pool is full or lost the bytes: the block comes again by announcement or by sync.
    end(state, tag, context);
    settle(job, { ok: false, reason: "lost" });
    if (job.peerId !== undefined) state.sync.tell({ type: "BehindPeer", peerId: job.peerId });
    return;
  }
  const block: CheckedBlock | undefined = verdict.accepted[0];
  if (verdict.fault !== undefined || block === undefined) {
    if (verdict.fault !== undefined) rejected(state, job, verdict.fault, context);
    end(state, tag, context);
    return;
  }
  const from = job.peerId === undefined ? {} : { peerId: job.peerId };
  const blocks = [block];
  const connect = { type: "Connect", blocks, ...from, tag, replyTo: context.self } as const;
  if (state.system.tell({ to: "consensus", message: connect })) return;
  end(state, tag, context);
  settle(job, { ok: false, reason: "busy" });
}

function connectEnded(state: State, outcome: ConnectOutcome, context: Ctx): void {
  const job = state.jobs.get(outcome.tag);
  end(state, outcome.tag, context);
  if (job === undefined) return;
  const { peerId } = job;
  if (outcome.ok) settle(job, { ok: true });
  else if (outcome.reason !== "fault") settle(job, { ok: false, reason: outcome.reason });
  if (outcome.ok) {
    // What only stands beside the chain has not proven good for anything.
    if (peerId === undefined || !isCanonical(job.hash, context.env)) return;
    state.reputation.tell({ type: "Report", peerId, event: "GoodBlock", detail: job.hash });
  } else if (outcome.reason === "fault") {
    rejected(state, job, outcome.fault, context);
  } else if (outcome.reason === "orphan" && peerId !== undefined) {
    state.sync.tell({ type: "BehindPeer", peerId });
  }
}

/**
 * Peers relay only what they validated, so an invalid block is its sender's fault: all but one from
 * the future, which the sender's clock allowed, and one at which our own consensus threw. Its
 * sender's claim brings it again later, by sync.
 */
function rejected(state: State, job: Job, fault: Fault, context: Ctx): void {
  const { hash, peerId } = job;
  const { rule, detail } = fault;
  settle(job, { ok: false, reason: rule, fault });
  context.env.log.write("warn", "block rejected", { hash, rule, detail, peerId });
  const from = peerId === undefined ? {} : { peerId };
  const event = { type: "BlockRejected", hash, rule, detail, ...from } as const;
  state.events.tell({ type: "Publish", event });
  if (peerId === undefined || blamesNobody(rule)) return;
  const blame = { type: "Report", peerId, event: "InvalidBlock" } as const;
  state.reputation.tell({ ...blame, detail: `${rule}: ${detail}` });
}
