// The outbound half of a PeerHandler: requests within the peer's quota and our own limit, pings,
// deadlines.

import { KINDS, laneIndex, type Lane } from "../../protocol/types/message.js";
import type { ActorRef } from "../../runtime/actor.js";
import { nonceOfTime } from "./clock-offset.js";
import type { PingOutcome } from "./peer-table.js";
import {
  blame,
  close,
  send,
  type PeerHandlerContext,
  type PeerHandlerState,
  type RequestCommand,
} from "./peer-handler-state.js";

/** Deadlines are checked this often: fine enough for timeouts of seconds. */
const SWEEP_INTERVAL_MS = 250;
const REQUESTS_WAITING_MAX = 256;
const PINGS_MAX = 1_024;

export function request(
  state: PeerHandlerState,
  command: RequestCommand,
  context: PeerHandlerContext,
): void {
  if (state.phase !== "ready" || state.requestsWaiting.length >= REQUESTS_WAITING_MAX) {
    refuse(state, command, state.phase === "ready" ? "Busy" : "Closed");
    return;
  }
  enqueue(state.requestsWaiting, command);
  sendWaiting(state, context);
  sweepLater(state, context);
}

/** One timer at a time: a new one for each request would never fire while requests keep coming. */
function sweepLater(state: PeerHandlerState, context: PeerHandlerContext): void {
  if (state.sweeping) return;
  state.sweeping = true;
  const delayMs = state.sweepTimer.next(state.nowMs, SWEEP_INTERVAL_MS);
  context.startTimer("sweep", delayMs, { type: "SweepDue" });
}

/** Behind those of its own lane and of more urgent ones: no block waits for transactions. */
function enqueue(waiting: RequestCommand[], command: RequestCommand): void {
  const lane = laneOf(command);
  let at = waiting.length;
  while (at > 0 && laneOf(waiting[at - 1]!) > lane) at--;
  waiting.splice(at, 0, command);
}

function laneOf({ message }: RequestCommand): number {
  return laneIndex(KINDS[message.kind].lane);
}

/** Sends waiting requests in order, as far as quota and limit allow. */
export function sendWaiting(state: PeerHandlerState, context: PeerHandlerContext): void {
  while (state.requestsWaiting.length > 0) {
    const command = state.requestsWaiting[0]!;
    if (!state.requests.hasRoom(command.message.kind)) return;
    const limit = state.askLimits.get(KINDS[command.message.kind].code);
    if (limit !== undefined && !limit.take(command.items, state.nowMs)) {
      if (limit.waitMs(command.items, state.nowMs) <= context.env.config.requests.timeoutMaxMs) {
        return;
      }
      // More than the peer ever serves at once, or later than an answer is waited for.
      refuse(state, command, "RateLimited");
    } else {
      const { message, tag, replyTo } = command;
      const arrived = state.decoder.answerBytes(KINDS[message.kind].lane);
      const id = state.requests.add(message, tag, replyTo, state.nowMs, arrived);
      send(state, message, id);
    }
    state.requestsWaiting.shift();
  }
}

function refuse(
  state: PeerHandlerState,
  { tag, replyTo }: RequestCommand,
  reason: "Busy" | "Closed" | "RateLimited",
): void {
  replyTo.tell({ type: "RequestOutcome", tag, peerId: state.peerId, ok: false, reason });
}

export function sweep(state: PeerHandlerState, context: PeerHandlerContext): void {
  state.sweeping = false;
  const look = state.sweepTimer.look(state.nowMs);
  if (look === "stalled") state.requests.renew(state.nowMs);
  // What we have not read yet may be the answer.
  const unread = look === "unread" || !state.inbox.empty;
  const answerBytes = (lane: Lane): number => state.decoder.answerBytes(lane);
  const due = unread ? [] : state.requests.expire(state.nowMs, answerBytes);
  for (const { tag, replyTo, kind, sentMs } of due) {
    state.performance.timeouts++;
    // A silence is one failure, however much was asked during it: a link that stalls one way for
    // some seconds must not ban a peer that has announced much meanwhile.
    if (sentMs >= state.silenceBlamedMs) {
      state.silenceBlamedMs = state.nowMs;
      blame(state, "Timeout", `${kind} was not answered`);
    }
    const { peerId } = state;
    replyTo.tell({ type: "RequestOutcome", tag, peerId, ok: false, reason: "Timeout" });
  }
  if (state.requests.abandoned) {
    close(state, context, { reason: "Timeout", detail: "no request is answered any more" });
    return;
  }
  sendWaiting(state, context);
  if (state.requests.size > 0 || state.requestsWaiting.length > 0) sweepLater(state, context);
}

export function ping(
  state: PeerHandlerState,
  replyTo: ActorRef<PingOutcome> | undefined,
  context: PeerHandlerContext,
): void {
  if (state.phase !== "ready" || state.pings.size >= PINGS_MAX) {
    replyTo?.tell({ elapsedMs: undefined });
    return;
  }
  const { clock, random } = context.env;
  const nonce = state.tellsTime
    ? nonceOfTime(clock.wallMs(), random.uint32())
    : (BigInt(random.uint32()) << 32n) | BigInt(random.uint32());
  state.pings.set(nonce, { sentMs: state.nowMs, replyTo });
  send(state, { kind: "Ping", nonce });
}

/** The regular ping, and the end of a peer that has been silent too long. */
export function keepAlive(state: PeerHandlerState, context: PeerHandlerContext): void {
  // While we do not read, the peer's silence proves nothing.
  const unread = state.inbox.paused || !state.inbox.empty || state.held.length > 0;
  if (unread) state.keepAlive.heard(state.nowMs);
  const { act, delayMs } = state.keepAlive.look(state.nowMs, state.blockedSinceMs !== undefined);
  if (act === "silent" || act === "blocked") {
    const detail = act === "silent" ? "no byte for too long" : "the peer does not read";
    close(state, context, { reason: "Timeout", detail });
    return;
  }
  if (act === "ping") ping(state, undefined, context);
  context.startTimer("ping", delayMs, { type: "PingDue" });
}
