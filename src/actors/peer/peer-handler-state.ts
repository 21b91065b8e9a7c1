// What one PeerHandler holds: the session of its connection, what arrives for it, and what its
// neighbours could not take yet. Only peer-handler.ts and its helpers import this.

import type { ActorRef, Context } from "../../runtime/actor.js";
import type { Connection, PeerId } from "../../ports.js";
import type { ReceivedMessage } from "../../protocol/codec/receive-lanes.js";
import type { TrafficCounts } from "../../protocol/session/traffic.js";
import type { PeerSession } from "../../protocol/session/peer-session.js";
import type { DisconnectReason } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { Inbox } from "./inbox.js";
import type { LocalInfo } from "./local-info.js";
import type { Incoming, PeerAnswer, PeerHandlerMessage } from "./peer-handler-messages.js";
import type { PeerLeases } from "./peer-leases.js";
import type { PeerPace } from "./peer-pace.js";
import type { PeerPerformance } from "./peer-performance.js";
import type { ReputationMessage } from "./peer-reputation.js";
import type { RegistryMessage } from "./peer-table.js";
import type { PingOutcome } from "./peer-handler-messages.js";

export interface PeerHandlerArgs {
  readonly connection: Connection;
  /** The registry's number for this connection. */
  readonly connectionId: number;
  readonly registry: ActorRef<RegistryMessage>;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly traffic: TrafficCounts;
  readonly local: LocalInfo;
  /** By the configuration or the operator: exempt from what its address group may do together. */
  readonly isTrusted?: boolean;
  /** Set: say why and close, without a handshake. */
  readonly refusal?: { readonly reason: DisconnectReason; readonly detail: string };
}

/** Whoever waits for the end of a request or a ping. */
export type Asker =
  | { readonly type: "request"; readonly replyTo: ActorRef<PeerAnswer> }
  | { readonly type: "ping"; readonly replyTo: ActorRef<PingOutcome> };

export interface PeerHandlerState extends PeerHandlerArgs {
  readonly peerId: PeerId;
  readonly session: PeerSession<Asker>;
  /** Monotonic time of this turn. */
  nowMs: number;
  readonly inbox: Inbox;
  readonly leases: PeerLeases;
  /** What this connection has of the node's line. */
  readonly pace: PeerPace;
  /** The socket's buffer is full: nothing is written until it drains. */
  isBlocked: boolean;
  /** When the timer of the session fires; Infinity: it is not set. */
  timerMs: number;
  /** Messages that the router could not take. */
  readonly held: Incoming[];
  /** Large messages on their way through the pool: next, and in the running job. */
  readonly decodeNext: ReceivedMessage[];
  decodeRunning: readonly ReceivedMessage[];
  /** The pool could not take the last job: it is left alone until DecodeDue. */
  decodeResting: boolean;
  readonly performance: PeerPerformance;
  measuredMs: number;
  /** When a ping of this side was last answered, or is taken to be. */
  pingedMs: number;
  /** When a slow answer was last charged. */
  chargedMs: number;
  /** When a quick answer was last rewarded. */
  rewardedMs: number;
}

export type PeerHandlerContext = Context<PeerHandlerMessage, NodeEnv>;
