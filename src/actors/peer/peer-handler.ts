// PeerHandler: one connection, from the handshake to its end. The protocol is its session's; this
// actor carries bytes between session and socket, and tells its neighbours what the session says.
// Told by: registry, broadcaster, handlers, sync, its connection. Tells: registry, router,
// reputation, requesters. A fault ends this connection and nothing else.

import { ownQueueBytes } from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { BufferPool } from "../../bytes/buffer-pool.js";
import { defineActor, replyToOf } from "../../runtime/actor.js";
import type { Clock, Random } from "../../ports.js";
import type { SharedBytes } from "../../protocol/codec/window-options.js";
import { WRITE_BYTES } from "../../protocol/session/outbox.js";
import type { GroupShare } from "../../protocol/session/group-limits.js";
import { PeerSession } from "../../protocol/session/peer-session.js";
import { nonceOfTime } from "../../protocol/session/ping-time.js";
import type { NodeEnv } from "../env.js";
import { FRAME_COST_BYTES } from "../message-cost.js";
import { Inbox } from "./inbox.js";
import { decodeCollected, decoded } from "./peer-decoding.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";
import type {
  Asker,
  PeerHandlerArgs,
  PeerHandlerContext,
  PeerHandlerState,
} from "./peer-handler-state.js";
import { PeerLeases } from "./peer-leases.js";
import { PeerPace } from "./peer-pace.js";
import { PeerPerformance } from "./peer-performance.js";
import { dealt, heed, measureNow, routeHeld } from "./peer-news.js";

/** Taken from the inbox in one turn; then other actors have theirs. */
const TURN_BYTES = 256 * 1024;
/** All connections' of this thread, 1 MiB at rest: what is in a buffer is seen by its writer alone. */
const writeBuffers = new BufferPool({ bufferBytes: WRITE_BYTES, freeMax: 8 });

const allocate = (bytes: number): Uint8Array => writeBuffers.take(bytes);

/** A window need not grow to what this node does not read. */
class PacedGrowth implements SharedBytes {
  readonly #growth: SharedBytes;
  readonly #pace: PeerPace;

  constructor(growth: SharedBytes, pace: PeerPace) {
    this.#growth = growth;
    this.#pace = pace;
  }

  take(bytes: number): boolean {
    return !this.#pace.isReadingHeld && this.#growth.take(bytes);
  }

  give(bytes: number): void {
    this.#growth.give(bytes);
  }
}

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
    // Nobody is owed the credit of a message when the connection is over, but its bytes are free.
    dispose: (message) => void (message.type === "Dealt" && message.free()),
  },
  onFault: { kind: "stop" },

  init(context, args) {
    const { connection, refusal } = args;
    const nowMs = context.env.clock.monotonicMs();
    const leases = context.owns(
      new PeerLeases(context.env.memory, ownQueueBytes(context.env.config)),
    );
    const pace = context.owns(
      new PeerPace(context.env, {
        name: context.self.path,
        connection,
        onSend: () => context.self.tell({ type: "Turn" }),
        onRead: () => inbox.letGo(),
      }),
    );
    const inbox = new Inbox(
      connection,
      () => context.self.tell({ type: "Readable" }),
      (bytes) => pace.came(bytes),
    );
    const state: PeerHandlerState = {
      peerId: connection.peerId,
      session: openSession(args, leases, pace, context),
      nowMs,
      inbox,
      leases,
      pace,
      isBlocked: false,
      timerMs: Number.POSITIVE_INFINITY,
      held: [],
      decodeNext: [],
      decodeRunning: [],
      decodeResting: false,
      performance: new PeerPerformance(),
      measuredMs: Number.NEGATIVE_INFINITY,
      pingedMs: nowMs,
      chargedMs: Number.NEGATIVE_INFINITY,
      rewardedMs: Number.NEGATIVE_INFINITY,
      // Last: V8 needs 20 KB and 60 µs for a literal of this size that begins with a spread.
      ...args,
    };
    connection.open({
      onData: (chunk) => inbox.push(chunk),
      onDrain: () => context.self.tell({ type: "Drained" }),
      onClose: (error, breach) => {
        const why = { ...(error && { error }), ...(breach && { breach }) };
        context.self.tell({ type: "ConnectionEnded", ...why });
      },
    });
    if (refusal !== undefined) state.session.close(refusal.reason, refusal.detail, nowMs);
    carry(state, context);
    return state;
  },

  receive(state, message, context) {
    const { nowMs } = context;
    state.nowMs = nowMs;
    const { session } = state;
    switch (message.type) {
      case "Readable":
        readInbox(state, context);
        return;
      case "Send":
        session.send(message.message, nowMs);
        return;
      case "SendEncoded":
        sendEncoded(state, message);
        return;
      case "Request": {
        const { replyTo } = message;
        session.request(message.message, { type: "request", replyTo }, nowMs);
        break;
      }
      case "Dealt":
        dealt(state, message);
        break;
      case "Ping":
        session.ping({ type: "ping", replyTo: message.replyTo }, nowMs);
        break;
      case "Close":
        session.close(message.reason, message.detail, nowMs, message.rule);
        break;
      case "Destroy":
        end(state, context);
        return;
      case "Drained":
        state.isBlocked = false;
        session.carrierDrained(nowMs);
        return;
      case "ConnectionEnded": {
        const detail = message.error?.message ?? "the connection ended";
        session.carrierEnded(detail, message.breach, nowMs);
        tellAll(state, context);
        context.stop();
        return;
      }
      case "Turn":
        return;
      case "TimerDue":
        state.timerMs = Number.POSITIVE_INFINITY;
        state.pace.excuse(session, nowMs);
        session.timeout(nowMs, unreadBytes(state));
        measureNow(state);
        break;
      case "DecodeDue":
        state.decodeResting = false;
        return;
      case "Decoded":
        decoded(state, message.verdict, context);
        break;
      default:
        unreachable(message);
    }
    tellAll(state, context);
  },

  afterBatch(state, context) {
    decodeCollected(state, context);
    carry(state, context);
    state.leases.settle(state);
  },

  signal(state, signal, context) {
    if (signal.type === "writable" && signal.path === state.router.path) {
      state.nowMs = context.env.clock.monotonicMs();
      routeHeld(state);
    }
    if (signal.type === "stopping") {
      settleAll(state, context);
      state.connection.destroy();
    }
  },

  invariants({ session, leases: { handedBytes }, decodeNext, decodeRunning }) {
    session.invariants();
    const decoding = [...decodeNext, ...decodeRunning];
    const undecoded = decoding.reduce((sum, { creditBytes }) => sum + creditBytes, 0);
    const held = session.handedOnBytes;
    const accounted = session.phase === "closing" || held === handedBytes + undecoded;
    invariant(accounted, `${held} bytes of credit are out, ${handedBytes} in hand`);
  },

  atRest({ session, held, leases: { handedBytes }, decodeNext, decodeRunning }) {
    session.atRest();
    invariant(handedBytes === 0, `${handedBytes} bytes of credit are out`);
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
]);

function openSession(
  args: PeerHandlerArgs,
  leases: PeerLeases,
  pace: PeerPace,
  context: PeerHandlerContext,
): PeerSession<Asker> {
  const { connection, traffic, local, refusal } = args;
  const { env } = context;
  const options = {
    settings: env.config,
    info: local.info,
    infoPayload: local.payload,
    protocols: env.protocols,
    isMute: refusal !== undefined,
    localId: env.peerId,
    remoteId: connection.peerId,
    openedAtMs: connection.openedAtMs,
    windowGrowth: new PacedGrowth(leases.windowGrowth, pace),
    mayQueue: (bytes: number) => leases.mayQueue(bytes),
    traffic,
    group: groupOf(args, context),
    nonce: (tellsTime: boolean) => nonceOf(tellsTime, env.clock, env.random),
    allocate,
    decodesElsewhere: true,
  };
  return new PeerSession<Asker>(options, env.clock.monotonicMs());
}

/** Trusted peers are exempt, as they are from the limits on slots; whoever is refused says nothing. */
function groupOf(
  { connection: { peerId, remote }, isTrusted = false, refusal }: PeerHandlerArgs,
  context: PeerHandlerContext,
): GroupShare | undefined {
  const { groups } = context.env;
  if (isTrusted || refusal !== undefined) return undefined;
  const group = groups?.of(remote.host, peerId);
  if (group !== undefined) context.owns({ release: () => groups?.left(peerId) });
  return group;
}

/** Whoever pushed it may announce it where there is no room for it. */
function sendEncoded(
  { nowMs, peerId, session }: PeerHandlerState,
  { kind, payload, about, refused }: Extract<PeerHandlerMessage, { type: "SendEncoded" }>,
): void {
  if (session.sendEncoded(kind, payload, nowMs, about) || refused === undefined) return;
  const { hash, to, what } = refused;
  to.tell({ type: "PushRefused", what, peerId, hash });
}

function nonceOf(tellsTime: boolean, clock: Clock, random: Random): bigint {
  if (tellsTime) return nonceOfTime(clock.wallMs(), random.uint32());
  return (BigInt(random.uint32()) << 32n) | BigInt(random.uint32());
}

function readInbox(state: PeerHandlerState, context: PeerHandlerContext): void {
  const { inbox, pace, session } = state;
  inbox.rest();
  pace.excuse(session, state.nowMs);
  let budget = TURN_BYTES;
  while (budget > 0 && mayRead(state)) {
    const chunk = inbox.shift();
    if (chunk === undefined) return;
    const framesBefore = session.framesIn;
    pace.read(chunk.length, state.nowMs);
    session.receive(chunk, state.nowMs);
    budget -= chunk.length + FRAME_COST_BYTES * (session.framesIn - framesBefore);
    tellAll(state, context);
  }
  if (mayRead(state) && !inbox.empty) inbox.wake();
}

/** Nothing more is taken from the socket while the router is full. */
function mayRead({ session, held }: PeerHandlerState): boolean {
  return session.phase !== "closing" && held.length === 0;
}

/** Of the peer's stream, that the session was not given yet. */
function unreadBytes({ inbox, held }: PeerHandlerState): number {
  // While the router is full nothing is read, come what may.
  return held.length > 0 ? inbox.bytes + 1 : inbox.bytes;
}

/** Tells the neighbours all that the session says. */
function tellAll(state: PeerHandlerState, context: PeerHandlerContext): void {
  const { session } = state;
  for (let event = session.poll(); event !== undefined; event = session.poll()) {
    heed(state, event, context);
    if (event.type === "closing") goodbye(state, context);
    else if (event.type === "over") end(state, context);
  }
}

/** Nobody waits for an answer that cannot come; the registry knows that this actor stops. */
function settleAll(state: PeerHandlerState, context: PeerHandlerContext): void {
  const { session } = state;
  session.carrierEnded("its handler stops", undefined, state.nowMs);
  for (let event = session.poll(); event !== undefined; event = session.poll()) {
    if (event.type === "settled" || event.type === "pinged") heed(state, event, context);
  }
}

/** Writes what the socket takes, and sets the timer. */
function carry(state: PeerHandlerState, context: PeerHandlerContext): void {
  flush(state);
  tellAll(state, context);
  const dueMs = state.session.nextTimeoutMs;
  if (dueMs >= state.timerMs) return;
  state.timerMs = dueMs;
  context.startTimer("session", dueMs - state.nowMs, { type: "TimerDue" });
}

function flush(state: PeerHandlerState): void {
  const { connection, pace, session } = state;
  while (!state.isBlocked) {
    const chunk = pace.transmit(session, state.nowMs);
    if (chunk === undefined) return;
    const onTaken = (): void => writeBuffers.give(chunk);
    if (connection.write(chunk, onTaken)) continue;
    state.isBlocked = true;
    session.carrierBlocked(state.nowMs);
  }
}

/** The last bytes, which a full socket takes too, and then no more. */
function goodbye(state: PeerHandlerState, context: PeerHandlerContext): void {
  state.inbox.clear();
  state.decodeNext.length = 0;
  state.held.length = 0;
  context.cancelTimer("decode");
  state.isBlocked = false;
  flush(state);
  state.connection.close();
}

function end({ connection }: PeerHandlerState, context: PeerHandlerContext): void {
  connection.destroy();
  context.stop();
}
