// What the block handler is told, and what it holds. Types only: its own files import these, and
// whoever talks to it.

import type { ActorRef, Context } from "../../runtime/actor.js";
import type { Fault } from "../../types/chain.js";
import type { BlocksVerdict, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Incoming, PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { Answer } from "../peer/dealt.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { SyncMessage } from "../sync/sync-messages.js";
import type { BlocksInHand } from "./blocks-in-hand.js";
import type { PeerFetch, PeerFetchMessage } from "./peer-fetch.js";

export type BlockHandlerMessage =
  | Incoming<"NewBlock" | "AnnounceBlock" | "RequestBlock">
  | {
      readonly type: "Produced";
      readonly block: Uint8Array;
      readonly replyTo: ActorRef<ProducedOutcome>;
    }
  /** Of this node's host: as if it had been produced here, but hosts have any number. */
  | {
      readonly type: "Submitted";
      readonly block: Uint8Array;
      readonly replyTo: ActorRef<ProducedOutcome>;
    }
  | { readonly type: "Checked"; readonly tag: number; readonly verdict: BlocksVerdict | undefined }
  | ConnectOutcome
  | PeerFetchMessage;

/** `fault` is absent when the block was not judged: the node was busy, or the chain went on. */
export type ProducedOutcome =
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly fault?: Fault };

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
  "blocks" | "clock" | "config" | "consensus" | "log" | "memory" | "random" | "throttle" | "workers"
>;

export interface BlockOrigin {
  /** Absent: produced here. */
  readonly peerId?: PeerId;
  /** Of a pushed block: who pushed it, and the answer that its message waits for. */
  readonly from?: ActorRef<PeerHandlerMessage>;
  readonly peerReply?: ActorRef<Answer>;
  /** Whoever produced or submitted it here. */
  readonly replyTo?: ActorRef<ProducedOutcome>;
  /** It waited, so that its sender is known to have it. */
  readonly waited?: true;
  /** Of a block that was asked for; otherwise 0. */
  readonly fetchedBytes: number;
}

export interface BlockHandlerState extends BlockHandlerArgs {
  readonly inHand: BlocksInHand<BlockOrigin>;
  readonly fetch: PeerFetch;
  /** Of the node's memory: blocks that are fetched or were, and what is wanted. */
  readonly bytesLease: Lease;
  readonly wantedLease: Lease;
  nextTag: number;
}

export type BlockHandlerContext = Context<BlockHandlerMessage, BlockHandlerEnv>;
