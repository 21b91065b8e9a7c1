// Consensus integration: the one writer of the chain. Connects checked blocks in order, chooses
// between forks, reorganises, and answers when a change is durable.
// Told by: sync, block handler (through the system router). Tells: requesters, followers of the
// chain (mempool, broadcaster, storage, producer), event bus, and the service when the store failed.

import { LRUCache } from "lru-cache";
import { CodedError, errorText, invariant, isCoded, unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import { blamesNobody } from "../../chain/faults.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../chain/types.js";
import type { BlocksVerdict, ChainCommit, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { ChainChanged } from "./chain-events.js";
import { connectBlock } from "./connect-block.js";
import { branchTo, Reorganisation, type BranchEnv } from "./reorganisation.js";
import { SideBranches } from "./side-branches.js";
import { StateOverlay } from "./state-overlay.js";

export type ConsensusMessage =
  /** Consecutive blocks that passed every stateless check. */
  | {
      readonly type: "Connect";
      readonly blocks: readonly CheckedBlock[];
      /** Who sent them unasked; absent: made here, or fetched. */
      readonly peerId?: PeerId;
      /** The last header of their branch, when its headers were checked up to there. */
      readonly promised?: HeaderSummary;
      readonly tag: number;
      readonly replyTo: ActorRef<ConnectOutcome>;
    }
  | { readonly type: "Subscribe"; readonly subscriber: ActorRef<ChainChanged> }
  | { readonly type: "Committed"; readonly commit: PendingCommit; readonly error?: unknown }
  | { readonly type: "BranchChecked"; readonly verdict: BlocksVerdict | undefined }
  | { readonly type: "Pruned"; readonly error?: unknown };

/** The fate of one Connect, told when it is durable. */
export type ConnectOutcome = { readonly type: "ConnectOutcome"; readonly tag: number } & (
  | { readonly ok: true; readonly head: HeaderSummary }
  /** `hash` names the block that broke the rule; the ones before it were connected. */
  | { readonly ok: false; readonly reason: "fault"; readonly hash: HashHex; readonly fault: Fault }
  | { readonly ok: false; readonly reason: "orphan"; readonly missing: HashHex }
  | { readonly ok: false; readonly reason: "too-deep" | "busy" | "store-failed" }
);

type ConnectCommand = Extract<ConsensusMessage, { type: "Connect" }>;
type Answer = { replyTo: ActorRef<ConnectOutcome>; outcome: ConnectOutcome };

export interface PendingCommit {
  /** What is answered when it is durable. */
  readonly answers: Answer[];
  readonly change: ChainChanged | undefined;
}

/** The store takes no more commits, and followers have heard of a chain that it does not hold. */
export interface StoreFailed {
  readonly type: "StoreFailed";
  /** STORE_FAILED. */
  readonly error: CodedError;
}

export interface ConsensusArgs {
  readonly events: ActorRef<EventBusMessage>;
  /** Is to end the node: nothing that a restart of actors could mend. */
  readonly onStoreFailed: ActorRef<StoreFailed>;
}

export type ConsensusEnv = BranchEnv &
  Pick<NodeEnv, "clock" | "workers" | "log" | "config" | "transactions">;

interface State extends ConsensusArgs {
  readonly subscribers: Map<string, ActorRef<ChainChanged>>;
  /** Hashes of blocks that broke a rule of state: neither they nor their children are tried again. */
  readonly invalid: LRUCache<HashHex, Fault>;
  readonly side: SideBranches;
  /** While set, Connects wait: the head is about to move to another branch. */
  reorganisation: { readonly plan: Reorganisation; readonly command: ConnectCommand } | undefined;
  readonly waiting: ConnectCommand[];
  /** The newest commit that is not durable yet. */
  lastCommit: PendingCommit | undefined;
  prunedHeight: number;
}

type Ctx = Context<ConsensusMessage, ConsensusEnv>;

/** Connects that may wait for a reorganisation. */
const WAITING_MAX = 256;

export const consensusIntegration = defineActor<
  ConsensusArgs,
  ConsensusMessage,
  State,
  ConsensusEnv
>({
  name: "consensus",
  mailbox: {
    dataMax: 1_024,
    controlMax: 4_096,
    overflow: "reject",
    isControl: ({ type }) => type !== "Connect",
  },
  onFault: ESCALATE,

  init(context, args) {
    const { blocks, config, consensus } = context.env;
    const prefers = consensus.prefers.bind(consensus);
    const side = new SideBranches(config.chain, prefers, blocks.sideBlocks?.() ?? []);
    const forgotten = [...side.overflow(blocks.head())];
    if (forgotten.length > 0) {
      context.pipe(blocks.commit({ blocks: [], undo: [], state: [], forgotten }), pruned);
    }
    return {
      ...args,
      subscribers: new Map(),
      invalid: new LRUCache({ max: config.sync.invalidHashesMax }),
      side,
      reorganisation: undefined,
      waiting: [],
      lastCommit: undefined,
      prunedHeight: 0,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Connect":
        if (state.reorganisation === undefined) connect(state, message, context);
        else if (state.waiting.length < WAITING_MAX) state.waiting.push(message);
        else answer(state, message, { ok: false, reason: "busy" });
        return;
      case "Subscribe":
        state.subscribers.set(message.subscriber.path, message.subscriber);
        context.watch(message.subscriber);
        return;
      case "Committed":
        if (state.lastCommit === message.commit) state.lastCommit = undefined;
        committed(state, message.commit, message.error, context);
        return;
      case "BranchChecked":
        branchChecked(state, message.verdict, context);
        return;
      case "Pruned":
        if (message.error !== undefined) {
          context.env.log.write("error", "pruning failed", { error: errorText(message.error) });
        }
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type === "terminated") state.subscribers.delete(signal.path);
  },

  invariants({ waiting, reorganisation, side }) {
    side.invariants();
    invariant(waiting.length <= WAITING_MAX, `${waiting.length} connects wait`);
    invariant(waiting.length === 0 || reorganisation !== undefined, "connects wait for nothing");
  },
});

/** Answers come in the order of the commands, so behind the commits that are under way. */
function answer(state: State, command: ConnectCommand, outcome: OutcomeBody): void {
  const ordered = answerOf(command, outcome);
  if (state.lastCommit === undefined) ordered.replyTo.tell(ordered.outcome);
  else state.lastCommit.answers.push(ordered);
}

type OutcomeBody = ConnectOutcome extends infer O
  ? O extends ConnectOutcome
    ? Omit<O, "type" | "tag">
    : never
  : never;

/** Extends the head as far as the blocks go; hands the rest to the fork path. */
function connect(state: State, command: ConnectCommand, context: Ctx): void {
  const { blocks: store, consensus } = context.env;
  const overlay = new StateOverlay(store);
  const connected: CheckedBlock[] = [];
  const undo: { hash: HashHex; bytes: Uint8Array }[] = [];
  const oldHead = store.head();
  let head = oldHead;
  let outcome: OutcomeBody | undefined;
  let fork: readonly CheckedBlock[] = [];
  for (const [index, block] of command.blocks.entries()) {
    const { header } = block;
    if (store.hashAt(header.height) === header.hash) continue;
    if (header.previousHash !== head.hash || store.has(header.hash)) {
      fork = command.blocks.slice(index);
      break;
    }
    const applied = state.invalid.has(header.hash)
      ? { ok: false as const, fault: state.invalid.get(header.hash)! }
      : connectBlock(consensus, block, overlay);
    if (!applied.ok) {
      if (!blamesNobody(applied.fault.rule)) state.invalid.set(header.hash, applied.fault);
      outcome = { ok: false, reason: "fault", hash: header.hash, fault: applied.fault };
      break;
    }
    overlay.apply(applied.value.writes);
    undo.push({ hash: header.hash, bytes: applied.value.undo });
    connected.push(block);
    head = header;
  }
  const change = changeOf([], connected, head);
  if (fork.length > 0) {
    // What extended the head comes first, unanswered; the fork's own commit answers.
    if (connected.length > 0)
      commitRun(state, { connected, undo, overlay, oldHead }, [], change, context);
    connectFork(state, { ...command, blocks: fork }, context);
    return;
  }
  outcome ??= { ok: true, head };
  const answers = [answerOf(command, outcome)];
  if (connected.length > 0) {
    commitRun(state, { connected, undo, overlay, oldHead }, answers, change, context);
  } else {
    answer(state, command, outcome);
  }
}

interface Run {
  readonly connected: readonly CheckedBlock[];
  readonly undo: ChainCommit["undo"];
  readonly overlay: StateOverlay;
  readonly oldHead: HeaderSummary;
}

function commitRun(
  state: State,
  run: Run,
  answers: Answer[],
  change: ChainChanged | undefined,
  context: Ctx,
): void {
  commit(
    state,
    {
      blocks: run.connected,
      undo: run.undo,
      canonical: {
        fromHeight: run.oldHead.height + 1,
        hashes: run.connected.map(({ header }) => header.hash),
      },
      state: run.overlay.writes(),
      ...(context.env.transactions === undefined ? {} : { transactions: indexed(run.connected) }),
    },
    { answers, change },
    context,
  );
}

function indexed(blocks: readonly CheckedBlock[]): ChainCommit["transactions"] & object {
  return blocks.map(({ header: { hash, height }, transactionIds }) => ({
    blockHash: hash,
    height,
    transactionIds,
  }));
}

function answerOf(command: ConnectCommand, outcome: OutcomeBody): Answer {
  const { tag, replyTo } = command;
  return { replyTo, outcome: { type: "ConnectOutcome", tag, ...outcome } };
}

/** Sets blocks of another branch aside and moves to it when it is the better one. */
function connectFork(state: State, command: ConnectCommand, context: Ctx): void {
  const { blocks: store, consensus, config } = context.env;
  const head = store.head();
  const aside: CheckedBlock[] = [];
  const hashes = new Set<HashHex>();
  let tip: HeaderSummary | undefined;
  for (const block of command.blocks) {
    const { header } = block;
    const known = state.invalid.get(header.hash) ?? state.invalid.get(header.previousHash);
    if (known !== undefined) {
      const { hash } = header;
      state.invalid.set(hash, known);
      answer(state, command, { ok: false, reason: "fault", hash, fault: known });
      return;
    }
    if (store.has(header.hash)) {
      // Stored before, but its branch did not win or its reorganisation was lost: it may win now.
      if (tip === undefined || consensus.prefers(header, tip)) tip = header;
      continue;
    }
    if (!store.has(header.previousHash) && !hashes.has(header.previousHash)) {
      answer(state, command, { ok: false, reason: "orphan", missing: header.previousHash });
      return;
    }
    if (head.height - header.height >= config.chain.reorgDepthMax) {
      answer(state, command, { ok: false, reason: "too-deep" });
      return;
    }
    aside.push(block);
    hashes.add(header.hash);
    if (tip === undefined || consensus.prefers(header, tip)) tip = header;
  }
  const moves = tip !== undefined && consensus.prefers(tip, head);
  const answers = moves ? [] : [answerOf(command, { ok: true, head })];
  const { kept, forgotten } = setAside(state, command, aside, moves ? tip : undefined, context);
  if (kept.length + forgotten.length > 0) {
    const unit = { blocks: kept, undo: [], state: [], forgotten };
    commit(state, unit, { answers, change: undefined }, context);
  } else if (!moves) {
    answer(state, command, { ok: true, head });
  }
  if (tip === undefined || !moves) return;
  // A store that failed refuses at once: there is no branch to move to.
  if (store.has(tip.hash)) beginReorganisation(state, command, tip, context);
  else answer(state, command, { ok: false, reason: "store-failed" });
}

/** What of the blocks is stored, and what the store is to forget for it. `moving`: their new head. */
function setAside(
  { side }: State,
  { blocks, peerId, promised }: ConnectCommand,
  aside: readonly CheckedBlock[],
  moving: HeaderSummary | undefined,
  { env }: Ctx,
): { readonly kept: readonly CheckedBlock[]; readonly forgotten: readonly HashHex[] } {
  for (const { header, bytes } of aside) side.add(header, bytes.length, peerId);
  const last = blocks.at(-1)?.header.hash;
  if (promised !== undefined && last !== undefined) side.promise(last, promised);
  const gone = side.overflow(env.blocks.head(), moving?.hash);
  if (gone.size > 0) {
    const fields = { blocks: gone.size, bytesLeft: side.weight };
    env.log.write("info", "side branches weigh too much, the lightest were dropped", fields);
  }
  const fresh = new Set(aside.map(({ header }) => header.hash));
  return {
    kept: aside.filter(({ header }) => !gone.has(header.hash)),
    forgotten: [...gone].filter((hash) => !fresh.has(hash)),
  };
}

function beginReorganisation(
  state: State,
  command: ConnectCommand,
  tip: HeaderSummary,
  context: Ctx,
): void {
  const branch = branchTo(tip, context.env);
  const { reorgDepthMax } = context.env.config.chain;
  if (
    branch === undefined ||
    context.env.blocks.head().height - branch.fork.height > reorgDepthMax
  ) {
    answer(state, command, { ok: false, reason: "too-deep" });
    return;
  }
  state.reorganisation = { plan: new Reorganisation(branch, context.env), command };
  checkNext(state, context);
}

/** The branch's blocks were checked when they came; their effects are computed again from bytes. */
function checkNext(state: State, context: Ctx): void {
  const job = state.reorganisation?.plan.nextJob(context.env.clock.wallMs());
  if (job === undefined) return;
  context.pipe(context.env.workers.validateBlocks(job), (outcome) => ({
    type: "BranchChecked",
    verdict: outcome.ok ? outcome.value : undefined,
  }));
}

function branchChecked(state: State, verdict: BlocksVerdict | undefined, context: Ctx): void {
  const current = state.reorganisation;
  if (current === undefined) return;
  const { plan, command } = current;
  if (verdict === undefined) {
    // The pool lost the job; whoever offers the branch again starts anew.
    endReorganisation(state, context, () => answer(state, command, { ok: false, reason: "busy" }));
    return;
  }
  const fault = plan.checked(verdict);
  if (fault === undefined && !plan.complete) {
    checkNext(state, context);
    return;
  }
  const result = fault === undefined ? plan.apply() : { ok: false as const, ...fault };
  if (!result.ok) {
    const { hash, fault: broken } = result;
    // Our clock may have been set back since the block was stored: then its time comes again.
    if (!blamesNobody(broken.rule)) state.invalid.set(hash, broken);
    endReorganisation(state, context, () =>
      answer(state, command, { ok: false, reason: "fault", hash, fault: broken }),
    );
    return;
  }
  const { change } = result;
  context.env.log.write("info", "chain reorganised", {
    forkHeight: plan.forkHeight,
    disconnected: change.disconnected.length,
    connected: change.connected.length,
    head: change.head.hash,
  });
  const answers = [answerOf(command, { ok: true, head: change.head })];
  endReorganisation(state, context, () =>
    commit(state, result.commit, { answers, change }, context),
  );
}

/** Finishes with `last`, then takes up what waited. */
function endReorganisation(state: State, context: Ctx, last: () => void): void {
  state.reorganisation = undefined;
  last();
  while (state.reorganisation === undefined) {
    const next = state.waiting.shift();
    if (next === undefined) return;
    connect(state, next, context);
  }
}

function changeOf(
  disconnected: readonly HeaderSummary[],
  blocks: readonly CheckedBlock[],
  head: HeaderSummary,
): ChainChanged | undefined {
  if (blocks.length === 0) return undefined;
  const connected = blocks.map(({ header, transactionCount, transactionIds }) => ({
    header,
    transactionCount,
    transactionIds,
  }));
  return { type: "ChainChanged", disconnected, connected, head };
}

function commit(state: State, commit: ChainCommit, pending: PendingCommit, context: Ctx): void {
  const { blocks: store, config } = context.env;
  state.lastCommit = pending;
  context.pipe(store.commit(commit), (outcome) =>
    outcome.ok
      ? { type: "Committed", commit: pending }
      : { type: "Committed", commit: pending, error: outcome.error },
  );
  const { change } = pending;
  // Nobody hears of a head that the store refused.
  if (change === undefined || store.head().hash !== change.head.hash) return;
  state.side.follow(change.disconnected, change.connected, commit.blocks);
  for (const subscriber of state.subscribers.values()) subscriber.tell(change);
  const floor = change.head.height - config.chain.reorgDepthMax;
  if (floor - state.prunedHeight < config.chain.pruneEveryBlocks) return;
  state.prunedHeight = floor;
  state.side.pruned(floor);
  context.pipe(store.prune(floor), pruned);
}

function pruned(outcome: { ok: boolean; error?: unknown }): ConsensusMessage {
  return outcome.ok ? { type: "Pruned" } : { type: "Pruned", error: outcome.error };
}

/** Durable, or lost: only now anything is acknowledged. */
function committed(
  state: State,
  { answers, change }: PendingCommit,
  error: unknown,
  ctx: Ctx,
): void {
  if (error !== undefined) {
    ctx.env.log.write("error", "a commit failed", { error: errorText(error) });
    for (const { replyTo, outcome } of answers) {
      const { type, tag } = outcome;
      replyTo.tell({ type, tag, ok: false, reason: "store-failed" });
    }
    state.onStoreFailed.tell({ type: "StoreFailed", error: storeFailed(error) });
    return;
  }
  for (const { replyTo, outcome } of answers) replyTo.tell(outcome);
  if (change === undefined) return;
  for (const { hash, height } of change.disconnected) {
    state.events.tell({ type: "Publish", event: { type: "BlockDisconnected", hash, height } });
  }
  for (const { header, transactionCount } of change.connected) {
    const { hash, height } = header;
    const event = { type: "BlockConnected", hash, height, transactionCount } as const;
    state.events.tell({ type: "Publish", event });
  }
}

/** A caller's own store may reject with anything. */
function storeFailed(error: unknown): CodedError {
  if (isCoded(error, "STORE_FAILED")) return error;
  return new CodedError("STORE_FAILED", `A commit failed: ${errorText(error)}`, { cause: error });
}
