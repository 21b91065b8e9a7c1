// The messages of a PeerHandler and what it passes on. Types only: everything that talks to a peer
// imports these, none of it the handler itself.

import type { ActorRef } from "../../runtime/actor.js";
import type { DecodeFramesVerdict, PeerId } from "../../ports.js";
import type { Breach } from "../../types/breach.js";
import type { Outcome } from "../../protocol/session/session-types.js";
import type { DisconnectReason, WireKind, WireMessage } from "../../protocol/types/message.js";
import type { HashHex } from "../../types/chain.js";
import type { Answer, Dealt, Held } from "./dealt.js";
import type { NewsKind } from "./gossip-times.js";

/** From a peer handler: there was no room for this push. */
export interface PushRefused {
  readonly type: "PushRefused";
  readonly what: NewsKind;
  readonly peerId: PeerId;
  readonly hash: HashHex;
}

export type PeerHandlerMessage =
  | { readonly type: "Send"; readonly message: WireMessage }
  /** Bytes encoded once for many peers. `about`: the hash that they are news of, if they do not name it. */
  | {
      readonly type: "SendEncoded";
      readonly kind: WireKind;
      readonly payload: Uint8Array;
      readonly about?: Uint8Array;
      /** Who is told where there is no room for it, and of what. */
      readonly refused?: {
        readonly to: ActorRef<PushRefused>;
        readonly what: NewsKind;
        readonly hash: HashHex;
      };
    }
  | {
      readonly type: "Request";
      readonly message: WireMessage;
      readonly replyTo: ActorRef<PeerAnswer>;
    }
  | { readonly type: "Ping"; readonly replyTo: ActorRef<PingOutcome> }
  | ({ readonly type: "Close" } & Farewell)
  /** It is closing, and so are too many others: it ends at once. */
  | { readonly type: "Destroy" }
  /** From the connection. */
  | { readonly type: "Readable" }
  | { readonly type: "Drained" }
  /** From the throttle: more may be sent. */
  | { readonly type: "Turn" }
  | {
      readonly type: "ConnectionEnded";
      readonly error?: Error;
      /** The rule of the transport that the peer broke. */
      readonly breach?: Breach;
    }
  /** From itself: a message of the peer that was handed on is dealt with, or lost. */
  | Dealt
  /** From the handler's own timers and pool jobs. TimerDue: the session is to be woken. */
  | { readonly type: "TimerDue" }
  | { readonly type: "DecodeDue" }
  | { readonly type: "Decoded"; readonly verdict: DecodeFramesVerdict | undefined };

/** Why this node ends a connection. */
export interface Farewell {
  readonly reason: DisconnectReason;
  /** With ProtocolViolation: the rule that the peer broke. */
  readonly rule?: string;
  readonly detail: string;
}

/** Milliseconds of the round trip; undefined: no such peer, or it went away. */
export interface PingOutcome {
  readonly elapsedMs: number | undefined;
}

/** A message of a ready peer on its way to a handler. */
export interface Incoming<K extends WireKind = WireKind> extends Held {
  readonly type: "Incoming";
  readonly peerId: PeerId;
  readonly from: ActorRef<PeerHandlerMessage>;
  /**
   * Whoever has the message owes an answer, or tells it on: what it holds comes back with the answer,
   * or when the kernel settles it for an actor that lost it.
   */
  readonly replyTo: ActorRef<Answer>;
  /** Its byte strings are views into received chunks: copy what is kept. */
  readonly message: Extract<WireMessage, { kind: K }>;
}

/** How a request to a peer ended; its byte strings are views too. */
export type PeerAnswer = Outcome;
