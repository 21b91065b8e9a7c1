// What new peers are told: the transactions that wait here, slice by slice, those that became ready
// together by one walk through the mempool. Part of the broadcaster.

import type { AskOutcome } from "../../runtime/actor.js";
import type { MempoolMessage, WaitingTransactions } from "../integration/mempool-integration.js";
import type { BroadcasterContext, BroadcasterState } from "./broadcaster-state.js";
import { atFloor } from "./fee-floor.js";
import { announceLater, around } from "./relay-transactions.js";

/** Of waiting transactions, to a new peer at once. */
const WELCOME_SLICE_IDS = 512;
const MEMPOOL_TIMEOUT_MS = 5_000;

/** Peers that become ready meanwhile are welcomed together. */
export function welcomeLater(state: BroadcasterState, context: BroadcasterContext): void {
  if (state.welcome !== undefined || state.newcomers.size === 0) return;
  const { newPeerDelayMs } = context.env.config.gossip;
  context.startTimer("welcome", around(newPeerDelayMs, context), { type: "WelcomeDue" });
}

/** WelcomeDue came. */
export function welcome(state: BroadcasterState, context: BroadcasterContext): void {
  const from = state.welcome === undefined ? "best" : "next";
  state.welcome ??= {
    peerIds: state.newcomers,
    left: context.env.config.gossip.knownPerPeerMax,
  };
  if (from === "best") state.newcomers = new Set();
  const countMax = Math.min(WELCOME_SLICE_IDS, state.welcome.left);
  context.ask<MempoolMessage, WaitingTransactions>(
    state.mempool,
    (replyTo) => ({ type: "ListWaiting", from, countMax, replyTo }),
    MEMPOOL_TIMEOUT_MS,
    (outcome) => ({ type: "Waiting", outcome }),
  );
}

export function waiting(
  state: BroadcasterState,
  outcome: AskOutcome<WaitingTransactions>,
  context: BroadcasterContext,
): void {
  const current = state.welcome;
  if (current === undefined) return;
  const { ids, prices, done } = outcome.ok
    ? outcome.value
    : { ids: [], prices: undefined, done: true };
  // Without an answer they are welcomed with the next ones.
  if (!outcome.ok) {
    for (const peerId of current.peerIds) if (state.peers.has(peerId)) state.newcomers.add(peerId);
  }
  const has = state.has.transaction;
  for (const peerId of current.peerIds) {
    const peer = state.peers.get(peerId);
    if (peer === undefined) continue;
    const unknown = atFloor(peer.floor, ids, prices).filter((id) => {
      const place = has.find(id);
      return place === undefined || !has.has(place, peer.slot);
    });
    announceLater(state, peer, unknown, context);
  }
  current.left -= ids.length;
  if (!done && current.left > 0) {
    const { announceIntervalMs } = context.env.config.gossip;
    context.startTimer("welcome", around(announceIntervalMs, context), { type: "WelcomeDue" });
    return;
  }
  state.welcome = undefined;
  welcomeLater(state, context);
}
