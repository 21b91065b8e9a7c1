// The life of the registry's connections from their handshake to their end: who takes whose place,
// and who is told of it.

import { errorText } from "../../errors.js";
import { formatAddress } from "../../protocol/address.js";
import type { PeerId } from "../../ports.js";
import { goneEvent, readyEvent, type Entry } from "./peer-entry.js";
import type { Farewell } from "./peer-handler-messages.js";
import type { PeerState } from "./peer-state.js";
import type { Gone, RegistryMessage } from "./peer-table.js";
import { connectionEnded, peerIsReady } from "./registry-dials.js";
import {
  announce,
  momentOf,
  type RegistryContext as Ctx,
  type RegistryState as State,
} from "./registry-state.js";

/**
 * A newer connection of a peer takes the place of the one that is as far as itself: of the one that
 * shakes hands when it was admitted, of the one that is ready when it is ready. The older leaves at
 * once: nobody hears of its end after the newer one is ready.
 */
export function replace(
  state: State,
  peerId: PeerId,
  phase: Exclude<PeerState["phase"], "closing">,
  ctx: Ctx,
): void {
  const gone = { reason: "DuplicateConnection", detail: "a newer connection is kept" } as const;
  for (const entry of state.book.connections.openOf(peerId)) {
    if (entry.state.phase === phase) dismiss(state, entry, gone, ctx);
  }
}

/** All inbound slots are taken, and this peer's goes to another one. That is no fault of its own. */
export function evict(state: State, peerId: PeerId, ctx: Ctx): void {
  const detail = "another peer needs the slot, of a network with fewer peers here";
  for (const entry of state.book.connections.openOf(peerId)) {
    if (entry.direction !== "inbound") continue;
    dismiss(state, entry, { reason: "TooManyConnections", detail }, ctx);
  }
}

/** It is told why, and its slot is free at once. */
function dismiss(
  state: State,
  entry: Entry,
  why: Farewell,
  ctx: Ctx,
  gone: Omit<Gone, "byPeer"> = why,
): void {
  entry.handler.tell({ type: "Close", ...why });
  leave(state, entry, { ...gone, byPeer: false }, ctx);
}

export function ready(
  state: State,
  message: Extract<RegistryMessage, { type: "HandlerReady" }>,
  ctx: Ctx,
): void {
  const { info } = message;
  const entry = state.book.connections.get(message.connectionId);
  if (entry?.state.phase !== "handshaking") return;
  if (state.book.purposeOf(entry.dialed) === "feeler") {
    state.book.tested(entry, momentOf(ctx));
    const detail = "somebody is here: that was all there was to see";
    const gone = { reason: "TooManyConnections", detail } as const;
    entry.handler.tell({ type: "Close", ...gone });
    leave(state, entry, { ...gone, byPeer: false }, ctx);
    return;
  }
  replace(state, entry.peerId, "ready", ctx);
  state.book.becameReady(entry, info, momentOf(ctx));
  entry.capabilities = new Set(message.capabilities);
  announce(state, readyEvent(entry, info));
  const { peerId, direction } = entry;
  const address = formatAddress(entry.remote);
  const { agent, nodeId } = info;
  const event = { type: "PeerConnected", peerId, address, direction, agent, nodeId } as const;
  state.events.tell({ type: "Publish", event });
  ctx.env.log.write("info", "peer connected", { peerId, address, direction, agent, nodeId });
  countReady(state);
  if (state.book.isSuspect(entry, ctx.env.clock.monotonicMs())) {
    const detail = "others of its address group broke rules";
    state.reputation.tell({ type: "Report", peerId, event: "BadNeighbours", detail });
  }
  peerIsReady(state, peerId, ctx);
  leaveSurplus(state, ctx);
}

/** Others have come in the place of a seed, or of whoever is of least use: it is for who lacks it. */
export function leaveSurplus(state: State, ctx: Ctx): void {
  const target = state.book.surplus(ctx.env.clock.monotonicMs());
  if (target === undefined) return;
  const detail =
    target.source === "book"
      ? "this node tried one peer more, and keeps those that bring it blocks"
      : "this node knows others now, and leaves the place to who does not";
  const gone = { reason: "TooManyConnections", detail } as const;
  for (const entry of [...state.book.connections.open()]) {
    if (entry.dialed === undefined || formatAddress(entry.dialed) !== target.address) continue;
    entry.handler.tell({ type: "Close", ...gone });
    leave(state, entry, { ...gone, byPeer: false }, ctx);
  }
}

/** Ready | Handshaking → Closing: the slot is free, the handler still flushes. */
export function leave(state: State, entry: Entry, gone: Gone, ctx: Ctx): void {
  const nowMs = ctx.env.clock.monotonicMs();
  const before = state.book.connections.beganClosing(entry, nowMs);
  if (before === undefined) return;
  entry.gone = gone;
  const wasReady = before.phase === "ready";
  const readyForMs = wasReady ? nowMs - before.sinceMs : 0;
  lingers(state, ctx);
  announce(state, goneEvent(entry, readyForMs));
  const { peerId } = entry;
  ctx.env.log.write("info", "peer disconnected", { peerId, ...gone, readyForMs });
  if (wasReady) {
    state.events.tell({ type: "Publish", event: { type: "PeerDisconnected", peerId, ...gone } });
    countReady(state);
  }
  connectionEnded(state, entry, readyForMs, ctx);
}

/** A closing connection holds what its socket has not sent: of too many the first one ends now. */
export function lingers({ book, stopping }: State, { env }: Ctx): void {
  if (stopping) return;
  const first = book.connections.takeClosing(env.config.inbound.closingMax);
  first?.handler.tell({ type: "Destroy" });
}

/** The end of an entry; a handler that crashed never said that it was closing. */
export function stopped(state: State, path: string, error: unknown, ctx: Ctx): void {
  const { connections } = state.book;
  const entry = connections.byPath(path);
  if (entry === undefined) return;
  if (entry.state.phase !== "closing") {
    const detail = errorText(error);
    const shown = error instanceof Error ? (error.stack ?? detail) : detail;
    ctx.env.log.write("error", "a peer handler failed", { peerId: entry.peerId, error: shown });
    // Where in the code it failed is for the log: who hears of peers is told what happened.
    leave(state, entry, { reason: "Fault", byPeer: false, detail }, ctx);
  }
  connections.remove(entry);
  answerDrained(state);
}

/** The connections of this peer say why, and end. */
export function close(state: State, peerId: PeerId, { reason, rule, detail }: Farewell): void {
  const broken = rule === undefined ? {} : { rule };
  for (const { handler } of state.book.connections.openOf(peerId)) {
    handler.tell({ type: "Close", reason, ...broken, detail });
  }
}

/**
 * The connections of this peer hear why, and hold no slot any more; `gone` is what others hear. Answers
 * how many there were.
 */
export function sendOff(
  state: State,
  peerId: PeerId,
  {
    farewell,
    gone = farewell,
  }: { readonly farewell: Farewell; readonly gone?: Omit<Gone, "byPeer"> },
  ctx: Ctx,
): number {
  const open = state.book.connections.openOf(peerId);
  for (const entry of open) dismiss(state, entry, farewell, ctx, gone);
  return open.length;
}

/** Who watches outlives this actor, and the connections do not. */
export function tellGone({ book, events }: State): void {
  for (const { peerId, state, gone } of book.connections.all()) {
    if (state.phase !== "ready") continue;
    const event = { type: "PeerDisconnected", peerId, ...gone } as const;
    events.tell({ type: "Publish", event });
  }
}

function countReady(state: State): void {
  state.reputation.tell({ type: "PeersCounted", ready: state.book.connections.readyCount });
}

export function answerDrained(state: State): void {
  if (state.drained === undefined || state.book.connections.size > 0) return;
  state.drained.tell("Drained");
  state.drained = undefined;
}
