// What the mempool integration is told, what it answers, and what its subscribers hear of. Types only:
// its own files import these, and whoever talks to it.

import type { ActorRef } from "../../runtime/actor.js";
import type { Breach } from "../../types/breach.js";
import type { HashHex } from "../../types/chain.js";
import type { MempoolAnswer, MempoolTransaction } from "../../ports.js";
import type { Prices } from "../peer/fee-floor.js";
import type { ShortIdKey } from "../../protocol/short-ids.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { ChainChanged } from "./chain-events.js";
import type { KeepingMessage } from "./mempool-keeping.js";
import type { FoundTransactions } from "./short-id-index.js";

export type MempoolMessage =
  /** Transactions that passed every stateless check. */
  | {
      readonly type: "AddTransactions";
      readonly transactions: readonly AddedTransaction[];
      /** One answer a transaction, in order. */
      readonly replyTo: ActorRef<readonly AddAnswer[]>;
    }
  /** A peer's RequestTransactions. */
  | {
      readonly type: "ServeTransactions";
      readonly ids: readonly HashHex[];
      /** How it asked for them. */
      readonly answeredBy?: "ResponseShortIds";
      readonly replyTo: ActorRef<MessageOf<"ResponseTransactions" | "ResponseShortIds">>;
    }
  | {
      readonly type: "SelectTransactions";
      readonly bytesMax: number;
      readonly replyTo: ActorRef<readonly MempoolTransaction[]>;
    }
  /** These made a block of this node fail: they leave, and their submitters hear why. */
  | {
      readonly type: "RefuseTransactions";
      readonly ids: readonly HashHex[];
      readonly breach: Breach;
    }
  /** Of a compact block: whatever waits under these short ids. */
  | {
      readonly type: "FindShort";
      readonly key: ShortIdKey;
      readonly shortIds: Uint8Array;
      readonly replyTo: ActorRef<FoundTransactions>;
    }
  | { readonly type: "GetSize"; readonly replyTo: ActorRef<MempoolSize> }
  /** The least price that is taken now. */
  | { readonly type: "GetFloor"; readonly replyTo: ActorRef<bigint> }
  /** A slice of what waits, from the best on; `next` goes on where the last one ended. */
  | {
      readonly type: "ListWaiting";
      readonly from: "best" | "next";
      readonly countMax: number;
      readonly replyTo: ActorRef<WaitingTransactions>;
    }
  | { readonly type: "Subscribe"; readonly subscriber: ActorRef<MempoolChanged> }
  | { readonly type: "ExpiryDue" }
  | { readonly type: "AgainDue" }
  | { readonly type: "FollowOn" }
  | { readonly type: "FollowedRead"; readonly block: Uint8Array | undefined }
  /** The node stops: what is to be kept is written now. */
  | { readonly type: "KeepNow"; readonly replyTo: ActorRef<"Kept"> }
  | KeepingMessage
  | ChainChanged;

export interface AddedTransaction extends MempoolTransaction {
  /** Submitted to this node, which is to announce it until it is confirmed. */
  readonly own: boolean;
}

/** What the mempool answered, and what the transaction pays if it says so. */
export type AddAnswer =
  Extract<MempoolAnswer, { ok: false }> | { readonly ok: true; readonly price?: bigint };

export interface WaitingTransactions {
  readonly ids: readonly HashHex[];
  readonly prices?: Prices;
  /** There are no more. */
  readonly done: boolean;
}

/** They wait here, and no peer was told of them lately: they came back, or were submitted here. */
export interface ReturnedTransactions {
  readonly type: "ReturnedTransactions";
  readonly ids: readonly HashHex[];
  readonly prices?: Prices;
}

/** They gave way to others, and may come again when there is room. */
export interface EvictedTransactions {
  readonly type: "EvictedTransactions";
  readonly ids: readonly HashHex[];
}

/** What subscribers hear of. */
export type MempoolChanged = ReturnedTransactions | EvictedTransactions;

/** Of the transactions that wait. */
export interface MempoolSize {
  readonly count: number;
  readonly bytes: number;
}
