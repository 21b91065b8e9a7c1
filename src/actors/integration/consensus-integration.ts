// Consensus integration: the one writer of the chain. Connects checked blocks in order, chooses
// between forks, reorganises, and answers when a change is durable.
// Told by: sync, block handler (through the system router). Tells: requesters, followers of the
// chain (mempool, broadcaster, storage, producer), event bus, and the service when the store failed.

import { LRUCache } from "lru-cache";
import { invariant, unreachable } from "../../errors.js";
import type { ChainCommit } from "../../ports.js";
import { defineActor, replyToOf } from "../../runtime/actor.js";
import type { CheckedBlock, HashHex } from "../../types/chain.js";
import { nextTurn } from "../next-turn.js";
import { ESCALATE } from "../policies.js";
import { ChainCommits, type OutcomeBody } from "./chain-commits.js";
import { ChainLeases } from "./chain-leases.js";
import { changeOf, transactionsOf } from "./chain-events.js";
import {
  answerTo,
  notConnected,
  type ConnectCommand,
  type ConsensusArgs,
  type ConsensusContext,
  type ConsensusEnv,
  type ConsensusMessage,
  type ConsensusState,
} from "./consensus-state.js";
import { DeepBranches } from "./deep-branches.js";
import { branchChecked, branchRead, connectFork, reorganise, undoStored } from "./fork-choice.js";
import { GuardedConsensus } from "./guarded-consensus.js";
import { SideBranches } from "./side-branches.js";
import { StateOverlay } from "./state-overlay.js";

export type { ConnectOutcome, StoreFailed } from "./chain-commits.js";
export type { ConsensusArgs, ConsensusEnv, ConsensusMessage } from "./consensus-state.js";

/** Connects that may wait for a reorganisation; of their bytes, what sync may have in flight. */
const WAITING_MAX = 256;

export const consensusIntegration = defineActor<
  ConsensusArgs,
  ConsensusMessage,
  ConsensusState,
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
    const { store, config, log, memory } = context.env;
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
      leases: context.owns(new ChainLeases(memory)),
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

  afterBatch(state, { env }) {
    state.leases.settle(state, env.config);
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

function wait(state: ConsensusState, command: ConnectCommand, { env }: ConsensusContext): void {
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
  { commits }: ConsensusState,
  command: Extract<ConsensusMessage, { type: "Restore" }>,
  context: ConsensusContext,
): void {
  const { store } = context.env;
  const { block } = command;
  const isOurs = store.hashAt(block.header.height) === block.header.hash;
  const commit = { blocks: isOurs ? [block] : [], undo: [], state: [] };
  commits.commit(commit, { answer: [command, { ok: true, head: store.head() }] }, context);
}

/** Extends the head as far as the blocks go; hands the rest to the fork path. */
function connect(state: ConsensusState, command: ConnectCommand, context: ConsensusContext): void {
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

/** One that waited. Should it begin another reorganisation, the end of that one goes on here. */
function takeUp(state: ConsensusState, context: ConsensusContext): void {
  const next = state.reorganisation === undefined ? state.waiting.shift() : undefined;
  if (next === undefined) return;
  state.waitingBytes -= bytesOf(next);
  connect(state, next, context);
  if (state.waiting.length > 0) nextTurn(context, { type: "TakeUp" });
}
