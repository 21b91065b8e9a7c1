// What the consensus integration is told and what it keeps. Types, and the two answers that both of
// its halves give: consensus-integration.ts extends the chain, fork-choice.ts moves it to a branch.

import type { LRUCache } from "lru-cache";
import { blamesNobody } from "../../chain/faults.js";
import type { PeerId, BlocksVerdict } from "../../ports.js";
import type { ActorRef, Context } from "../../runtime/actor.js";
import type { CheckedBlock, Fault, HashHex, HeaderSummary } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";
import type {
  ChainCommits,
  CommitArgs,
  CommitMessage,
  OutcomeBody,
  Requester,
} from "./chain-commits.js";
import type { ChainLeases } from "./chain-leases.js";
import type { ChainChanged } from "./chain-events.js";
import type { DeepBranches } from "./deep-branches.js";
import type { GuardedConsensus } from "./guarded-consensus.js";
import type { Reorganisation } from "./reorganisation.js";
import type { SideBranches } from "./side-branches.js";

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

export type ConnectCommand = Extract<ConsensusMessage, { type: "Connect" }>;

export type ConsensusArgs = CommitArgs;

export type ConsensusEnv = Pick<
  NodeEnv,
  "clock" | "config" | "consensus" | "log" | "memory" | "store" | "transactions" | "workers"
>;

export interface ConsensusState {
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
  readonly leases: ChainLeases;
}

export type ConsensusContext = Context<ConsensusMessage, ConsensusEnv>;

/** The outcome of a block that broke a rule, which is remembered unless it blames nobody. */
export function notConnected(state: ConsensusState, hash: HashHex, fault: Fault): OutcomeBody {
  if (!blamesNobody(fault.rule)) state.invalid.set(hash, fault);
  return { ok: false, reason: "fault", hash, fault };
}

export function answerTo(command: ConnectCommand, outcome: OutcomeBody): [Requester, OutcomeBody] {
  return [command, outcome];
}
