// What one PeerHandler holds, and the steps that its inbound and outbound halves share: sending,
// closing, blaming. Only peer-handler.ts and its two halves import this.

import type { ActorRef, Context } from "../../runtime/actor.js";
import { BufferPool } from "../../bytes/buffer-pool.js";
import type { Connection, PeerId } from "../../ports.js";
import {
  FRAGMENT_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type FrameDecoder,
} from "../../protocol/codec/frame.js";
import type { ReceivedMessage, ReceiveLanes } from "../../protocol/codec/receive-lanes.js";
import type { Allocate, SendLanes } from "../../protocol/codec/send-lanes.js";
import { FairWait, type FairTimer } from "../../protocol/fair-wait.js";
import type { SharedBytes } from "../../protocol/codec/window-options.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import {
  LANES,
  type DisconnectReason,
  type Lane,
  type Message,
  type MessageKind,
} from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { Inbox } from "./inbox.js";
import type { KeepAlive } from "./keep-alive.js";
import type { LocalInfo } from "./local-info.js";
import type { Incoming, PeerHandlerMessage } from "./peer-handler-messages.js";
import type { PeerPerformance } from "./peer-performance.js";
import type { ReputationMessage } from "./peer-reputation.js";
import type { PingOutcome, RegistryMessage } from "./peer-table.js";
import type { RateLimit } from "./rate-limit.js";
import type { ReputationEvent } from "./reputation-ledger.js";
import type { RequestTable } from "./request-table.js";

export interface PeerHandlerArgs {
  readonly connection: Connection;
  /** The registry's number for this connection. */
  readonly connectionId: number;
  readonly registry: ActorRef<RegistryMessage>;
  readonly router: ActorRef<MessageRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  /** Shared by all connections. */
  readonly windowGrowth: SharedBytes;
  readonly local: LocalInfo;
  /** Set: say why and close, without a handshake. */
  readonly refusal?: { readonly reason: DisconnectReason; readonly detail: string };
}

export type RequestCommand = Extract<PeerHandlerMessage, { type: "Request" }>;

export interface PeerHandlerState extends PeerHandlerArgs {
  readonly peerId: PeerId;
  phase: "handshaking" | "ready" | "closing";
  /** Monotonic time of this turn. */
  nowMs: number;
  readonly inbox: Inbox;
  readonly decoder: FrameDecoder;
  readonly receiveLanes: ReceiveLanes;
  readonly sendLanes: SendLanes;
  /** Set while the socket's buffer is full: nothing is written until it drains. */
  blockedSinceMs: number | undefined;
  readonly handshakeWait: FairWait;
  readonly keepAlive: KeepAlive;
  /** When a request that was not answered was last blamed; 0: never. */
  silenceBlamedMs: number;
  readonly pings: Map<bigint, { sentMs: number; replyTo: ActorRef<PingOutcome> | undefined }>;
  readonly pingLimit: RateLimit;
  /** `time/1` was negotiated: nonces of pings tell the time. */
  tellsTime: boolean;
  readonly requests: RequestTable;
  /** Requests that the peer's quota or our own limit holds back, by lane, then in order. */
  readonly requestsWaiting: RequestCommand[];
  /** SweepDue is on its way. */
  sweeping: boolean;
  readonly sweepTimer: FairTimer;
  /** Set when it closes: what the goodbye may take. */
  closeWait: FairWait | undefined;
  /** The peer's quotas, mirrored, by message code. */
  readonly askLimits: Map<number, RateLimit>;
  /** Ours; made for the first request. */
  serveLimits: ReadonlyMap<MessageKind, RateLimit> | undefined;
  /** Requests of the peer that were handed on: how many bytes their replies may hold, by id. */
  readonly servesOpen: Map<number, number>;
  servesOpenBytes: number;
  /** What a reply with blocks may be expected to hold, by those before it. */
  blockReplyBytes: number;
  /** Requests of the peer that wait their turn. */
  readonly servesWaiting: Incoming[];
  /** Messages that the router could not take. */
  readonly held: Incoming[];
  /** Large messages on their way through the pool: next, and in the running job. */
  readonly decodeNext: ReceivedMessage[];
  decodeRunning: readonly ReceivedMessage[];
  /** The pool could not take the last job: it is left alone until DecodeDue. */
  decodeResting: boolean;
  readonly performance: PeerPerformance;
  measuredMs: number;
  /** When a quick answer was last rewarded. */
  rewardedMs: number;
}

export type PeerHandlerContext = Context<PeerHandlerMessage, NodeEnv>;

/** Bytes given to the socket in one write: two of the largest frames, which are never cut for it. */
const WRITE_BYTES = 2 * (FRAME_HEADER_BYTES + FRAGMENT_BYTES_MAX);
/** All connections' of this thread, 1 MiB at rest: what is in a buffer is seen by its writer alone. */
const writeBuffers = new BufferPool({ bufferBytes: WRITE_BYTES, freeMax: 8 });
const allocate: Allocate = (bytes) => writeBuffers.take(bytes);
/** From the close of a connection that never was ready to its end. */
const STRANGER_DRAIN_MS = 400;

export function send(state: PeerHandlerState, message: Message, requestId = 0): void {
  sendEncoded(state, message.kind, encodeMessage(message), requestId);
}

export function sendEncoded(
  state: PeerHandlerState,
  kind: MessageKind,
  payload: Uint8Array,
  requestId = 0,
): void {
  if (state.phase === "closing") return;
  state.performance.messagesOut++;
  state.sendLanes.enqueue(kind, requestId, payload);
}

export function queuedBytes(state: PeerHandlerState): number {
  let bytes = 0;
  for (const lane of LANES) bytes += state.sendLanes.queuedBytes(lane);
  return bytes;
}

/** Writes what credit and the socket allow. */
export function flush(state: PeerHandlerState): void {
  while (state.blockedSinceMs === undefined) {
    const chunk = state.sendLanes.pull(WRITE_BYTES, allocate);
    if (chunk === undefined) return;
    state.performance.bytesOut += chunk.length;
    const onTaken = (): void => writeBuffers.give(chunk);
    if (state.connection.write(chunk, onTaken)) continue;
    state.blockedSinceMs = state.nowMs;
    state.keepAlive.took(state.nowMs);
  }
}

/** Gives credit back and tells the peer when an update is due. */
export function consume(state: PeerHandlerState, lane: Lane, bytes: number): void {
  if (bytes === 0 || state.phase === "closing") return;
  const update = state.receiveLanes.consumed(lane, bytes, state.nowMs);
  if (update !== undefined) send(state, update);
  for (const due of state.receiveLanes.updates(state.nowMs)) send(state, due);
}

export function blame(state: PeerHandlerState, event: ReputationEvent, detail: string): void {
  state.reputation.tell({ type: "Report", peerId: state.peerId, event, detail });
}

/** Any phase → closing: says why, flushes and ends; the actor stops when the socket has closed. */
export function close(
  state: PeerHandlerState,
  context: PeerHandlerContext,
  end: { reason: DisconnectReason | "Closed"; detail: string; byPeer?: boolean },
): void {
  if (state.phase === "closing") return;
  const { reason, detail, byPeer = false } = end;
  // The goodbye overtakes what waits, and nothing follows it.
  state.sendLanes.clear();
  if (!byPeer && reason !== "Closed") {
    // The detail travels too: 80 characters fit its 256 bytes; half a character that the cut may
    // leave (it becomes U+FFFD here) and control characters may not.
    const cut = Buffer.from(detail.slice(0, 80)).toString();
    const shown = cut.replace(/\p{Cc}/gu, " ");
    send(state, { kind: "Disconnect", reason, detail: shown });
    state.blockedSinceMs = undefined;
    flush(state);
  }
  const { drainMs } = context.env.config.shutdown;
  // A stranger gets no more time than a goodbye needs, or its silence would hold the socket open.
  const waitMs = state.phase === "ready" ? drainMs : Math.min(drainMs, STRANGER_DRAIN_MS);
  state.phase = "closing";
  forget(state);
  const { connectionId } = state;
  state.registry.tell({ type: "HandlerClosing", connectionId, reason, detail, byPeer });
  settleAll(state);
  state.connection.close();
  for (const key of ["handshake", "ping", "sweep", "decode"]) context.cancelTimer(key);
  state.closeWait = new FairWait(waitMs, state.nowMs);
  context.startTimer("close", state.closeWait.begin(state.nowMs), { type: "CloseDue" });
}

/** Until the socket is gone a closing handler holds no more than the socket does. */
function forget(state: PeerHandlerState): void {
  state.inbox.clear();
  state.receiveLanes.release();
  state.decodeNext.length = 0;
  state.held.length = 0;
  state.servesWaiting.length = 0;
  state.servesOpen.clear();
  state.servesOpenBytes = 0;
}

/** A breach of the protocol: blamed, said and closed. */
export function violate(
  state: PeerHandlerState,
  context: PeerHandlerContext,
  detail: string,
): void {
  if (state.phase === "closing") return;
  state.performance.violations++;
  blame(state, "ProtocolViolation", detail);
  close(state, context, { reason: "ProtocolViolation", detail });
}

/** Nobody waits for an answer that cannot come. */
export function settleAll(state: PeerHandlerState): void {
  const { peerId } = state;
  const outcome = { type: "RequestOutcome", peerId, ok: false, reason: "Closed" } as const;
  for (const { tag, replyTo } of state.requests.drain()) replyTo.tell({ ...outcome, tag });
  for (const { tag, replyTo } of state.requestsWaiting.splice(0)) replyTo.tell({ ...outcome, tag });
  for (const { replyTo } of state.pings.values()) replyTo?.tell({ elapsedMs: undefined });
  state.pings.clear();
}
