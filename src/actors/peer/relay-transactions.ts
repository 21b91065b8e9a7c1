// How accepted transactions get to the peers: pushed at once over eager edges, told by short ids, some
// together, over lazy ones, and by ids to peers that know no trees. Part of the broadcaster.

import { ANNOUNCED_IDS_MAX } from "../../config/memory-plan.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { HashHex, ShortId } from "../../types/chain.js";
import type { Incoming } from "./peer-handler-messages.js";
import type {
  BroadcasterContext,
  BroadcasterMessage,
  BroadcasterState,
  Peer,
} from "./broadcaster-state.js";
import type { Slot } from "./who-has.js";

/** Of 256 transactions about one goes over all edges, that the edges of a tree be found by it. */
const BEACON = "00";
/** Those that are being checked: of more the oldest are no beacons here. */
const BEACONS_MAX = 64;

function isBeacon(id: HashHex): boolean {
  return id.startsWith(BEACON);
}

/** Its body came from this peer. */
export function transactionPushed(
  { beacons, trees }: BroadcasterState,
  id: HashHex,
  slot: Slot,
  cameBefore: boolean,
  nowMs: number,
): void {
  if (!cameBefore) trees.transaction.pushed(nowMs);
  // A beacon comes over all edges.
  if (!isBeacon(id)) {
    if (cameBefore) trees.transaction.repeated(slot, 1, nowMs);
    return;
  }
  if (cameBefore) return;
  beacons.set(id, slot);
  for (const oldest of beacons.keys()) {
    if (beacons.size <= BEACONS_MAX) break;
    beacons.delete(oldest);
  }
}

export function relayTransactions(
  state: BroadcasterState,
  { transactions, prices }: Extract<BroadcasterMessage, { type: "RelayTransactions" }>,
  context: BroadcasterContext,
): void {
  const has = state.has.transaction;
  const tree = state.trees.transaction;
  // Nobody pushes here, so nobody is pushed to: what is made here must get to somebody at once.
  const first = tree.inCount === 0 ? bestRelay(state) : undefined;
  for (const [index, { id, bytes }] of transactions.entries()) {
    const place = has.here(id);
    state.times.proven("transaction", id);
    const broughtBy = state.beacons.get(id);
    if (broughtBy !== undefined) tree.beacon(broughtBy, context.nowMs);
    state.beacons.delete(id);
    let payload: Uint8Array | undefined;
    for (const peer of state.peers.values()) {
      if (!peer.takesTransactions || has.has(place, peer.slot)) continue;
      if ((prices?.[index] ?? peer.floor) < peer.floor) continue;
      if (!peer.isRelay) announceLater(state, peer, [id], context);
      else if (tree.isOut(peer.slot) || peer === first || isBeacon(id)) {
        payload ??= encodeMessage({ kind: "NewTransaction", transaction: bytes });
        const refused = { what: "transaction", to: context.self, hash: id } as const;
        const push = { type: "SendEncoded", kind: "NewTransaction", payload, refused } as const;
        has.mark(place, peer.slot);
        state.times.sent(peer.peerId, 1);
        if (!peer.handler.tell(push)) notPushed(state, peer, id, context);
      } else tellLater(state, peer, id, context);
    }
  }
}

/** It is told by its id instead. */
export function notPushed(
  state: BroadcasterState,
  peer: Peer,
  id: HashHex,
  context: BroadcasterContext,
): void {
  const place = state.has.transaction.find(id);
  if (place === undefined) return;
  state.has.transaction.unmark(place, peer.slot);
  tellLater(state, peer, id, context);
}

/** By its id, to peers that know no trees, and what waited for long. */
export function announceLater(
  state: BroadcasterState,
  { pendingIds, takesTransactions }: Peer,
  ids: readonly HashHex[],
  context: BroadcasterContext,
): void {
  if (ids.length === 0 || !takesTransactions) return;
  const { knownPerPeerMax, announceIntervalMs } = context.env.config.gossip;
  addBounded(pendingIds, ids, knownPerPeerMax);
  if (state.timing.has("announce")) return;
  state.timing.add("announce");
  // Nodes that heard of a transaction together would announce it to each other together: of two
  // that wait for different times only one does, for the other is told meanwhile.
  context.startTimer("announce", around(announceIntervalMs, context), { type: "AnnounceDue" });
}

function tellLater(
  state: BroadcasterState,
  { pending }: Peer,
  id: HashHex,
  context: BroadcasterContext,
): void {
  const { knownPerPeerMax, shortIdsIntervalMs } = context.env.config.gossip;
  addBounded(pending, [id], knownPerPeerMax);
  if (state.timing.has("short-ids")) return;
  state.timing.add("short-ids");
  context.startTimer("short-ids", around(shortIdsIntervalMs, context), { type: "ShortIdsDue" });
}

/** The oldest are the likeliest to have reached the peer by others. */
function addBounded(pending: Set<HashHex>, ids: readonly HashHex[], max: number): void {
  for (const id of ids) pending.add(id);
  for (const id of pending) {
    if (pending.size <= max) break;
    pending.delete(id);
  }
}

/** Between half of it and half as much again. */
export function around(meanMs: number, { env }: BroadcasterContext): number {
  return meanMs * (0.5 + env.random.float());
}

/** AnnounceDue came. */
export function announceIds(state: BroadcasterState): void {
  state.timing.delete("announce");
  for (const peer of state.peers.values()) announceTo(state, peer, peer.pendingIds);
}

/** ShortIdsDue came. */
export function announceShortIds(state: BroadcasterState): void {
  state.timing.delete("short-ids");
  for (const peer of state.peers.values()) {
    const { announced, handler, pending, shortIds } = peer;
    // Until it has told its key it is told whole ids.
    if (shortIds === undefined) {
      announceTo(state, peer, pending);
      continue;
    }
    const told = [...pending].map((id): readonly [ShortId, HashHex] => [shortIds.of(id), id]);
    for (const [short, id] of told) announced.set(short, id);
    for (const oldest of announced.keys()) {
      if (announced.size <= ANNOUNCED_IDS_MAX) break;
      announced.delete(oldest);
    }
    markTold(state, peer, pending);
    for (const some of inMessages(told)) {
      const ids = some.map(([short]) => short);
      handler.tell({ type: "Send", message: { kind: "AnnounceShortIds", ids } });
    }
  }
}

function announceTo(state: BroadcasterState, peer: Peer, pending: Set<HashHex>): void {
  const waiting = [...pending];
  markTold(state, peer, pending);
  for (const ids of inMessages(waiting)) {
    peer.handler.tell({ type: "Send", message: { kind: "AnnounceTransactions", ids } });
  }
}

/** What is told is known to be known; nothing of it waits any more. */
function markTold({ has, times }: BroadcasterState, peer: Peer, pending: Set<HashHex>): void {
  times.sent(peer.peerId, pending.size);
  for (const id of pending) {
    const place = has.transaction.find(id);
    if (place !== undefined) has.transaction.mark(place, peer.slot);
  }
  pending.clear();
}

function* inMessages<T>(list: readonly T[]): Generator<readonly T[]> {
  const { announcedTransactionsMax } = ITEM_LIMITS;
  for (let start = 0; start < list.length; start += announcedTransactionsMax) {
    yield list.slice(start, start + announcedTransactionsMax);
  }
}

/** What a peer asks for as it was announced to it: the mempool answers. */
export function serveShortIds(
  { mempool, peers }: BroadcasterState,
  { message, peerId, replyTo }: Incoming<"RequestShortIds">,
  context: BroadcasterContext,
): void {
  const announced = peers.get(peerId)?.announced;
  const ids = message.ids.map((short) => announced?.get(short)).filter((id) => id !== undefined);
  const answeredBy = "ResponseShortIds";
  const serve = { type: "ServeTransactions", ids, answeredBy, replyTo } as const;
  context.forward(mempool, serve, replyTo);
}

/** Of those that take part in trees. */
function bestRelay({ slots, trees }: BroadcasterState): Peer | undefined {
  const slot = trees.transaction.best();
  return slot === undefined ? undefined : slots[slot];
}
