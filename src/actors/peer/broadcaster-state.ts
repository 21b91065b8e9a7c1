// What the broadcaster is told, and what it holds. Types only: its own files import these, and whoever
// talks to it.

import type { ActorRef, AskOutcome, Context } from "../../runtime/actor.js";
import type { HashHex, HeaderSummary, ShortId } from "../../types/chain.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { MempoolTransaction, PeerId } from "../../ports.js";
import type { ShortIds } from "../../protocol/relay-ids.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { ChainChanged } from "../integration/chain-events.js";
import type { ConsensusMessage } from "../integration/consensus-integration.js";
import type {
  MempoolChanged,
  MempoolMessage,
  WaitingTransactions,
} from "../integration/mempool-integration.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { BlockNews } from "./block-news.js";
import type { Prices } from "./fee-floor.js";
import type { GossipTimes, NewsKind } from "./gossip-times.js";
import type { Incoming, PeerHandlerMessage, PushRefused } from "./peer-handler-messages.js";
import type { ReputationMessage } from "./peer-reputation.js";
import type { PeerTableEvent, RegistryMessage } from "./peer-table.js";
import type { RelayTree } from "./relay-tree.js";
import type { Slot, WhoHas } from "./who-has.js";

export type RelayKind = "RelayKey" | "RequestShortIds" | "Prune" | "Graft";

/** Its header is checked and binds its transactions; its validation goes on. */
export interface ForwardedBlock {
  readonly header: HeaderSummary;
  readonly compact: MessageOf<"CompactBlock">;
  /** Who sent it. */
  readonly from: PeerId;
}

export type BroadcasterMessage =
  /** The peer has these blocks or transactions: it announced them, or pushed their bodies. */
  | {
      readonly type: "PeerKnows";
      readonly what: NewsKind;
      readonly how: "announced" | "pushed";
      readonly peerId: PeerId;
      readonly hashes: readonly HashHex[];
    }
  /** Nobody pushed this in time, and it is fetched of these, who announced it. */
  | {
      readonly type: "NotPushed";
      readonly what: NewsKind;
      readonly announcedBy: readonly PeerId[];
    }
  /** They are in the mempool. */
  | {
      readonly type: "RelayTransactions";
      readonly transactions: readonly MempoolTransaction[];
      readonly prices?: Prices;
    }
  /** The peer takes nothing that pays less. */
  | { readonly type: "PeerFloor"; readonly peerId: PeerId; readonly gasPrice: bigint }
  | ({ readonly type: "ForwardBlock" } & ForwardedBlock)
  | Incoming<RelayKind>
  | PushRefused
  | { readonly type: "AnnounceDue" }
  | { readonly type: "ShortIdsDue" }
  | { readonly type: "JudgeDue" }
  /** What was measured is to be told to the registry. */
  | { readonly type: "FiguresDue" }
  /** The next slice of what waits is due for the new peers. */
  | { readonly type: "WelcomeDue" }
  | { readonly type: "Waiting"; readonly outcome: AskOutcome<WaitingTransactions> }
  /** Those that returned are to be announced to all, whatever they were told before. */
  | MempoolChanged
  | ChainChanged
  | PeerTableEvent;

export interface BroadcasterArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly mempool: ActorRef<MempoolMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
}

export type BroadcasterEnv = Pick<
  NodeEnv,
  "blocks" | "config" | "consensus" | "groups" | "memory" | "random" | "shortIdKey"
>;

export interface Peer {
  readonly peerId: PeerId;
  readonly slot: Slot;
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly capabilities: ReadonlySet<string>;
  /** Whether it takes part in relay trees: others are announced to. */
  readonly isRelay: boolean;
  readonly takesTransactions: boolean;
  /** The heaviest head that it claimed: a heavier peer needs no news of ours. */
  claimedDifficulty: bigint;
  /** The least price that it takes. */
  floor: bigint;
  /** Under the key that it told. */
  shortIds: ShortIds | undefined;
  /** Wait for the next announcement by short id, and by id, unless the peer tells of them first. */
  readonly pending: Set<HashHex>;
  readonly pendingIds: Set<HashHex>;
  /** Those that it may ask for by their short ids, the oldest first. */
  readonly announced: Map<ShortId, HashHex>;
}

/** New peers that hear together, slice by slice, of the transactions that wait. */
export interface Welcome {
  readonly peerIds: ReadonlySet<PeerId>;
  /** Ids that they may still be told. */
  left: number;
}

export interface BroadcasterState extends Pick<
  BroadcasterArgs,
  "registry" | "mempool" | "reputation"
> {
  readonly peers: Map<PeerId, Peer>;
  readonly slots: (Peer | undefined)[];
  /** By what is relayed: who has what, and the edges. */
  readonly has: Readonly<Record<NewsKind, WhoHas>>;
  readonly trees: Readonly<Record<NewsKind, RelayTree>>;
  readonly blockNews: BlockNews;
  /** Who pushed those first that are not known to be valid yet. */
  readonly beacons: Map<HashHex, Slot>;
  /** Timers that run. */
  readonly timing: Set<"announce" | "short-ids" | "judge" | "figures">;
  /** Became ready since the last welcome began. */
  newcomers: Set<PeerId>;
  welcome: Welcome | undefined;
  readonly idsLease: Lease;
  readonly times: GossipTimes;
}

export type BroadcasterContext = Context<BroadcasterMessage, BroadcasterEnv>;
