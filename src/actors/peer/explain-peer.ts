// Why a peer is where it is: what the book knows of it beside the reasons of its score. Pure.

import type { PeerId } from "../../ports.js";
import { formatAddress } from "../../protocol/address.js";
import { NO_DEEDS } from "./peer-deeds.js";
import { peerAt, type PeerBook } from "./peer-book.js";
import type { PeerHistory } from "./peer-history.js";
import type { Moment, PeerExplanation } from "./reputation-ledger.js";

/** `ledger`: the reasons of its score, if reputation could tell them. */
export function historyOf(
  book: PeerBook,
  peerId: PeerId,
  ledger: PeerExplanation | undefined,
  { monotonicMs }: Moment,
): PeerHistory {
  const peer = book.peers.get(peerId);
  return {
    ...(ledger ?? judged(book, peerId, monotonicMs)),
    trusted: book.trusted.has(peerId),
    group: (peer?.host !== undefined && book.groups.standingAt(peer.host, monotonicMs)) || null,
    deeds: peer?.deeds ?? NO_DEEDS,
    readyWallMs: peer?.readyWallMs ?? null,
    connections: book.connections.openOf(peerId).map(({ direction, remote, state }) => ({
      direction,
      address: formatAddress(remote),
      phase: state.phase,
      forMs: monotonicMs - state.sinceMs,
    })),
    endpoints: [...book.endpoints.all()]
      .filter((target) => peerAt(target) === peerId)
      .map(({ address, source, state, failures, dialedWallMs, readyWallMs, end, notBeforeMs }) => ({
        address,
        source,
        state,
        failures,
        dialedWallMs: dialedWallMs ?? null,
        readyWallMs: readyWallMs ?? null,
        end: end ?? null,
        waitMs: state === "idle" ? Math.max(0, notBeforeMs - monotonicMs) : 0,
      })),
    told: (peer?.told ?? []).map(formatAddress),
  };
}

function judged(book: PeerBook, peerId: PeerId, nowMs: number): PeerExplanation {
  const ban = book.peers.banOf(peerId, nowMs);
  const judgement = book.peers.judgementOf(peerId, nowMs);
  return {
    peerId,
    score: judgement?.score ?? 0,
    class: ban === undefined ? (judgement?.class ?? "good") : "banned",
    ...(ban === undefined ? {} : { ban }),
    entries: [],
  };
}
