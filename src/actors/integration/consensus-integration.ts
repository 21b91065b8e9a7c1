// Consensus integration: the one writer of the chain. Connects checked blocks in order, chooses
// between forks, reorganises, and answers when a change is durable.
// Told by: sync, block handler (through the system router). Tells: requesters, followers of the
// chain (mempool, broadcaster, storage, producer), event bus, and the service when the store failed.

import { LRUCache } from "lru-cache";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { nextTurn } from "../next-turn.js";
import { ESCALATE } from "../policies.js";
import { blamesNobody } from "../../chain/faults.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../types/chain.js";
import type { BlocksVerdict, ChainCommit, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import {
  ChainCommits,
  type CommitArgs,
  type CommitMessage,
  type OutcomeBody,
  type Requester,
} from "./chain-commits.js";
import { changeOf, transactionsOf, type ChainChanged } from "./chain-events.js";
import { DeepBranches, type BranchEnd } from "./deep-branches.js";
import { GuardedConsensus } from "./guarded-consensus.js";
import { readBlocks } from "./read-blocks.js";
import { Reorganisation } from "./reorganisation.js";
import { SideBranches } from "./side-branches.js";
import { StateOverlay } from "./state-overlay.js";

export type { ConnectOutcome, StoreFailed } from "./chain-commits.js";

export type ConsensusMessage =
  /** Consecutive blocks that passed every stateless check. */
  | ({
      readonly type: "Connect";
      readonly blocks: readonly CheckedBlock[];
      /** Who sent them unasked; absent: made here, or fetched. */
      readonly peerId?: PeerId;
      /** The last header of their branch, when its headers were checked up to there. */
      readonly promised?: HeaderSummary;
    } & Requester)
  /** A sound copy of a stored block whose bytes were damaged. */
  | ({ readonly type: "Restore"; readonly block: CheckedBlock } & Requester)
  | { readonly type: "Subscribe"; readonly subscriber: ActorRef<ChainChanged> }
  | { readonly type: "ReorganiseOn" }
  | { readonly type: "TakeUp" }
  | { readonly type: "BranchRead"; readonly blocks: readonly Uint8Array[] | undefined }
  | { readonly type: "BranchChecked"; readonly verdict: BlocksVerdict | undefined }
  | { readonly type: "UndoStored"; readonly bytes: number; readonly error?: unknown }
  | CommitMessage;

type ConnectCommand = Extract<ConsensusMessage, { type: "Connect" }>;

export type ConsensusArgs = CommitArgs;

export type ConsensusEnv = Pick<
  NodeEnv,
  "clock" | "config" | "consensus" | "log" | "store" | "transactions" | "workers"
>;

interface State {
  readonly commits: ChainCommits;
  readonly consensus: GuardedConsensus;
  /**
   * Blocks that broke a rule of state, and those on them: neither they nor their children are tried
   * again.
   */
  readonly invalid: LRUCache<HashHex, Fault>;
  readonly side: SideBranches;
  /** Of branches that could not be followed: neither they nor their children are tried again. */
  readonly deep: DeepBranches;
  /** While set, Connects wait: the head is about to move to another branch. */
  reorganisation:
    | {
        readonly plan: Reorganisation;
        readonly tip: HeaderSummary;
        readonly command: ConnectCommand;
      }
    | undefined;
  /** Taken up one a turn when the reorganisation has ended; later ones wait behind them. */
  readonly waiting: ConnectCommand[];
  waitingBytes: number;
  /** Undo data that the store has not made durable yet; a reorganisation waits for a slow disk. */
  undoBytes: number;
  stalled: boolean;
}

type Ctx = Context<ConsensusMessage, ConsensusEnv>;

/** Connects that may wait for a reorganisation; of their bytes, what sync may have in flight. */
const WAITING_MAX = 256;
/** Undo data that may be under way to the disk. */
const UNDO_BYTES_MAX = 4 * 1024 * 1024;

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
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Connect",
  },
  onFault: ESCALATE,

  init(context, args) {
    const { store, config, log } = context.env;
    const consensus = new GuardedConsensus(context.env.consensus, log);
    const prefers = consensus.prefers.bind(consensus);
    const side = new SideBranches(config.chain, prefers, store.sideBlocks?.() ?? []);
    const commits = new ChainCommits(args, side, context);
    const forgotten = [...side.overflow(store.head())];
    if (forgotten.length > 0) {
      commits.commit({ blocks: [], undo: [], state: [], forgotten }, {}, context);
    }
    return {
      commits,
      consensus,
      invalid: new LRUCache({ max: config.sync.invalidHashesMax }),
      side,
      deep: new DeepBranches(config.sync.invalidHashesMax),
      reorganisation: undefined,
      waiting: [],
      waitingBytes: 0,
      undoBytes: 0,
      stalled: false,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Connect":
        if (state.reorganisation !== undefined || state.waiting.length > 0) {
          wait(state, message, context);
        } else connect(state, message, context);
        return;
      case "Restore":
        restore(state, message, context);
        return;
      case "Subscribe":
        state.commits.subscribers.set(message.subscriber.path, message.subscriber);
        context.watch(message.subscriber);
        return;
      case "ReorganiseOn":
        reorganise(state, context);
        return;
      case "TakeUp":
        takeUp(state, context);
        return;
      case "BranchRead":
        branchRead(state, message.blocks, context);
        return;
      case "BranchChecked":
        branchChecked(state, message.verdict, context);
        return;
      case "UndoStored":
        undoStored(state, message.bytes, message.error, context);
        return;
      case "Committed":
      case "Pruned":
      case "PublishOn":
        state.commits.receive(message, context);
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type === "terminated") state.commits.subscribers.delete(signal.path);
  },

  invariants({ waiting, waitingBytes, side }, { env }) {
    side.invariants();
    const { bytesInFlightMax } = env.config.sync;
    invariant(waiting.length <= WAITING_MAX, `${waiting.length} connects wait`);
    invariant(waitingBytes <= bytesInFlightMax, `${waitingBytes} bytes of connects wait`);
  },

  atRest({ reorganisation, waiting, waitingBytes, undoBytes }) {
    invariant(reorganisation === undefined, "a reorganisation goes on");
    invariant(waiting.length === 0 && waitingBytes === 0, `${waiting.length} connects wait`);
    invariant(undoBytes === 0, `${undoBytes} bytes of undo data are under way`);
  },
});

function wait(state: State, command: ConnectCommand, { env }: Ctx): void {
  const bytes = bytesOf(command);
  const fits = state.waitingBytes + bytes <= env.config.sync.bytesInFlightMax;
  if (state.waiting.length >= WAITING_MAX || !fits) {
    state.commits.answer(command, { ok: false, reason: "busy" });
    return;
  }
  state.waiting.push(command);
  state.waitingBytes += bytes;
}

function bytesOf({ blocks }: ConnectCommand): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Puts the bytes of a canonical block anew: nothing else of the chain changes. */
function restore(
  { commits }: State,
  command: Extract<ConsensusMessage, { type: "Restore" }>,
  context: Ctx,
): void {
  const { store } = context.env;
  const { block } = command;
  const isOurs = store.hashAt(block.header.height) === block.header.hash;
  const commit = { blocks: isOurs ? [block] : [], undo: [], state: [] };
  commits.commit(commit, { answer: [command, { ok: true, head: store.head() }] }, context);
}

/** Extends the head as far as the blocks go; hands the rest to the fork path. */
function connect(state: State, command: ConnectCommand, context: Ctx): void {
  const { store } = context.env;
  const overlay = new StateOverlay(store);
  const connected: CheckedBlock[] = [];
  const undo: { hash: HashHex; bytes: Uint8Array }[] = [];
  const fromHeight = store.head().height + 1;
  let head = store.head();
  let outcome: OutcomeBody | undefined;
  let fork: readonly CheckedBlock[] = [];
  for (const [index, block] of command.blocks.entries()) {
    const { header } = block;
    if (store.hashAt(header.height) === header.hash) continue;
    if (header.previousHash !== head.hash || store.has(header.hash)) {
      fork = command.blocks.slice(index);
      break;
    }
    const known = state.invalid.get(header.hash);
    const applied = known
      ? { ok: false as const, fault: known }
      : state.consensus.connect(block, overlay);
    if (!applied.ok) {
      outcome = notConnected(state, header.hash, applied.fault);
      break;
    }
    overlay.apply(applied.value.writes);
    undo.push({ hash: header.hash, bytes: applied.value.undo });
    connected.push(block);
    head = header;
  }
  // What extended the head comes first, unanswered, where a fork follows: its own commit answers.
  const answered = fork.length === 0 ? (outcome ?? { ok: true, head }) : undefined;
  if (connected.length > 0) {
    const hashes = connected.map(({ header }) => header.hash);
    const canonical = { fromHeight, hashes };
    const indexed = context.env.transactions && { transactions: transactionsOf(connected) };
    const commit: ChainCommit = {
      blocks: connected,
      undo,
      canonical,
      state: overlay.writes(),
      ...indexed,
    };
    const change = changeOf(connected, head);
    const told =
      answered === undefined ? { change } : { answer: answerTo(command, answered), change };
    state.commits.commit(commit, told, context);
  } else if (answered !== undefined) {
    state.commits.answer(command, answered);
  }
  if (fork.length > 0) connectFork(state, { ...command, blocks: fork }, context);
}

function notConnected(state: State, hash: HashHex, fault: Fault): OutcomeBody {
  if (!blamesNobody(fault.rule)) state.invalid.set(hash, fault);
  return { ok: false, reason: "fault", hash, fault };
}

/** Sets blocks of another branch aside and moves to it when it is the better one. */
function connectFork(state: State, command: ConnectCommand, context: Ctx): void {
  const { store } = context.env;
  const { commits, consensus } = state;
  const head = store.head();
  const aside: CheckedBlock[] = [];
  const hashes = new Set<HashHex>();
  let tip: HeaderSummary | undefined;
  for (const block of command.blocks) {
    const { header } = block;
    const known = state.invalid.get(header.hash) ?? state.invalid.get(header.previousHash);
    if (known !== undefined) {
      commits.answer(command, notConnected(state, header.hash, known));
      return;
    }
    if (state.deep.has(header)) {
      commits.answer(command, { ok: false, reason: "too-deep" });
      return;
    }
    if (store.has(header.hash)) {
      // Stored before, but its branch did not win or its reorganisation was lost: it may win now.
      if (tip === undefined || consensus.prefers(header, tip)) tip = header;
      continue;
    }
    if (!store.has(header.previousHash) && !hashes.has(header.previousHash)) {
      commits.answer(command, { ok: false, reason: "orphan", missing: header.previousHash });
      return;
    }
    if (header.height <= commits.floor) {
      commits.answer(command, { ok: false, reason: "too-deep" });
      return;
    }
    aside.push(block);
    hashes.add(header.hash);
    if (tip === undefined || consensus.prefers(header, tip)) tip = header;
  }
  const moves = tip !== undefined && consensus.prefers(tip, head);
  const { kept, forgotten } = setAside(state, command, aside, moves ? tip : undefined, context);
  if (kept.length + forgotten.length > 0) {
    const commit = { blocks: kept, undo: [], state: [], forgotten };
    const told = moves ? {} : { answer: answerTo(command, { ok: true, head }) };
    commits.commit(commit, told, context);
  } else if (!moves) {
    commits.answer(command, { ok: true, head });
  }
  if (tip === undefined || !moves) return;
  // A store that failed refuses at once: there is no branch to move to.
  if (store.has(tip.hash)) beginReorganisation(state, command, tip, context);
  else commits.answer(command, { ok: false, reason: "store-failed" });
}

function answerTo(command: ConnectCommand, outcome: OutcomeBody): [Requester, OutcomeBody] {
  return [command, outcome];
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
  const gone = side.overflow(env.store.head(), moving?.hash);
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
  const { store, config } = context.env;
  const { commits, consensus } = state;
  const { reorgBytesMax: bytesMax } = config.chain;
  const plan = new Reorganisation(tip, { store, consensus, floor: commits.floor, bytesMax });
  state.reorganisation = { plan, tip, command };
  reorganise(state, context);
}

/** One step, and what it asks for. */
function reorganise(state: State, context: Ctx): void {
  if (state.reorganisation === undefined) return;
  const { plan, command } = state.reorganisation;
  const { clock, log, workers } = context.env;
  const step = plan.step(clock.wallMs());
  switch (step.type) {
    case "again":
      nextTurn(context, { type: "ReorganiseOn" });
      return;
    case "read":
      context.pipe(readBlocks(context.env.store, step.hashes, step.bytesMax), (outcome) => ({
        type: "BranchRead",
        blocks: outcome.ok ? outcome.value : undefined,
      }));
      return;
    case "check":
      // The branch's blocks were checked when they came; their effects are computed from bytes.
      context.pipe(workers.validateBlocks(step.job), (outcome) => ({
        type: "BranchChecked",
        verdict: outcome.ok ? outcome.value : undefined,
      }));
      return;
    case "store":
      storeUndo(state, step.undo, context);
      return;
    case "commit": {
      const { change } = step;
      log.write("info", "chain reorganised", {
        forkHeight: plan.forkHeight,
        disconnected: change.disconnected.length,
        connected: change.connected.length,
        head: change.head.hash,
      });
      const answer = answerTo(command, { ok: true, head: change.head });
      state.reorganisation = undefined;
      state.commits.commit(step.staged, { answer, change }, context);
      nextTurn(context, { type: "TakeUp" });
      return;
    }
    default:
      giveUp(state, step.type === "not-undone" ? state.deep.judge(step) : step, context);
  }
}

function branchRead(state: State, blocks: readonly Uint8Array[] | undefined, context: Ctx): void {
  if (state.reorganisation === undefined) return;
  if (blocks === undefined) {
    giveUp(state, { type: "store-failed" }, context);
    return;
  }
  state.reorganisation.plan.read(blocks);
  reorganise(state, context);
}

function branchChecked(state: State, verdict: BlocksVerdict | undefined, context: Ctx): void {
  if (state.reorganisation === undefined) return;
  if (verdict === undefined) {
    // The pool lost the job; whoever offers the branch again starts anew.
    giveUp(state, { type: "busy" }, context);
    return;
  }
  state.reorganisation.plan.checked(verdict);
  reorganise(state, context);
}

/** Ahead of the commit that needs it, so that the commit need not hold it. */
function storeUndo(
  state: State,
  undo: readonly { readonly hash: HashHex; readonly bytes: Uint8Array }[],
  context: Ctx,
): void {
  const { store } = context.env;
  const bytes = undo.reduce((sum, { bytes: { length } }) => sum + length, 0);
  state.undoBytes += bytes;
  const write = new Promise<void>((resolve) => {
    resolve(store.commit({ blocks: [], undo, state: [] }));
  });
  context.pipe(write, (outcome) =>
    outcome.ok
      ? { type: "UndoStored", bytes }
      : { type: "UndoStored", bytes, error: outcome.error },
  );
  state.stalled = state.undoBytes > UNDO_BYTES_MAX;
  if (!state.stalled) nextTurn(context, { type: "ReorganiseOn" });
}

function undoStored(state: State, bytes: number, error: unknown, context: Ctx): void {
  state.undoBytes -= bytes;
  if (error !== undefined) {
    state.commits.failed(error, context);
    if (state.reorganisation !== undefined) giveUp(state, { type: "store-failed" }, context);
    return;
  }
  if (!state.stalled || state.undoBytes > UNDO_BYTES_MAX) return;
  state.stalled = false;
  reorganise(state, context);
}

type GivenUp = BranchEnd | { readonly type: "busy" | "store-failed" };

/** Everything stays as it was. */
function giveUp(state: State, end: GivenUp, context: Ctx): void {
  const { commits, reorganisation } = state;
  if (reorganisation === undefined) return;
  const { plan, tip, command } = reorganisation;
  state.reorganisation = undefined;
  state.stalled = false;
  switch (end.type) {
    case "fault":
      // Our clock may have been set back since the block was stored: then its time comes again.
      if (!blamesNobody(end.fault.rule)) {
        for (const { hash } of plan.unapplied) state.invalid.set(hash, end.fault);
      }
      commits.answer(command, notConnected(state, end.hash, end.fault));
      break;
    case "too-deep": {
      const fields = { forkHeight: plan.forkHeight, height: context.env.store.head().height };
      context.env.log.write("warn", "a branch is too deep to follow", { ...fields, why: end.why });
      commits.raiseFloor(end.floor);
      for (const { hash } of [...plan.unapplied, tip]) state.deep.add(hash);
      commits.answer(command, { ok: false, reason: "too-deep" });
      break;
    }
    default:
      commits.answer(command, { ok: false, reason: end.type });
  }
  nextTurn(context, { type: "TakeUp" });
}

/** One that waited. Should it begin another reorganisation, the end of that one goes on here. */
function takeUp(state: State, context: Ctx): void {
  const next = state.reorganisation === undefined ? state.waiting.shift() : undefined;
  if (next === undefined) return;
  state.waitingBytes -= bytesOf(next);
  connect(state, next, context);
  if (state.waiting.length > 0) nextTurn(context, { type: "TakeUp" });
}
