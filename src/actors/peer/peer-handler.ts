// PeerHandler: one connection, from the handshake to its end. Owns the frame decoder, the lanes,
// the request table and the performance figures of one peer.
// Told by: registry, broadcaster, handlers, sync, its connection. Tells: registry, router,
// reputation, requesters. A fault ends this connection and nothing else.

import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf } from "../../runtime/actor.js";
import { FrameDecoder } from "../../protocol/codec/frame.js";
import { ReceiveLanes } from "../../protocol/codec/receive-lanes.js";
import { SendLanes } from "../../protocol/codec/send-lanes.js";
import type { NodeEnv } from "../env.js";
import { FairTimer, FairWait } from "../../protocol/fair-wait.js";
import { Inbox } from "./inbox.js";
import { KeepAlive } from "./keep-alive.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";
import {
  close,
  consume,
  flush,
  queuedBytes,
  send,
  sendEncoded,
  settleAll,
  violate,
  type PeerHandlerArgs,
  type PeerHandlerContext,
  type PeerHandlerState,
} from "./peer-handler-state.js";
import {
  decodeCollected,
  decoded,
  readInbox,
  reply,
  routeHeld,
  serveWaiting,
} from "./peer-inbound.js";
import { keepAlive, ping, request, sweep } from "./peer-outbound.js";
import { PeerPerformance } from "./peer-performance.js";
import { RateLimit } from "./rate-limit.js";
import { RequestTable } from "./request-table.js";

export const peerHandler = defineActor<
  PeerHandlerArgs,
  PeerHandlerMessage,
  PeerHandlerState,
  NodeEnv
>({
  name: "peer",
  mailbox: {
    dataMax: 4_096,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: (message) => !DATA.has(message.type),
  },
  onFault: { kind: "stop" },

  init(context, args) {
    const { connection, refusal } = args;
    const { clock, config } = context.env;
    const nowMs = clock.monotonicMs();
    const inbox = new Inbox(connection, () => context.self.tell({ type: "Readable" }));
    const window = {
      windowBytesInitial: config.lanes.windowInitialBytes,
      windowBytesMax: config.lanes.windowMaxBytes,
    };
    const state: PeerHandlerState = {
      peerId: connection.peerId,
      phase: "handshaking",
      nowMs,
      inbox,
      decoder: new FrameDecoder(["Handshake", "Disconnect"]),
      receiveLanes: new ReceiveLanes({ ...window, growth: args.windowGrowth }),
      sendLanes: new SendLanes(window),
      blockedSinceMs: undefined,
      handshakeWait: new FairWait(config.handshake.timeoutMs, connection.openedAtMs),
      keepAlive: new KeepAlive(config.liveness, nowMs),
      silenceBlamedMs: 0,
      pings: new Map(),
      tellsTime: false,
      pingLimit: new RateLimit({
        itemsPerSecond: config.liveness.pingsPerSecondMax,
        burstItems: config.liveness.pingsPerSecondMax,
      }),
      requests: new RequestTable(config.requests),
      requestsWaiting: [],
      sweeping: false,
      sweepTimer: new FairTimer(),
      closeWait: undefined,
      askLimits: new Map(),
      serveLimits: undefined,
      servesOpen: new Map(),
      servesOpenBytes: 0,
      blockReplyBytes: config.lanes.sendQueueBytesMax / 8,
      servesWaiting: [],
      held: [],
      decodeNext: [],
      decodeRunning: [],
      decodeResting: false,
      performance: new PeerPerformance(),
      measuredMs: Number.NEGATIVE_INFINITY,
      rewardedMs: Number.NEGATIVE_INFINITY,
      // Last: V8 needs 20 KB and 60 µs for a literal of this size that begins with a spread.
      ...args,
    };
    connection.open({
      onData: (chunk) => inbox.push(chunk),
      onDrain: () => context.self.tell({ type: "Drained" }),
      onClose: (error, broken) => {
        const why = { ...(error && { error }), ...(broken && { broken }) };
        context.self.tell({ type: "ConnectionEnded", ...why });
      },
    });
    if (refusal !== undefined) {
      close(state, context, refusal);
      return state;
    }
    sendEncoded(state, "Handshake", args.local.payload);
    flush(state);
    const dueMs = state.handshakeWait.begin(nowMs);
    context.startTimer("handshake", dueMs, { type: "HandshakeDue" });
    return state;
  },

  receive(state, message, context) {
    state.nowMs = context.env.clock.monotonicMs();
    switch (message.type) {
      case "Readable":
        readInbox(state, context);
        return;
      case "Send":
        send(state, message.message);
        return;
      case "SendEncoded":
        sendEncoded(state, message.kind, message.payload);
        return;
      case "Request":
        request(state, message, context);
        return;
      case "Reply":
        reply(state, message);
        return;
      case "Consumed":
        consume(state, message.lane, message.bytes);
        return;
      case "Ping":
        ping(state, message.replyTo, context);
        return;
      case "Close":
        close(state, context, message);
        return;
      case "Destroy":
        state.connection.destroy();
        context.stop();
        return;
      case "Propagated":
        state.performance.propagated(message.elapsedMs);
        return;
      case "Note":
        if (message.fact === "invalid") state.performance.invalid++;
        else state.performance.duplicates++;
        return;
      case "Drained":
        state.blockedSinceMs = undefined;
        state.keepAlive.took(state.nowMs);
        return;
      case "ConnectionEnded":
        ended(state, message, context);
        return;
      case "HandshakeDue": {
        const againMs = state.handshakeWait.look(state.nowMs);
        if (againMs === undefined) {
          close(state, context, { reason: "Timeout", detail: "no handshake in time" });
        } else context.startTimer("handshake", againMs, { type: "HandshakeDue" });
        return;
      }
      case "PingDue":
        keepAlive(state, context);
        return;
      case "SweepDue":
        sweep(state, context);
        return;
      case "DecodeDue":
        state.decodeResting = false;
        return;
      case "CloseDue": {
        const againMs = state.closeWait?.look(state.nowMs);
        if (againMs !== undefined) {
          context.startTimer("close", againMs, { type: "CloseDue" });
          return;
        }
        state.connection.destroy();
        context.stop();
        return;
      }
      case "Decoded":
        decoded(state, message.verdict, context);
        return;
      default:
        unreachable(message);
    }
  },

  afterBatch(state, context) {
    if (state.phase === "closing") return;
    decodeCollected(state, context);
    flush(state);
    // After the flush: replies that left make room for the next requests.
    serveWaiting(state, context);
    if (queuedBytes(state) > context.env.config.lanes.sendQueueBytesMax) {
      close(state, context, { reason: "Timeout", detail: "the peer does not read" });
    }
  },

  signal(state, signal, context) {
    if (signal.type === "writable" && signal.path === state.router.path) {
      state.nowMs = context.env.clock.monotonicMs();
      routeHeld(state);
    }
    if (signal.type === "stopping") {
      settleAll(state);
      state.receiveLanes.release();
      state.connection.destroy();
    }
  },

  invariants(state, { env }) {
    const { lanes, serve } = env.config;
    state.decoder.invariants();
    state.receiveLanes.invariants();
    state.sendLanes.invariants();
    state.requests.invariants();
    const { servesOpen, servesOpenBytes } = state;
    invariant(servesOpen.size <= serve.repliesQueuedMax, `${servesOpen.size} open replies`);
    const expected = [...servesOpen.values()].reduce((sum, bytes) => sum + bytes, 0);
    invariant(expected === servesOpenBytes, "bytes of open replies are miscounted");
    const queued = queuedBytes(state);
    invariant(queued <= lanes.sendQueueBytesMax || state.phase === "closing", `${queued} B queued`);
  },

  atRest(state) {
    state.requests.atRest();
    const { requestsWaiting, servesOpen, servesWaiting, held, decodeNext, decodeRunning } = state;
    invariant(requestsWaiting.length === 0, `${requestsWaiting.length} requests wait to be sent`);
    const serves = servesOpen.size + servesWaiting.length;
    invariant(serves === 0, `${serves} requests of the peer wait`);
    invariant(held.length === 0, `${held.length} messages are held for the router`);
    const decoding = decodeNext.length + decodeRunning.length;
    invariant(decoding === 0, `${decoding} messages are decoded`);
  },
});

/** What others can cause in any number; the rest is bounded by the handler itself. */
const DATA: ReadonlySet<PeerHandlerMessage["type"]> = new Set([
  "Send",
  "SendEncoded",
  "Request",
  "Ping",
  "Propagated",
  "Note",
]);

function ended(
  state: PeerHandlerState,
  { error, broken }: Extract<PeerHandlerMessage, { type: "ConnectionEnded" }>,
  context: PeerHandlerContext,
): void {
  if (broken !== undefined) violate(state, context, `${broken.rule}: ${broken.detail}`);
  const detail = error === undefined ? "the connection ended" : error.message;
  close(state, context, { reason: "Closed", detail });
  context.stop();
}
