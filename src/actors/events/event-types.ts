// The facts a node publishes, as one table: each type with its members. Past tense, structured-cloneable,
// safe to hand to anyone. What programs and people read of them, names on the wire and texts, is in
// event-table.ts, which the compiler holds to this one.

import type { HashHex, RuleName } from "../../types/chain.js";
import type { BanRecord, Direction, PeerId, RefusalRule } from "../../ports.js";
import type { PeerClass } from "../peer/reputation-ledger.js";
import type { DisconnectReason } from "../../protocol/types/message.js";

/** A label for people: how far behind a sync began. One machinery serves both. */
export type SyncStrategy = "full" | "incremental";

/** `run-number`: of one run of a node, rising. One of another run is known to be so. */
export type EventId = string;

/** A block by its place. */
export interface ChainPoint {
  readonly hash: HashHex;
  readonly height: number;
}

/** Why a block that was received, and broke no rule, is no longer here and not in the chain. */
export type BlockDropReason =
  "busy" | "lost" | "orphan" | "too-deep" | "store-failed" | "light" | "ended";

/** Why events did not come: this reader was too slow, or came too late, or the node was started anew. */
export type MissedReason = "slow" | "forgotten" | "restarted";

export interface EventPayloads {
  ListenerBound: { readonly address: string };
  ConnectionRefused: {
    readonly remoteAddress: string;
    readonly rule: RefusalRule;
    readonly detail: string;
  };
  PeerConnected: {
    readonly peerId: PeerId;
    readonly address: string;
    readonly direction: Direction;
    readonly agent: string;
    readonly nodeId: string;
  };
  PeerDisconnected: {
    readonly peerId: PeerId;
    /** `Operator`: sent away for a while. */
    readonly reason: DisconnectReason | "Closed" | "Fault" | "Operator";
    /** With ProtocolViolation: the rule that was broken, where it is known. */
    readonly rule?: string;
    readonly detail: string;
    /** The other side ended it, and says so. */
    readonly byPeer: boolean;
  };
  PeerBanned: BanRecord;
  PeerUnbanned: { readonly peerId: PeerId };
  ReputationChanged: {
    readonly peerId: PeerId;
    /** As `class` of /peers. */
    readonly standing: PeerClass;
    readonly score: number;
  };
  BlockReceived: {
    readonly hash: HashHex;
    readonly height: number;
    /** Absent when this node or its host made it. */
    readonly peerId?: PeerId;
  };
  BlockValidated: ChainPoint;
  BlockSetAside: ChainPoint;
  BlockDropped: {
    readonly hash: HashHex;
    readonly height: number;
    readonly reason: BlockDropReason;
  };
  BlockConnected: {
    readonly hash: HashHex;
    readonly height: number;
    readonly transactionCount: number;
  };
  BlockDisconnected: ChainPoint;
  BlockRejected: {
    readonly hash: HashHex;
    readonly rule: RuleName;
    readonly detail: string;
    /** Absent when this node produced it. */
    readonly peerId?: PeerId;
  };
  ChainReorganised: {
    /** The head before and after, and the last block that both chains have. */
    readonly from: ChainPoint;
    readonly to: ChainPoint;
    readonly fork: ChainPoint;
    /** From the old head downward, at most REORG_PATH_MAX: those next to the fork. */
    readonly disconnected: readonly ChainPoint[];
    /** From the fork upward, at most REORG_PATH_MAX: those next to the fork. */
    readonly connected: readonly ChainPoint[];
    readonly disconnectedCount: number;
    readonly connectedCount: number;
  };
  TransactionReceived: {
    readonly id: HashHex;
    /** Absent when it was submitted here. */
    readonly peerId?: PeerId;
  };
  TransactionValidated: { readonly id: HashHex };
  TransactionAccepted: { readonly id: HashHex };
  TransactionRejected: {
    readonly id: HashHex;
    /** Of the chain, of the list in chain/refusals.ts, or a word of the mempool's own. */
    readonly rule: string;
    readonly detail: string;
    readonly peerId?: PeerId;
  };
  TransactionDropped: {
    readonly id: HashHex;
    /** As of TransactionRejected. */
    readonly rule: string;
    readonly detail: string;
  };
  TransactionConfirmed: {
    readonly id: HashHex;
    readonly blockHash: HashHex;
    readonly height: number;
  };
  TransactionReturned: { readonly id: HashHex };
  SyncRequested: { readonly peerId: PeerId; readonly claimedHeight: string };
  SyncStarted: {
    readonly strategy: SyncStrategy;
    readonly fromHeight: number;
    readonly peerId: PeerId;
  };
  SyncProgressed: {
    readonly height: number;
    /** Proven: the height of the best validated header. */
    readonly targetHeight: number;
    readonly transactionCount: number;
  };
  SyncFinished: { readonly height: number; readonly headHash: HashHex };
  SyncFailed: { readonly peerId: PeerId; readonly reason: string };
  EventsMissed: {
    readonly reason: MissedReason;
    /** `slow`: so many. `forgotten`: at most so many, for ids of all types count. Null: unknown. */
    readonly count: number | null;
    /** The first and last id that was skipped; null: unknown, or there was none before. */
    readonly firstId: EventId | null;
    readonly lastId: EventId | null;
  };
}

export type NetworkEventType = keyof EventPayloads;
export type NetworkEventOf<T extends NetworkEventType> = T extends NetworkEventType
  ? { readonly type: T } & EventPayloads[T]
  : never;
export type NetworkEvent = NetworkEventOf<NetworkEventType>;
export type EventsMissed = NetworkEventOf<"EventsMissed">;

/** Blocks of either branch that a ChainReorganised names; the others are told singly, as those are. */
export const REORG_PATH_MAX = 256;

/** An event with its id, for whoever resumes by it. */
export interface ToldEvent<T extends NetworkEventType = NetworkEventType> {
  readonly id: EventId;
  readonly event: NetworkEventOf<T>;
}

/** Events that follow an id. */
export interface EventPage<T extends NetworkEventType = NetworkEventType> {
  readonly events: readonly ToldEvent<T>[];
  /** Before these events some were missed, up to this id. */
  readonly missed?: ToldEvent<"EventsMissed">;
  /** Where the next page begins. */
  readonly next: EventId;
}
