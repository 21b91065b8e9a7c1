// What the registry and the dialer say to each other, and what the registry is asked about dials.
// Types only.

import type { ActorRef, AskOutcome, PipeOutcome } from "../../runtime/actor.js";
import type { Connection, PeerId } from "../../ports.js";
import type { Endpoint } from "../../protocol/address.js";

export type DialerMessage =
  | { readonly type: "Dial"; readonly endpoint: Endpoint; readonly replyTo: ActorRef<DialEnd> }
  /** From its own dials. */
  | {
      readonly type: "Dialed";
      readonly endpoint: Endpoint;
      readonly outcome: PipeOutcome<Connection>;
      readonly replyTo: ActorRef<DialEnd>;
    };

export type DialEnd =
  /** The connection was handed to the registry. */
  { readonly ok: true; readonly peerId: PeerId } | { readonly ok: false; readonly error: unknown };

/** To the registry. */
export type DialMessage =
  /** From the dialer, at each of its starts: it takes dials. */
  | { readonly type: "DialerStarted"; readonly dialer: ActorRef<DialerMessage> }
  /** A dial has ended, by its number, or was lost. */
  | {
      readonly type: "DialEnded";
      readonly address: string;
      readonly dial: number;
      readonly outcome: AskOutcome<DialEnd>;
    }
  | { readonly type: "DialDue" }
  /** Answered once a peer at this endpoint is connected, or why that cannot be. */
  | {
      readonly type: "Connect";
      readonly endpoint: Endpoint;
      readonly replyTo: ActorRef<DialOutcome>;
    }
  | { readonly type: "GetDialStatus"; readonly replyTo: ActorRef<DialStatus> };

export type DialOutcome =
  | { readonly ok: true; readonly peerId: PeerId }
  /** One plain sentence. */
  | { readonly ok: false; readonly why: string };

/** What this node does about having no peer. */
export interface DialStatus {
  /** A phrase for people; null while there is a peer. */
  readonly waitingFor: string | null;
}
