// The messages of a PeerHandler and what it passes on. Types only: everything that talks to a peer
// imports these, none of it the handler itself.

import type { ActorRef } from "../../runtime/actor.js";
import type { DecodeFramesVerdict, PeerId } from "../../ports.js";
import type { DisconnectReason, Lane, Message, MessageKind } from "../../protocol/types/message.js";
import type { PingOutcome } from "./peer-table.js";

export type PeerHandlerMessage =
  | { readonly type: "Send"; readonly message: Message }
  /** Bytes encoded once for many peers. */
  | { readonly type: "SendEncoded"; readonly kind: MessageKind; readonly payload: Uint8Array }
  /** Answered exactly once; after `PeerGone` the handler may be beyond answering. */
  | {
      readonly type: "Request";
      readonly message: Message;
      /** The requester's own number for this request. */
      readonly tag: number;
      /** Items asked for, charged against the peer's quota. */
      readonly items: number;
      readonly replyTo: ActorRef<RequestOutcome>;
    }
  | { readonly type: "Reply"; readonly requestId: number; readonly message: Message }
  /** The receiver of an Incoming is done with its bytes: the peer may send as many more. */
  | { readonly type: "Consumed"; readonly lane: Lane; readonly bytes: number }
  | { readonly type: "Ping"; readonly replyTo: ActorRef<PingOutcome> }
  | { readonly type: "Close"; readonly reason: DisconnectReason; readonly detail: string }
  /** It is closing, and so are too many others: it ends at once. */
  | { readonly type: "Destroy" }
  /** From the connection. */
  | { readonly type: "Readable" }
  | { readonly type: "Drained" }
  | {
      readonly type: "ConnectionEnded";
      readonly error?: Error;
      /** The rule of the transport that the peer broke. */
      readonly broken?: { readonly rule: string; readonly detail: string };
    }
  /** From the handler's own timers and pool jobs. TimerDue: the session is to be woken. */
  | { readonly type: "TimerDue" }
  | { readonly type: "DecodeDue" }
  | { readonly type: "Decoded"; readonly verdict: DecodeFramesVerdict | undefined };

/** Whose message it is and what it holds. */
export interface Delivery {
  readonly peerId: PeerId;
  readonly from: ActorRef<PeerHandlerMessage>;
  readonly lane: Lane;
  /** To be given back with Consumed when the message was dealt with. */
  readonly bytes: number;
  /** 0 unless it is a request. */
  readonly requestId: number;
}

/** A message of a ready peer on its way to a handler. */
export interface Incoming<K extends MessageKind = MessageKind> extends Delivery {
  readonly type: "Incoming";
  /** Its byte strings are views into received chunks: copy what is kept. */
  readonly message: Extract<Message, { kind: K }>;
}

/** The end of a request. */
export type RequestOutcome =
  | {
      readonly type: "RequestOutcome";
      readonly tag: number;
      readonly peerId: PeerId;
      readonly ok: true;
      readonly message: Message;
      readonly elapsedMs: number;
    }
  | {
      readonly type: "RequestOutcome";
      readonly tag: number;
      readonly peerId: PeerId;
      readonly ok: false;
      readonly reason: "NotFound" | "Busy" | "RateLimited" | "Timeout" | "Closed";
    };
