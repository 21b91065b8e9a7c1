// Blocks of another branch than the canonical one: set aside, and when their branch is the better
// one, the chain moves to it, one bounded step a turn. The other half of the consensus integration.

import type { HashHex, CheckedBlock, HeaderSummary } from "../../types/chain.js";
import { blamesNobody } from "../../chain/faults.js";
import type { BlocksVerdict } from "../../ports.js";
import { nextTurn } from "../next-turn.js";
import {
  answerTo,
  notConnected,
  type ConnectCommand,
  type ConsensusContext,
  type ConsensusState,
} from "./consensus-state.js";
import type { BranchEnd } from "./deep-branches.js";
import { readBlocks } from "./read-blocks.js";
import { Reorganisation } from "./reorganisation.js";

/** Undo data that may be under way to the disk. */
const UNDO_BYTES_MAX = 4 * 1024 * 1024;

/** Sets blocks of another branch aside and moves to it when it is the better one. */
export function connectFork(
  state: ConsensusState,
  command: ConnectCommand,
  context: ConsensusContext,
): void {
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
  const last = aside.at(-1);
  const isLetGo = last !== undefined && !kept.includes(last);
  const beside = { ok: true, head, aside: isLetGo ? "let-go" : "kept" } as const;
  if (kept.length + forgotten.length > 0) {
    const commit = { blocks: kept, undo: [], state: [], forgotten };
    const told = moves ? {} : { answer: answerTo(command, beside) };
    commits.commit(commit, told, context);
  } else if (!moves) {
    commits.answer(command, beside);
  }
  if (tip === undefined || !moves) return;
  // A store that failed refuses at once: there is no branch to move to.
  if (store.has(tip.hash)) beginReorganisation(state, command, tip, context);
  else commits.answer(command, { ok: false, reason: "store-failed" });
}

/** What of the blocks is stored, and what the store is to forget for it. `moving`: their new head. */
function setAside(
  { side }: ConsensusState,
  { blocks, peerId, promised }: ConnectCommand,
  aside: readonly CheckedBlock[],
  moving: HeaderSummary | undefined,
  { env }: ConsensusContext,
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
  state: ConsensusState,
  command: ConnectCommand,
  tip: HeaderSummary,
  context: ConsensusContext,
): void {
  const { store, config } = context.env;
  const { commits, consensus } = state;
  const { reorgBytesMax: bytesMax } = config.chain;
  const plan = new Reorganisation(tip, { store, consensus, floor: commits.floor, bytesMax });
  state.reorganisation = { plan, tip, command };
  reorganise(state, context);
}

/** One step, and what it asks for. */
export function reorganise(state: ConsensusState, context: ConsensusContext): void {
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

export function branchRead(
  state: ConsensusState,
  blocks: readonly Uint8Array[] | undefined,
  context: ConsensusContext,
): void {
  if (state.reorganisation === undefined) return;
  if (blocks === undefined) {
    giveUp(state, { type: "store-failed" }, context);
    return;
  }
  state.reorganisation.plan.read(blocks);
  reorganise(state, context);
}

export function branchChecked(
  state: ConsensusState,
  verdict: BlocksVerdict | undefined,
  context: ConsensusContext,
): void {
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
  state: ConsensusState,
  undo: readonly { readonly hash: HashHex; readonly bytes: Uint8Array }[],
  context: ConsensusContext,
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

export function undoStored(
  state: ConsensusState,
  bytes: number,
  error: unknown,
  context: ConsensusContext,
): void {
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
function giveUp(state: ConsensusState, end: GivenUp, context: ConsensusContext): void {
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
