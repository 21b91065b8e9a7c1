// The inbound half of a PeerHandler: chunks → frames → messages → router, requester or this
// handler itself. Everything a peer can send is judged here.

import { KINDS, type Message } from "../../protocol/types/message.js";
import { decodeMessage, encodeMessage, messageFromItems } from "../../protocol/codec/codec.js";
import type { Frame } from "../../protocol/codec/frame.js";
import type { ReceivedMessage } from "../../protocol/codec/receive-lanes.js";
import { negotiate, TIME_CAPABILITY } from "../../protocol/handshake.js";
import { violation, type Violation } from "../../protocol/violation.js";
import { packBytes, packedItem } from "../../bytes/packed.js";
import type { DecodeFramesVerdict } from "../../ports.js";
import { isCoded } from "../../errors.js";
import { serveRates } from "./local-info.js";
import type { Incoming, PeerHandlerMessage } from "./peer-handler-messages.js";
import {
  blame,
  close,
  consume,
  queuedBytes,
  send,
  sendEncoded,
  violate,
  type PeerHandlerContext,
  type PeerHandlerState,
} from "./peer-handler-state.js";
import { timeOfNonce } from "./clock-offset.js";
import { ping, sendWaiting } from "./peer-outbound.js";
import { RateLimit } from "./rate-limit.js";

/** Taken from the inbox in one turn; then other actors have theirs. */
const TURN_BYTES = 256 * 1024;
/** A frame makes work for as many bytes: 500 pings take about 2 ms. */
const FRAME_COST_BYTES = 512;
/**
 * Payloads over this are decoded where their kind says. A hundred transactions of 300 bytes are
 * split in 10 µs; the trip to the pool takes 55 µs of the loop and wakes a thread.
 */
const POOL_DECODE_BYTES_MIN = 32 * 1_024;
const DECODE_RETRY_MS = 20;
/** Requests of one peer that are not answered yet, as docs/protocol.md allows it. */
const SERVES_MAX = 64;
/** A smoothed answer under this is quick. */
const QUICK_RESPONSE_MS = 250;
const MEASURE_INTERVAL_MS = 1_000;
/** Half a minute of quick answers reaches the cap of a minute's gains. */
const REWARD_INTERVAL_MS = 300;

export function readInbox(state: PeerHandlerState, context: PeerHandlerContext): void {
  const { inbox } = state;
  inbox.rest();
  let budget = TURN_BYTES;
  const onFrameCost = (frame: Frame): Violation | undefined => {
    budget -= FRAME_COST_BYTES;
    return onFrame(state, frame, context);
  };
  while (budget > 0 && mayRead(state)) {
    const chunk = inbox.shift();
    if (chunk === undefined) return;
    budget -= chunk.length;
    state.keepAlive.heard(state.nowMs);
    state.performance.bytesIn += chunk.length;
    const broken = state.decoder.push(chunk, onFrameCost);
    if (broken !== undefined) {
      violate(state, context, `${broken.rule}: ${broken.detail}`);
      return;
    }
    for (const update of state.receiveLanes.updates(state.nowMs)) send(state, update);
  }
  if (mayRead(state) && !inbox.empty) inbox.wake();
}

/** Nothing more is taken from the socket while the router is full. */
function mayRead(state: PeerHandlerState): boolean {
  return state.phase !== "closing" && state.held.length === 0;
}

function onFrame(
  state: PeerHandlerState,
  frame: Frame,
  context: PeerHandlerContext,
): Violation | undefined {
  // The rest of a chunk after a Disconnect or a failed handshake is not read.
  if (state.phase === "closing") return undefined;
  const { kind, requestId } = frame;
  if (KINDS[kind].role === "response") {
    const objection = state.requests.objection(requestId, kind);
    if (objection !== undefined) return violation("request-id", objection);
  }
  return state.receiveLanes.accept(frame, (received) => onMessage(state, received, context));
}

function onMessage(
  state: PeerHandlerState,
  received: ReceivedMessage,
  context: PeerHandlerContext,
): Violation | undefined {
  state.performance.messagesIn++;
  const { kind, payload } = received;
  if (KINDS[kind].decode === "pool" && payload.length > POOL_DECODE_BYTES_MIN) {
    state.decodeNext.push(received);
    // The pool may take its time with it: that is none of the peer's.
    state.requests.arrived(received.requestId);
    return undefined;
  }
  const decoded = decodeMessage(kind, payload);
  if (!decoded.ok) return decoded.violation;
  return dispatch(state, decoded.message, received, context);
}

function dispatch(
  state: PeerHandlerState,
  message: Message,
  received: ReceivedMessage,
  context: PeerHandlerContext,
): Violation | undefined {
  switch (message.kind) {
    case "Handshake":
      return shake(state, message, context);
    case "Disconnect": {
      const { reason, detail } = message;
      close(state, context, { reason, detail, byPeer: true });
      return undefined;
    }
    case "Ping":
      if (!state.pingLimit.take(1, state.nowMs)) return violation("flood", "too many pings");
      send(state, { kind: "Pong", nonce: message.nonce });
      if (state.tellsTime) setClock(state, message.nonce);
      return undefined;
    case "Pong":
      pong(state, message.nonce);
      return undefined;
    case "WindowUpdate":
      return state.sendLanes.grant(message.lane, message.bytes);
    case "RequestRefused":
    case "ResponseBlock":
    case "ResponseHeaders":
    case "ResponseBlockRange":
    case "ResponseTransactions":
      return answer(state, message, received, context);
    case "RequestBlock":
    case "RequestHeaders":
    case "RequestBlockRange":
    case "RequestTransactions":
      return serve(state, incoming(state, message, received, context), context);
    case "AnnounceBlock": {
      const { height, hash, totalDifficulty } = message;
      const head = { height, hash, totalDifficulty };
      state.registry.tell({ type: "HeadClaimed", peerId: state.peerId, head });
      route(state, incoming(state, message, received, context));
      return undefined;
    }
    case "NewBlock":
    case "NewTransaction":
    case "AnnounceTransactions":
      route(state, incoming(state, message, received, context));
      return undefined;
  }
}

/** Handshaking → Ready, or → closing with the reason that the peer is told. */
function shake(
  state: PeerHandlerState,
  remote: Extract<Message, { kind: "Handshake" }>,
  context: PeerHandlerContext,
): Violation | undefined {
  const { env } = context;
  const local = { ...state.local.info, peerId: env.peerId };
  const agreed = negotiate(local, remote, state.peerId);
  if (!agreed.ok) {
    close(state, context, { reason: agreed.reason, detail: agreed.detail });
    return undefined;
  }
  state.phase = "ready";
  state.decoder.allow(agreed.kinds);
  context.cancelTimer("handshake");
  context.startTimer("ping", state.keepAlive.begin(state.nowMs), { type: "PingDue" });
  for (const { kind, itemsPerSecond, burstItems } of remote.quotas) {
    state.askLimits.set(kind, new RateLimit({ itemsPerSecond, burstItems }));
  }
  state.tellsTime = agreed.capabilities.has(TIME_CAPABILITY);
  // The windows are tuned by the round trip, so it is measured at once.
  ping(state, undefined, context);
  const { connectionId } = state;
  const capabilities = [...agreed.capabilities];
  state.registry.tell({ type: "HandlerReady", connectionId, info: remote, capabilities });
  return undefined;
}

function pong(state: PeerHandlerState, nonce: bigint): void {
  const ping = state.pings.get(nonce);
  // A pong without its ping tells nothing; its bytes already counted as life.
  if (ping === undefined) return;
  state.pings.delete(nonce);
  const elapsedMs = state.nowMs - ping.sentMs;
  state.performance.pong(elapsedMs);
  if (state.performance.pingMs !== undefined) {
    state.receiveLanes.setRoundTrip(state.performance.pingMs);
  }
  ping.replyTo?.tell({ elapsedMs });
  measured(state);
}

/** A claim like any other: it is compared with those of other peers, and sets nothing. */
function setClock(state: PeerHandlerState, nonce: bigint): void {
  const first = state.performance.clockEpochMs === undefined;
  state.performance.clockEpochMs = timeOfNonce(nonce) - state.nowMs;
  if (first) state.measuredMs = Number.NEGATIVE_INFINITY;
  measured(state);
}

function measured(state: PeerHandlerState): void {
  if (state.nowMs - state.measuredMs < MEASURE_INTERVAL_MS) return;
  state.measuredMs = state.nowMs;
  const { connectionId, performance } = state;
  state.registry.tell({
    type: "HandlerMeasured",
    connectionId,
    performance: performance.snapshot(),
  });
}

function answer(
  state: PeerHandlerState,
  message: Message,
  received: ReceivedMessage,
  context: PeerHandlerContext,
): Violation | undefined {
  // What was asked for is bounded by the request table: its credit need not wait.
  consume(state, received.lane, received.creditBytes);
  const settled = state.requests.settle(received.requestId, message.kind, state.nowMs);
  if (settled.type === "late") return undefined;
  if (settled.type === "unsolicited") return violation("request-id", "an unsolicited response");
  if (settled.type === "wrongKind") {
    const { tag, replyTo, kind } = settled.request;
    const { peerId } = state;
    replyTo.tell({ type: "RequestOutcome", tag, peerId, ok: false, reason: "Closed" });
    return violation("request-id", `${kind} answered by ${message.kind}`);
  }
  const { tag, replyTo, sentMs } = settled.request;
  const { peerId, performance } = state;
  const elapsedMs = state.nowMs - sentMs;
  if (message.kind === "RequestRefused") {
    performance.failures++;
    replyTo.tell({ type: "RequestOutcome", tag, peerId, ok: false, reason: message.reason });
  } else {
    performance.response(elapsedMs);
    if (elapsedMs < QUICK_RESPONSE_MS) reward(state);
    replyTo.tell({ type: "RequestOutcome", tag, peerId, ok: true, message, elapsedMs });
  }
  measured(state);
  sendWaiting(state, context);
  return undefined;
}

/** Once in a while: gains are capped, and at thousands of answers a second each would cost more. */
function reward(state: PeerHandlerState): void {
  if (state.nowMs - state.rewardedMs < REWARD_INTERVAL_MS) return;
  state.rewardedMs = state.nowMs;
  blame(state, "QuickResponse", "");
}

/** Admits a request: within its rate, and not before the replies ahead of it are on their way. */
function serve(
  state: PeerHandlerState,
  request: Incoming,
  { env }: PeerHandlerContext,
): Violation | undefined {
  state.serveLimits ??= new Map(
    [...serveRates(env.config)].map(([kind, rate]) => [kind, new RateLimit(rate)]),
  );
  const limit = state.serveLimits.get(request.message.kind);
  if (limit !== undefined && !limit.take(itemsOf(request.message), state.nowMs)) {
    consume(state, request.lane, request.bytes);
    send(state, { kind: "RequestRefused", reason: "RateLimited" }, request.requestId);
    return undefined;
  }
  const { requestId } = request;
  const isOpen = (other: Incoming): boolean => other.requestId === requestId;
  if (state.servesOpen.has(requestId) || state.servesWaiting.some(isOpen)) {
    return violation("request-id", `request ${requestId} is not answered yet`);
  }
  if (state.servesOpen.size + state.servesWaiting.length >= SERVES_MAX) {
    return violation("flood", `more than ${SERVES_MAX} requests are unanswered`);
  }
  state.servesWaiting.push(request);
  return undefined;
}

/** Hands waiting requests on as far as the queue of replies allows. */
export function serveWaiting(state: PeerHandlerState, context: PeerHandlerContext): void {
  const { serve: limits, lanes } = context.env.config;
  while (
    state.servesWaiting.length > 0 &&
    state.servesOpen.size < limits.repliesQueuedMax &&
    state.held.length === 0
  ) {
    const request = state.servesWaiting[0]!;
    // A reply holds one block however large: those before it say what to expect, four at first.
    const { kind } = request.message;
    const withBlocks = kind === "RequestBlock" || kind === "RequestBlockRange";
    const bytes = withBlocks ? state.blockReplyBytes : limits.bytesSoftMax;
    // Half of the send queue is for replies: a peer that only reads slowly is not dropped for them.
    const wouldBe = queuedBytes(state) + state.servesOpenBytes + bytes;
    const alone = state.servesOpen.size === 0 && queuedBytes(state) === 0;
    if (2 * wouldBe > lanes.sendQueueBytesMax && !alone) return;
    state.servesWaiting.shift();
    state.servesOpen.set(request.requestId, bytes);
    state.servesOpenBytes += bytes;
    route(state, request);
  }
}

/** An actor's answer to a request of the peer. */
export function reply(
  state: PeerHandlerState,
  { message, requestId }: Extract<PeerHandlerMessage, { type: "Reply" }>,
): void {
  if (state.phase === "closing") return;
  state.servesOpenBytes -= state.servesOpen.get(requestId) ?? 0;
  state.servesOpen.delete(requestId);
  const { kind } = message;
  const payload = encodeMessage(message);
  if (kind === "ResponseBlock" || kind === "ResponseBlockRange") {
    state.blockReplyBytes = Math.max(payload.length, Math.ceil(state.blockReplyBytes / 2));
  }
  sendEncoded(state, kind, payload, requestId);
}

function itemsOf(message: Message): number {
  switch (message.kind) {
    case "RequestBlockRange":
      return message.count;
    case "RequestHeaders":
      return message.countMax;
    case "RequestTransactions":
      return message.ids.length;
    default:
      return 1;
  }
}

function incoming(
  state: PeerHandlerState,
  message: Message,
  received: ReceivedMessage,
  context: PeerHandlerContext,
): Incoming {
  const { lane, creditBytes: bytes, requestId } = received;
  return {
    type: "Incoming",
    peerId: state.peerId,
    from: context.self,
    message,
    lane,
    bytes,
    requestId,
  };
}

function route(state: PeerHandlerState, message: Incoming): void {
  if (state.held.length > 0 || !state.router.tell(message)) state.held.push(message);
}

/** The router can take more. */
export function routeHeld(state: PeerHandlerState): void {
  let sent = 0;
  while (sent < state.held.length && state.router.tell(state.held[sent]!)) sent++;
  state.held.splice(0, sent);
  if (state.held.length > 0) return;
  // We did not read meanwhile, so silence was not the peer's.
  state.keepAlive.heard(state.nowMs);
  // Reads on, and hands waiting requests on at the end of that turn.
  state.inbox.wake();
}

/** Sends the collected large messages to the pool, as one job at a time. */
export function decodeCollected(state: PeerHandlerState, context: PeerHandlerContext): void {
  if (state.decodeNext.length === 0 || state.decodeRunning.length > 0) return;
  if (state.decodeResting) return;
  state.decodeRunning = state.decodeNext.splice(0);
  const kinds = Uint8Array.from(state.decodeRunning, ({ kind }) => KINDS[kind].code);
  const payloads = packBytes(state.decodeRunning.map(({ payload }) => payload));
  context.pipe(context.env.workers.decodeFrames({ kinds, payloads }), (outcome) => {
    if (outcome.ok) return { type: "Decoded", verdict: outcome.value };
    if (isCoded(outcome.error)) return { type: "Decoded", verdict: undefined };
    throw outcome.error;
  });
}

export function decoded(
  state: PeerHandlerState,
  verdict: DecodeFramesVerdict | undefined,
  context: PeerHandlerContext,
): void {
  const running = state.decodeRunning;
  state.decodeRunning = [];
  if (state.phase === "closing") return;
  if (verdict === undefined) {
    // The pool is full or lost the job: the credit stays out meanwhile, so the lane slows down.
    state.decodeNext.unshift(...running);
    state.decodeResting = true;
    context.startTimer("decode", DECODE_RETRY_MS, { type: "DecodeDue" });
    return;
  }
  for (const [index, received] of running.entries()) {
    const frame = verdict.frames[index]!;
    const payload = packedItem(verdict.payloads, index);
    const broken = frame.ok
      ? dispatch(state, messageFromItems(received.kind, payload, frame.items), received, context)
      : violation("payload", frame.detail);
    if (broken !== undefined) {
      violate(state, context, `${broken.rule}: ${broken.detail}`);
      return;
    }
  }
}
