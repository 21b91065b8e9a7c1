// Why a peer is where it is: what the book knows of it beside the reasons of its score. Pure.

import type { PeerId } from "../../ports.js";
import { formatAddress } from "../../protocol/address.js";
import { NO_DEEDS } from "./peer-deeds.js";
import type { KnownAddress } from "./known-address.js";
import { peerAt, type KnownEndpoint } from "./known-endpoints.js";
import type { PeerBook } from "./peer-book.js";
import type { AddressHistory, EndpointHistory, PeerHistory } from "./peer-history.js";
import type { Moment } from "./moment.js";
import type { PeerExplanation } from "./reputation-ledger.js";

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
    awayMs: book.absences.leftMs(peerId, monotonicMs),
    group: (peer?.host !== undefined && book.groups.standingAt(peer.host, monotonicMs)) || null,
    deeds: peer?.deeds ?? NO_DEEDS,
    readyWallMs: peer?.readyWallMs ?? null,
    connections: book.connections
      .openOf(peerId)
      .map(({ direction, remote, state, performance }) => ({
        direction,
        address: formatAddress(remote),
        phase: state.phase,
        forMs: monotonicMs - state.sinceMs,
        performance,
      })),
    endpoints: [...book.endpoints.all()]
      .filter((target) => peerAt(target) === peerId)
      .map((target) => endpointHistory(book, target, monotonicMs)),
    addresses: [...book.addresses.all()]
      .filter((known) => known.peerId === peerId)
      .map(addressHistory),
    told: (peer?.told ?? []).map(formatAddress),
  };
}

function endpointHistory(
  book: PeerBook,
  { address, dialedWallMs, end, endpoint, failures, notBeforeMs, source, state }: KnownEndpoint,
  nowMs: number,
): EndpointHistory {
  return {
    address,
    source,
    state,
    failures,
    dialedWallMs: dialedWallMs ?? null,
    readyWallMs: timeOf(book.addresses.get(endpoint)?.foundWallMs ?? 0),
    end: end ?? null,
    waitMs: state === "idle" ? Math.max(0, notBeforeMs - nowMs) : 0,
  };
}

function addressHistory(known: KnownAddress): AddressHistory {
  const { address, failures, isTried, places } = known;
  return {
    address,
    isTried,
    places: places.map(({ at, source }) => ({ at, source })),
    heardWallMs: known.heardWallMs,
    ownWallMs: timeOf(known.ownWallMs),
    dialedWallMs: timeOf(known.dialedWallMs),
    foundWallMs: timeOf(known.foundWallMs),
    failures,
  };
}

function timeOf(wallMs: number): number | null {
  return wallMs === 0 ? null : wallMs;
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
