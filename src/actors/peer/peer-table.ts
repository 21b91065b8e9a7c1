// The messages about the peer table, which is the registry's own: what it tells those who work with
// peers, and what it takes. Types only, apart from the actor so that listener, dialer, sync and
// broadcaster can speak to it without its code.

import type { ActorRef, AskOutcome } from "../../runtime/actor.js";
import type { Connection, Direction, PeerId } from "../../ports.js";
import type { Traffic } from "../../protocol/session/traffic.js";
import type { Endpoint } from "../../protocol/address.js";
import type { DisconnectReason } from "../../protocol/types/message.js";
import type { ChainHead, Claimed, HandshakeInfo } from "../../protocol/types/node-info.js";
import type { DialMessage } from "../service/dial-messages.js";
import type { AddressMessage } from "./address-messages.js";
import type { Purpose } from "./purpose.js";
import type { Farewell, PeerHandlerMessage, PingOutcome } from "./peer-handler-messages.js";
import type { GossipFigures } from "./gossip-times.js";
import type { PeerDeeds } from "./peer-deeds.js";
import type { CommandJudged, OperatorMessage } from "./operator-messages.js";
import type { PeerHistory } from "./peer-history.js";
import type { Measured, PerformanceSnapshot } from "./peer-performance.js";
import type { ReputationVerdict } from "./peer-reputation.js";
import type { PeerClass, PeerExplanation } from "./reputation-ledger.js";

export type RegistryMessage =
  /** From the listener or the dialer; `dialed` is the endpoint as it was dialed. */
  | { readonly type: "Connected"; readonly connection: Connection; readonly dialed?: Endpoint }
  | DialMessage
  | AddressMessage
  /** From the service: where the listener is bound. */
  | { readonly type: "Listening"; readonly endpoints: readonly Endpoint[] }
  | { readonly type: "Subscribe"; readonly subscriber: ActorRef<PeerTableEvent> }
  /** From the peer handlers, by the number the registry gave the connection. */
  | {
      readonly type: "HandlerReady";
      readonly connectionId: number;
      readonly info: HandshakeInfo;
      readonly capabilities: readonly string[];
    }
  | { readonly type: "HandlerClosing"; readonly connectionId: number; readonly gone: Gone }
  /** From the registry to itself: the handler of this path stopped, after all it had to say. */
  | { readonly type: "HandlerStopped"; readonly path: string; readonly error?: unknown }
  | {
      readonly type: "HandlerMeasured";
      readonly connectionId: number;
      readonly performance: Measured;
    }
  /** From the broadcaster, of those peers whose figures changed. */
  | {
      readonly type: "GossipMeasured";
      readonly figures: readonly (readonly [PeerId, GossipFigures])[];
    }
  | { readonly type: "HeadClaimed"; readonly peerId: PeerId; readonly head: ChainHead }
  | { readonly type: "GetPeers"; readonly replyTo: ActorRef<readonly PeerReport[]> }
  | { readonly type: "GetTraffic"; readonly replyTo: ActorRef<Traffic> }
  | {
      readonly type: "PingPeer";
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<PingOutcome>;
    }
  /** Answered with all that is known of a peer: the registry asks reputation for its reasons. */
  | { readonly type: "Explain"; readonly peerId: PeerId; readonly replyTo: ActorRef<PeerHistory> }
  | {
      readonly type: "Explained";
      readonly peerId: PeerId;
      readonly outcome: AskOutcome<PeerExplanation>;
      readonly replyTo: ActorRef<PeerHistory>;
    }
  | ({ readonly type: "Disconnect"; readonly peerId: PeerId } & Farewell)
  | OperatorMessage
  | CommandJudged
  /** A ban ends. */
  | { readonly type: "BansDue" }
  /** Closes every connection; answers when all are gone. */
  | { readonly type: "Shutdown"; readonly replyTo: ActorRef<"Drained"> }
  | ReputationVerdict;

/** How a connection ended. */
export interface Gone {
  readonly reason: DisconnectReason | "Closed" | "Fault" | "Operator";
  /** With ProtocolViolation: the rule that was broken, where it is known. */
  readonly rule?: string;
  readonly detail: string;
  /** The other side ended it with this reason. */
  readonly byPeer: boolean;
}

export type PeerTableEvent =
  | {
      readonly type: "PeerReady";
      readonly peerId: PeerId;
      readonly handler: ActorRef<PeerHandlerMessage>;
      readonly direction: Direction;
      readonly address: string;
      readonly info: HandshakeInfo;
      readonly head: Claimed<ChainHead>;
      readonly capabilities: ReadonlySet<string>;
    }
  | ({
      readonly type: "PeerGone";
      readonly peerId: PeerId;
      readonly direction: Direction;
      readonly wasReady: boolean;
      readonly readyForMs: number;
    } & Gone)
  | {
      readonly type: "PeerMeasured";
      readonly peerId: PeerId;
      readonly performance: PerformanceSnapshot;
    }
  | { readonly type: "PeerClaimed"; readonly peerId: PeerId; readonly head: Claimed<ChainHead> };

/** One ready peer, as reported to operators. Structured-cloneable. */
export interface PeerReport {
  readonly peerId: PeerId;
  readonly nodeId: string;
  readonly agent: string;
  /** The text of `remote`. */
  readonly address: string;
  /** The other end of the connection: of an inbound one not where the peer listens. */
  readonly remote: Endpoint;
  readonly direction: Direction;
  /** `blocks`: no transactions are told on it; of an inbound one always `full`. */
  readonly purpose: Purpose;
  readonly head: Claimed<ChainHead>;
  readonly readyForMs: number;
  readonly trusted: boolean;
  /** What its reputation makes of it. */
  readonly class: PeerClass;
  readonly performance: PerformanceSnapshot;
  /** What it brought and broke, on former connections too. */
  readonly deeds: PeerDeeds;
  /** By how much the peer's clock is ahead of ours, as it says; null: it does not say. */
  readonly clockOffsetMs: number | null;
}
