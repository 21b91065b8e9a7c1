// Where a block comes from, and who hears what became of it. Types only.

import type { ActorRef } from "../../runtime/actor.js";
import type { BlockParts, Fault } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { Answer } from "../peer/dealt.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";

/** `fault` is absent when the block was not judged: the node was busy, or the chain went on. */
export type ProducedOutcome =
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly fault?: Fault };

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
  /** Of a block that was asked for, or put together here; otherwise 0. */
  readonly fetchedBytes: number;
  readonly compact?: CompactOrigin;
}

/** It came in compact form: who sent it had not validated it, and does not claim it as its head. */
export interface CompactOrigin {
  readonly message: MessageOf<"CompactBlock">;
  readonly parts: BlockParts;
  /** Of its transactions, 32 bytes each. */
  readonly ids: Uint8Array;
  /** Places of those that were not here, ascending. */
  readonly lacked: readonly number[];
  /** Its header is known to bind its transactions: no other body has this hash. */
  readonly isBound: boolean;
}
