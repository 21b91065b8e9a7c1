// What a PeerHandler makes of its session's events: who hears of what, who is blamed or praised,
// and what is measured.

import { unreachable } from "../../errors.js";
import type { MessageEvent, Outcome, SessionEvent } from "../../protocol/session/session-types.js";
import type { Message } from "../../protocol/types/message.js";
import { Dealt } from "./dealt.js";
import type { Incoming } from "./peer-handler-messages.js";
import type { Asker, PeerHandlerContext, PeerHandlerState } from "./peer-handler-state.js";
import type { ReputationEvent } from "./reputation-events.js";

/** A smoothed answer under this is quick. */
const QUICK_RESPONSE_MS = 250;
const MEASURE_INTERVAL_MS = 1_000;
/** Who always sends something is never pinged for a sign of life: so often for its round trip. */
const PING_AGAIN_MS = 60_000;
/** An answer that takes so many times as long as this peer's usually do, and a second, is slow. */
const SLOW_FACTOR = 4;
const SLOW_RESPONSE_MS = 1_000;
/**
 * Slowness is charged so often at most: within a half-life it adds up to 60 points and their remains
 * to 87, which is probation and never a ban.
 */
const SLOW_INTERVAL_MS = 10_000;
/** Half a minute of quick answers reaches the cap of a minute's gains. */
const REWARD_INTERVAL_MS = 300;

export function heed(
  state: PeerHandlerState,
  event: SessionEvent<Asker>,
  context: PeerHandlerContext,
): void {
  const { connectionId, registry } = state;
  switch (event.type) {
    case "message":
      arrived(state, event, context);
      return;
    case "settled":
      settled(state, event.asker, event.outcome);
      return;
    case "large":
      state.decodeNext.push(event.received);
      return;
    case "ready": {
      const { info } = event;
      const capabilities = [...event.capabilities];
      registry.tell({ type: "HandlerReady", connectionId, info, capabilities });
      return;
    }
    case "pinged": {
      const { asker, elapsedMs } = event;
      if (asker?.type === "ping") asker.replyTo.tell({ elapsedMs });
      if (elapsedMs === undefined) return;
      state.pingedMs = state.nowMs;
      state.performance.pinged(elapsedMs, state.session.roundTripMs);
      measured(state);
      return;
    }
    case "time": {
      const first = state.performance.clockEpochMs === undefined;
      state.performance.clockEpochMs = event.wallMs - state.nowMs;
      if (first) state.measuredMs = Number.NEGATIVE_INFINITY;
      measured(state);
      return;
    }
    case "silence":
      report(state, "Timeout", `${event.kind} was not answered`);
      return;
    case "closing": {
      const { by, ...why } = event.end;
      const { rule, detail } = why;
      // What the owner says that it broke was told to reputation already.
      if (by === "session" && rule !== undefined) {
        report(state, "ProtocolViolation", detail, rule);
      }
      const gone = { ...why, byPeer: by === "peer" };
      registry.tell({ type: "HandlerClosing", connectionId, gone });
      return;
    }
    case "over":
      return;
    default:
      unreachable(event);
  }
}

function arrived(state: PeerHandlerState, event: MessageEvent, context: PeerHandlerContext): void {
  const { peerId } = state;
  const { message, lane, bytes, requestId } = event;
  if (message.kind === "AnnounceBlock") {
    const { height, hash, totalDifficulty } = message;
    const head = { height, hash, totalDifficulty };
    state.registry.tell({ type: "HeadClaimed", peerId, head });
  }
  const replyTo = new Dealt(event, state.leases, state.nowMs);
  context.expect(replyTo);
  const from = context.self;
  route(state, { type: "Incoming", peerId, from, message, lane, bytes, requestId, replyTo });
}

/** What a message held comes back, whatever became of it; a request that was lost met a busy node. */
export function dealt(state: PeerHandlerState, message: Dealt): void {
  const { lane, bytes, requestId } = message;
  const { performance, session, nowMs } = state;
  message.free(nowMs);
  performance.dealt(message, nowMs);
  session.consumed(lane, bytes, nowMs);
  if (requestId === 0) return;
  session.reply(requestId, message.answer ?? BUSY, nowMs, message.isHistory);
}

const BUSY: Message = { kind: "RequestRefused", reason: "Busy" };

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
  state.session.readsAgain(state.nowMs);
  state.inbox.wake();
}

function settled(state: PeerHandlerState, asker: Asker, outcome: Outcome): void {
  if (asker.type !== "request") return;
  const { performance } = state;
  asker.replyTo.tell(outcome);
  if (outcome.ok) {
    charge(state, outcome.elapsedMs);
    performance.answered(outcome.elapsedMs);
    if (outcome.elapsedMs < QUICK_RESPONSE_MS) reward(state);
    measured(state);
  } else if (outcome.reason !== "Closed") {
    if (outcome.reason === "Timeout") performance.timeouts++;
    else performance.failures++;
    measured(state);
  }
}

/** Before the answer counts among the usual ones. */
function charge(state: PeerHandlerState, elapsedMs: number): void {
  const { nowMs, performance } = state;
  const usualMs = performance.responseMs ?? performance.pingMs;
  if (usualMs === undefined || nowMs - state.chargedMs < SLOW_INTERVAL_MS) return;
  if (elapsedMs < Math.max(SLOW_RESPONSE_MS, SLOW_FACTOR * usualMs)) return;
  state.chargedMs = nowMs;
  const usual = `${Math.round(usualMs)} ms is usual`;
  report(state, "SlowResponse", `an answer took ${Math.round(elapsedMs)} ms, ${usual}`);
}

/** Once in a while: gains are capped, and at thousands of answers a second each would cost more. */
function reward(state: PeerHandlerState): void {
  if (state.nowMs - state.rewardedMs < REWARD_INTERVAL_MS) return;
  state.rewardedMs = state.nowMs;
  report(state, "QuickResponse", "");
}

function report(
  { peerId, reputation }: PeerHandlerState,
  event: ReputationEvent,
  detail: string,
  rule?: string,
): void {
  const broken = rule === undefined ? {} : { rule };
  reputation.tell({ type: "Report", peerId, event, ...broken, detail });
}

/** Its timer has fired: of a peer that neither rests nor is asked for anything nobody else tells. */
export function measureNow(state: PeerHandlerState): void {
  const { nowMs, session } = state;
  if (session.phase !== "ready") return;
  if (nowMs - state.pingedMs >= PING_AGAIN_MS) {
    state.pingedMs = nowMs;
    session.ping(undefined, nowMs);
  }
  measured(state);
}

function measured(state: PeerHandlerState): void {
  if (state.nowMs - state.measuredMs < MEASURE_INTERVAL_MS) return;
  state.measuredMs = state.nowMs;
  const { connectionId, performance, session } = state;
  state.registry.tell({
    type: "HandlerMeasured",
    connectionId,
    performance: performance.snapshot(session.figures),
  });
}
