// What goes into a session and what comes out of it. Types only.

import type { NetworkConfig } from "../../config.js";
import type { ReceivedMessage } from "../codec/receive-lanes.js";
import type { Allocate } from "../codec/send-lanes.js";
import type { SharedBytes } from "../codec/window-options.js";
import type { GroupShare } from "./group-limits.js";
import type { TrafficCounts } from "./traffic.js";
import type { OwnProtocol } from "../../types/own-protocol.js";
import type {
  DisconnectReason,
  Lane,
  RefusalReason,
  WireKind,
  WireMessage,
} from "../types/message.js";
import type { HandshakeInfo } from "../types/node-info.js";

/** The parts of a configuration that concern one connection. */
export type SessionSettings = Pick<
  NetworkConfig,
  "handshake" | "lanes" | "liveness" | "receive" | "requests" | "serve" | "shutdown"
>;

export interface SessionOptions {
  readonly settings: SessionSettings;
  /** What this side says of itself; its quotas are those by which it serves. */
  readonly info: HandshakeInfo;
  /** The services' own that are among its capabilities. */
  readonly protocols?: readonly OwnProtocol[] | undefined;
  /** Its encoding, where many sessions share it. */
  readonly infoPayload?: Uint8Array;
  /** Keep that to itself: the other side hears nothing. */
  readonly isMute?: boolean;
  readonly localId: string;
  /** The id that the other side has proved. */
  readonly remoteId: string;
  /** When the raw connection was accepted or dialed: the handshake's time begins there. */
  readonly openedAtMs: number;
  /** Shared by all sessions. */
  readonly windowGrowth?: SharedBytes;
  /** All sessions together have room for one whose queue holds so much. */
  readonly mayQueue?: ((queuedBytes: number) => boolean) | undefined;
  /** Shared by all sessions of a node, which has the same protocols of services. */
  readonly traffic?: TrafficCounts | undefined;
  /** A nonce that no other open Ping has; `tellsTime`: one that tells the clock. */
  readonly nonce: (tellsTime: boolean) => bigint;
  /** Where `transmit` writes; by default to memory of its own. */
  readonly allocate?: Allocate;
  /** Large messages of kinds that are decoded in a pool come out as `large`. */
  readonly decodesElsewhere?: boolean;
  /** What the peers of its address group may do together; absent: it is exempt. */
  readonly group?: GroupShare | undefined;
  /** Requests of the other side that may be unanswered. Default: as the protocol says. */
  readonly unansweredMax?: number;
}

/** Why a connection ends; `Closed`: without a word. */
export type EndReason = DisconnectReason | "Closed";

export interface End {
  readonly reason: EndReason;
  /** Of a ProtocolViolation: the rule of this protocol, or of what carries it, where it is known. */
  readonly rule?: string;
  readonly detail: string;
  /** Who ended it: this side as it found out itself, this side's owner, or the other side. */
  readonly by: "session" | "owner" | "peer";
}

export interface MessageEvent {
  readonly type: "message";
  /** Its byte strings are views into received bytes: copy what is kept. */
  readonly message: WireMessage;
  readonly lane: Lane;
  /** To be given back by `consumed` when the message was dealt with. */
  readonly bytes: number;
  /** 0 unless it is a request, which is to be answered by `reply`. */
  readonly requestId: number;
}

/** The end of a request of this side. */
export type Outcome =
  | { readonly ok: true; readonly message: WireMessage; readonly elapsedMs: number }
  | { readonly ok: false; readonly reason: RefusalReason | "Timeout" | "Closed" };

/** What a session tells its owner. `A` is whatever the owner knows its requests and pings by. */
export type SessionEvent<A> =
  | {
      readonly type: "ready";
      readonly info: HandshakeInfo;
      readonly capabilities: ReadonlySet<string>;
    }
  | MessageEvent
  /** To be split elsewhere and given back by `decoded`, in order. */
  | { readonly type: "large"; readonly received: ReceivedMessage }
  /** Once for each request. */
  | { readonly type: "settled"; readonly asker: A; readonly outcome: Outcome }
  /** The first of requests that met one silence was not answered in time. */
  | { readonly type: "silence"; readonly kind: WireKind }
  /** Once for each ping; undefined: no answer will come. `asker` is absent for its own pings. */
  | {
      readonly type: "pinged";
      readonly asker: A | undefined;
      readonly elapsedMs: number | undefined;
    }
  /** The other side's clock showed this when ours shows now. */
  | { readonly type: "time"; readonly wallMs: number }
  /** Once: transmit what is left, then close what carries the session. */
  | { readonly type: "closing"; readonly end: End }
  /** The goodbye has had its time: nothing is waited for any more. */
  | { readonly type: "over" };

/** Counts since the beginning. */
export interface SessionFigures {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Payload bytes of answers that were said to be history, as far as they were transmitted. */
  historyBytesOut: number;
  /** One-way messages for which the queue to a slow reader had no room. */
  droppedOut: number;
  /** One-way messages above what it may send. */
  droppedIn: number;
}

/** What a pool found in a large message. */
export type LargeVerdict =
  | { readonly ok: true; readonly payload: Uint8Array; readonly items: Uint32Array }
  | { readonly ok: false; readonly detail: string };
