// What the transaction handler is told, and what it holds. Types only: its own files import these,
// and whoever talks to it.

import type { ActorRef, AskOutcome, Context } from "../../runtime/actor.js";
import type { Breach } from "../../types/breach.js";
import type { HashHex } from "../../types/chain.js";
import type { PeerId, TransactionsVerdict } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { HeardTypes } from "../events/heard.js";
import type { AddAnswer, MempoolChanged } from "../integration/mempool-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import type { Answer } from "../peer/dealt.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { CheckBudget, Rank as Of } from "./check-budget.js";
import type { KnownTransactions } from "./known-transactions.js";
import type { PeerFetch, PeerFetchMessage } from "./peer-fetch.js";

export type TransactionKind =
  "NewTransaction" | "AnnounceTransactions" | "AnnounceShortIds" | "RequestTransactions";

export type TransactionHandlerMessage =
  | Incoming<TransactionKind>
  | {
      readonly type: "Submit";
      readonly transaction: Uint8Array;
      readonly replyTo: ActorRef<SubmitOutcome>;
    }
  | {
      readonly type: "Checked";
      readonly tag: number;
      readonly verdict: TransactionsVerdict | undefined;
    }
  | {
      readonly type: "Added";
      readonly tag: number;
      readonly outcome: AskOutcome<readonly AddAnswer[]>;
    }
  | MempoolChanged
  | PeerFetchMessage;

/** Accepted: valid, in this node's mempool and announced; not in a block, and durable a moment later. */
export type SubmitOutcome =
  | { readonly ok: true; readonly id: HashHex }
  | ({ readonly ok: false; readonly id: HashHex } & Breach);

export interface TransactionHandlerArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly broadcaster: ActorRef<BroadcasterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type TransactionHandlerEnv = Pick<
  NodeEnv,
  | "groups"
  | "heard"
  | "clock"
  | "config"
  | "log"
  | "memory"
  | "random"
  | "shortIdKey"
  | "throttle"
  | "workers"
>;

/** One transaction on its way into the mempool. */
export interface TransactionCandidate {
  readonly id: HashHex;
  readonly bytes: Uint8Array;
  readonly peerId: PeerId | undefined;
  /** Of the peer's message that it came in. */
  readonly peerReply: ActorRef<Answer> | undefined;
  readonly replyTo: ActorRef<SubmitOutcome> | undefined;
  /** Set once it is taken. */
  rank?: Rank | undefined;
  /** Whose budget it is checked for; undefined: nobody's, it is of this node or of a trusted peer. */
  key?: string | undefined;
}

/** Those that were submitted here come first, then those of known peers, then strangers' ones. */
export type Rank = "own" | Of;

interface Batch {
  readonly rank: Rank;
  /** Of those that hold no credit. */
  readonly heldBytes: number;
  candidates: readonly TransactionCandidate[];
  state: "checking" | "checked" | "adding";
  /** Once checked; undefined: the pool lost it. */
  verdict: TransactionsVerdict | undefined;
}

export interface TransactionHandlerState extends TransactionHandlerArgs {
  readonly heard: HeardTypes | undefined;
  readonly known: KnownTransactions;
  readonly budget: CheckBudget;
  readonly queues: Readonly<Record<Rank, TransactionCandidate[]>>;
  /** Those of peers that were not checked, since the log last said so. */
  unchecked: number;
  uncheckedToldMs: number;
  /** In order of arrival, in which they enter the mempool: nonces that rise must not overtake. */
  readonly batches: Map<number, Batch>;
  /** By ids, and by short ids of what is likely to be pushed. */
  readonly fetch: PeerFetch;
  readonly shortFetch: PeerFetch;
  /** Of those that were asked for: they wait or are checked, and hold no credit. */
  heldBytes: number;
  /** Of those that were submitted here. */
  ownBytes: number;
  /** Of the node's memory: what is fetched or held, ids that are wanted, and ids that are known. */
  readonly bytesLease: Lease;
  readonly wantedLease: Lease;
  readonly knownLease: Lease;
  nextTag: number;
}

export type TransactionHandlerContext = Context<TransactionHandlerMessage, TransactionHandlerEnv>;
