// The registry's dials: what the peer book says is due is asked of the dialer, each a question that
// ends in whatever becomes of the dialer; and who waits for a connection hears how that ended, once.

import { errorText, isCoded, unreachable } from "../../errors.js";
import type { ActorRef, AskOutcome, Context } from "../../runtime/actor.js";
import { formatAddress } from "../../protocol/address.js";
import type { PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { DialEnd, DialerMessage, DialMessage, DialOutcome } from "../service/dial-messages.js";
import { peerAt, type KnownEndpoint } from "./known-endpoints.js";
import { Loneliness } from "./loneliness.js";
import type { PeerBook } from "./peer-book.js";
import type { Entry } from "./peer-entry.js";
import type { ReputationMessage } from "./peer-reputation.js";
import { wasReady } from "./peer-state.js";
import type { RegistryMessage } from "./peer-table.js";

export interface DialsState {
  readonly book: PeerBook;
  /** Told at each start of the dialer. */
  dialer: ActorRef<DialerMessage> | undefined;
  /** Who waits for the connection to an address. */
  readonly waiting: Map<string, ActorRef<DialOutcome>[]>;
  readonly loneliness: Loneliness;
  /** Connections that gave way to one that this process did not make. */
  twinEnds: number;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly stopping: boolean;
}

type Ctx = Context<RegistryMessage, NodeEnv>;

/** A connection that lasted this long was good: its end starts the backoff anew. */
const STABLE_MS = 60_000;
/** Once it may have been a fault of the other side. */
const TWIN_ENDS_MIN = 2;

export function newDials(
  { clock }: NodeEnv,
  book: PeerBook,
): Omit<DialsState, "reputation" | "stopping"> {
  return {
    book,
    dialer: undefined,
    waiting: new Map(),
    loneliness: new Loneliness(clock.monotonicMs()),
    twinEnds: 0,
  };
}

export function aboutDials(state: DialsState, message: DialMessage, context: Ctx): void {
  switch (message.type) {
    case "DialerStarted":
      state.dialer = message.dialer;
      fill(state, context);
      return;
    case "DialEnded":
      dialEnded(state, message, context);
      return;
    case "DialDue":
      fill(state, context);
      return;
    case "Connect":
      connect(state, message, context);
      return;
    case "GetDialStatus": {
      const nowMs = context.env.clock.monotonicMs();
      const { book, loneliness } = state;
      message.replyTo.tell({ waitingFor: loneliness.waitingFor(book.endpoints, nowMs) });
      return;
    }
    default:
      unreachable(message);
  }
}

/** Dials what is due while slots are free, and wakes when the next one is due. */
export function fill(state: DialsState, context: Ctx): void {
  const { book, dialer } = state;
  const { env } = context;
  if (state.stopping || dialer === undefined) {
    context.cancelTimer("dial");
    return;
  }
  const nowMs = env.clock.monotonicMs();
  const now = { monotonicMs: nowMs, wallMs: env.clock.wallMs() };
  book.headIs(env.blocks.head().hash, nowMs);
  for (const due of book.due(now, state.loneliness.alone)) {
    const { address, endpoint } = due.target;
    const dial = book.dialing(due, now.wallMs);
    env.log.write("debug", "dialing", { address, purpose: due.purpose });
    context.ask<DialerMessage, DialEnd>(
      dialer,
      (replyTo) => ({ type: "Dial", endpoint, replyTo }),
      // The transport's own timeout comes first.
      2 * env.config.dial.timeoutMs,
      (outcome) => ({ type: "DialEnded", address, dial, outcome }),
    );
  }
  const waitMs = book.untilDueMs(nowMs);
  if (waitMs === undefined) context.cancelTimer("dial");
  else context.startTimer("dial", waitMs, { type: "DialDue" });
}

/**
 * Tries an endpoint at once, whatever became of it before. Answered once a peer is connected there, or
 * why that cannot be.
 */
function connect(
  state: DialsState,
  { endpoint, replyTo }: Extract<DialMessage, { type: "Connect" }>,
  context: Ctx,
): void {
  const wanted = state.book.want(endpoint);
  const address = formatAddress(endpoint);
  switch (wanted.type) {
    case "connected":
      replyTo.tell({ ok: true, peerId: wanted.peerId });
      return;
    case "unknown":
      replyTo.tell({ ok: false, why: cannot(address, "no more addresses are kept") });
      return;
    case "full": {
      const { maxOutbound } = context.env.config;
      const reason = `all ${maxOutbound} outbound slots are taken; it is tried when one is free`;
      replyTo.tell({ ok: false, why: cannot(address, reason) });
      return;
    }
    case "waits":
      state.waiting.set(address, [...(state.waiting.get(address) ?? []), replyTo]);
      fill(state, context);
      return;
    default:
      unreachable(wanted);
  }
}

/** The dialer has ended a dial, or lost it; a connection comes, or came, as a message of its own. */
function dialEnded(
  state: DialsState,
  { address, dial, outcome }: Extract<DialMessage, { type: "DialEnded" }>,
  context: Ctx,
): void {
  const target = state.book.endpoints.byAddress(address);
  if (target?.dial !== dial || target.state !== "dialing") return;
  if (outcome.ok && outcome.value.ok) return;
  const { env } = context;
  const { alone } = state.loneliness;
  const error = outcome.ok && !outcome.value.ok ? outcome.value.error : undefined;
  const reason = error === undefined ? cannot(address, lostBy(outcome)) : errorText(error);
  state.book.ended(target, env.clock.monotonicMs(), {
    why: reason,
    // What was lost here says nothing about the endpoint.
    grows: outcome.ok && !isCoded(error, "QUEUE_FULL"),
    alone,
  });
  if (isCoded(error, "DIAL_FAILED")) unreached(state, peerAt(target), reason);
  answer(state, address, { ok: false, why: reason });
  const { addresses, endpoints } = state.book;
  // Most of what peers tell of is not there, and they could make a log grow by it.
  const level = target.source === "book" ? "debug" : "info";
  env.log.write(isCoded(error, "DIAL_FAILED") ? level : "warn", "dial failed", {
    address,
    failures: Math.max(target.failures, addresses.get(target.endpoint)?.missed ?? 0),
    reason,
  });
  fill(state, context);
  const { aloneWarnMs } = env.config.dial;
  const last = { address, reason, addresses: addresses.size };
  const fields = state.loneliness.warning(endpoints, env.clock.monotonicMs(), aloneWarnMs, last);
  if (fields !== undefined) env.log.write("warn", "there is no peer", { ...fields });
}

/** A peer is ready, whichever side dialed: two connections to one peer become one. */
export function peerIsReady(state: DialsState, peerId: PeerId, context: Ctx): void {
  state.loneliness.end();
  answerConnected(state, peerId);
  // It may have said where it can be dialed, and more may be dialed once all slots are taken.
  fill(state, context);
}

/** A connection has ended; `readyForMs` is 0 for one that was not ready. */
export function connectionEnded(
  state: DialsState,
  entry: Entry,
  readyForMs: number,
  context: Ctx,
): void {
  const { book } = state;
  const { env } = context;
  const nowMs = env.clock.monotonicMs();
  if (book.connections.readyCount === 0 && !state.loneliness.alone) {
    state.loneliness.begin(nowMs);
    book.endpoints.hurry(nowMs);
  }
  const target = book.targetOf(entry);
  if (target !== undefined) targetLost(state, target, { entry, readyForMs }, context);
  fill(state, context);
}

/** Connected → Idle, with a backoff that depends on why. */
function targetLost(
  state: DialsState,
  target: KnownEndpoint,
  { entry, readyForMs }: { readonly entry: Entry; readonly readyForMs: number },
  { env }: Ctx,
): void {
  const { book } = state;
  const { reason, byPeer } = entry.gone;
  if (entry.peerId === env.peerId) {
    // Our own address, which its key proves: never again. What the other side calls it proves
    // nothing, and whoever answers there for a moment could have it forgotten for good.
    book.isOurs(target);
    refuse(state, target.address, "this is our own node");
    return;
  }
  const brokeOff = reason === "Closed" || reason === "Timeout";
  if (brokeOff && !wasReady(entry.state)) unreached(state, entry.peerId, "in its handshake");
  const why = `the connection was ended by ${byPeer ? "the peer" : "this node"} (${reason})`;
  const isDouble = reason === "DuplicateConnection";
  // Of a double the other connection may still come and shake hands: who waits hears when it is
  // ready. Of the second one in a row there is none, whatever the other side says.
  const isSecond = target.end === why;
  const isOpen = book.connections.isOpen(entry.peerId);
  if (!isDouble) refuse(state, target.address, why);
  else if (book.connections.readyOf(entry.peerId) !== undefined) {
    answerConnected(state, entry.peerId);
  } else if (!isOpen && isSecond) {
    refuse(state, target.address, why);
  }
  // A connection that was ready gives way to one that shook hands with us as well, and there is none.
  const isTwin = isDouble && byPeer && !isOpen && (wasReady(entry.state) || isSecond);
  if (isTwin) warnOfTwin(state, target.address, env);
  book.ended(target, env.clock.monotonicMs(), {
    why,
    wasReady: wasReady(entry.state),
    wasStable: readyForMs >= STABLE_MS && !isTwin,
    grows: isTwin || (reason !== "TooManyConnections" && !isDouble),
    alone: state.loneliness.alone,
  });
}

/** Two processes with one identity take each other's place at whomever both dial. Said once. */
function warnOfTwin(state: DialsState, address: string, { log, peerId }: NodeEnv): void {
  if (++state.twinEnds !== TWIN_ENDS_MIN) return;
  const advice = "stop it, or give it a data directory of its own";
  log.write("warn", "another process uses this identity", { peerId, seenAt: address, advice });
}

/** A peer that was here before cannot be reached; with nobody else here it may well be our own line. */
function unreached(
  { book, loneliness, reputation }: DialsState,
  peerId: PeerId | undefined,
  detail: string,
): void {
  if (peerId === undefined || loneliness.alone) return;
  if (book.peers.get(peerId)?.readyWallMs === undefined) return;
  reputation.tell({ type: "Report", peerId, event: "ConnectionFailure", detail });
}

function answerConnected(state: DialsState, peerId: PeerId): void {
  for (const address of [...state.waiting.keys()]) {
    const target = state.book.endpoints.byAddress(address);
    if (target !== undefined && peerAt(target) === peerId) {
      answer(state, address, { ok: true, peerId });
    }
  }
}

function answer({ waiting }: DialsState, address: string, outcome: DialOutcome): void {
  const waiters = waiting.get(address);
  waiting.delete(address);
  for (const replyTo of waiters ?? []) replyTo.tell(outcome);
}

function refuse(state: DialsState, address: string, reason: string): void {
  answer(state, address, { ok: false, why: cannot(address, reason) });
}

function cannot(address: string, reason: string): string {
  return `Cannot connect to ${address}: ${reason}.`;
}

function lostBy(outcome: AskOutcome<DialEnd>): string {
  if (outcome.ok) return "this node is too busy";
  switch (outcome.reason) {
    case "timeout":
      return "the dial does not end";
    case "refused":
    case "dropped":
      return "this node is too busy";
    case "crashed":
      return "the dial was lost to a fault of this node";
    case "stopped":
      return "this node does not dial any more";
    default:
      return unreachable(outcome.reason);
  }
}
