// The facts a node publishes: past tense, structured-cloneable, safe to hand to anyone.

import type { HashHex, RuleName } from "../../types/chain.js";
import type { BanRecord, Direction, PeerId, RefusalRule } from "../../ports.js";
import type { DisconnectReason } from "../../protocol/types/message.js";

/** A label for people: how far behind a sync began. One machinery serves both. */
export type SyncStrategy = "full" | "incremental";

export type NetworkEvent =
  | { readonly type: "ListenerBound"; readonly address: string }
  | {
      readonly type: "ConnectionRefused";
      readonly remoteAddress: string;
      readonly rule: RefusalRule;
      readonly detail: string;
    }
  | {
      readonly type: "PeerConnected";
      readonly peerId: PeerId;
      readonly address: string;
      readonly direction: Direction;
      readonly agent: string;
      readonly nodeId: string;
    }
  | {
      readonly type: "PeerDisconnected";
      readonly peerId: PeerId;
      /** `Operator`: sent away for a while. */
      readonly reason: DisconnectReason | "Closed" | "Fault" | "Operator";
      /** With ProtocolViolation: the rule that was broken, where it is known. */
      readonly rule?: string;
      readonly detail: string;
      /** The other side ended it, and says so. */
      readonly byPeer: boolean;
    }
  | ({ readonly type: "PeerBanned" } & BanRecord)
  /** Its ban is over, or lifted. Of bans that are remembered it is said again at each start. */
  | { readonly type: "PeerUnbanned"; readonly peerId: PeerId }
  /** Durable: a crash after this event does not lose the block. */
  | {
      readonly type: "BlockConnected";
      readonly hash: HashHex;
      readonly height: number;
      readonly transactionCount: number;
    }
  | { readonly type: "BlockDisconnected"; readonly hash: HashHex; readonly height: number }
  | {
      readonly type: "BlockRejected";
      readonly hash: HashHex;
      readonly rule: RuleName;
      readonly detail: string;
      /** Absent when this node produced it. */
      readonly peerId?: PeerId;
    }
  | { readonly type: "TransactionAccepted"; readonly id: HashHex }
  /** Also of one that was accepted before: it was evicted, replaced, made stale, or expired. */
  | {
      readonly type: "TransactionRejected";
      readonly id: HashHex;
      /** Of the chain, of the list in chain/refusals.ts, or a word of the mempool's own. */
      readonly rule: string;
      readonly detail: string;
      readonly peerId?: PeerId;
    }
  | {
      readonly type: "SyncStarted";
      readonly strategy: SyncStrategy;
      readonly fromHeight: number;
      readonly peerId: PeerId;
    }
  /** `targetHeight` is proven: the height of the best validated header. */
  | {
      readonly type: "SyncProgressed";
      readonly height: number;
      readonly targetHeight: number;
      readonly transactionCount: number;
    }
  | { readonly type: "SyncFinished"; readonly height: number; readonly headHash: HashHex }
  | { readonly type: "SyncFailed"; readonly peerId: PeerId; readonly reason: string };

export type NetworkEventType = NetworkEvent["type"];
export type NetworkEventOf<T extends NetworkEventType> = Extract<NetworkEvent, { type: T }>;
