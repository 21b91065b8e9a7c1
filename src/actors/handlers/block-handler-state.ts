// What the block handler is told, and what it holds. Types only: its own files import these, and
// whoever talks to it.

import type { LRUCache } from "lru-cache";
import type { ActorRef, AskOutcome, Context } from "../../runtime/actor.js";
import type { HashHex } from "../../types/chain.js";
import type { BlocksVerdict, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { SyncMessage } from "../sync/sync-messages.js";
import type { Description } from "../../protocol/kinds/compact-form.js";
import type { FoundTransactions } from "../integration/short-id-index.js";
import type { BlockFills } from "./block-fills.js";
import type { BlockOrigin, ProducedOutcome } from "./block-origin.js";
import type { BlockFates } from "./block-fates.js";
import type { BlocksInHand } from "./blocks-in-hand.js";
import type { PeerFetch, PeerFetchMessage } from "./peer-fetch.js";

export type BlockKind =
  "NewBlock" | "AnnounceBlock" | "RequestBlock" | "CompactBlock" | "GetBlockTransactions";

export type BlockHandlerMessage =
  | Incoming<BlockKind>
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
  /** What the mempool has of a compact block. */
  | {
      readonly type: "Found";
      readonly tag: number;
      readonly outcome: AskOutcome<FoundTransactions>;
    }
  | ConnectOutcome
  | PeerFetchMessage;

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

/** A compact form that led to other transactions than those of its header. */
export interface Doubted {
  readonly peerId: PeerId;
  readonly description: Description;
}

export interface BlockHandlerState extends BlockHandlerArgs {
  readonly inHand: BlocksInHand<BlockOrigin>;
  readonly fates: BlockFates;
  readonly fetch: PeerFetch;
  readonly fills: BlockFills;
  /** How often a block could not be put together: by its hash. */
  readonly fillTries: LRUCache<HashHex, number>;
  readonly doubted: LRUCache<HashHex, readonly Doubted[]>;
  /** Of blocks that were passed on and are still being checked: their transactions. */
  readonly passedOn: Map<HashHex, readonly Uint8Array[]>;
  /** Blocks that are invalid, whoever has them. */
  readonly invalid: LRUCache<HashHex, true>;
  /** Of the node's memory: blocks that are fetched or were, and what is wanted. */
  readonly bytesLease: Lease;
  readonly wantedLease: Lease;
  nextTag: number;
}

export type BlockHandlerContext = Context<BlockHandlerMessage, BlockHandlerEnv>;
