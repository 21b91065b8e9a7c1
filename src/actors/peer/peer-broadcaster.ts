// PeerBroadcaster: fan-out to the ready peers. Knows who has what, and by which edges of the relay
// trees each peer hears of what was accepted: pushed at once, or told by id. Tells a new peer of the
// transactions that wait.
// Told by: registry, router, handlers, peer handlers, consensus and mempool integration. Tells: peer
// handlers, mempool, registry, reputation.

import { KNOWN_ID_BYTES, PENDING_ID_BYTES, RELAYED_IDS } from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { RELAY_CAPABILITY, RELAYED } from "../../protocol/kinds/relay.js";
import { ShortIds } from "../../protocol/relay-ids.js";
import type { PeerId } from "../../ports.js";
import { RESTART } from "../policies.js";
import { BlockNews } from "./block-news.js";
import type {
  BroadcasterArgs,
  BroadcasterContext as Ctx,
  BroadcasterEnv,
  BroadcasterMessage,
  BroadcasterState as State,
  Peer,
  RelayKind,
} from "./broadcaster-state.js";
import { atFloor } from "./fee-floor.js";
import { GossipTimes } from "./gossip-times.js";
import type { Incoming, PushRefused } from "./peer-handler-messages.js";
import type { PeerTableEvent } from "./peer-table.js";
import {
  blockNotPushed,
  forwardBlock,
  JUDGED_AFTER_MS,
  judgeBlocks,
  judgeLater,
  relayHead,
} from "./relay-blocks.js";
import {
  announceIds,
  announceLater,
  announceShortIds,
  notPushed,
  relayTransactions,
  serveShortIds,
  transactionPushed,
} from "./relay-transactions.js";
import { RelayTree } from "./relay-tree.js";
import { TREE_POLICIES } from "./tree-policies.js";
import { waiting, welcome, welcomeLater } from "./welcome.js";
import { WhoHas } from "./who-has.js";

export type { BroadcasterArgs, BroadcasterEnv, BroadcasterMessage } from "./broadcaster-state.js";

const FIGURES_INTERVAL_MS = 5_000;
const KINDS: readonly RelayKind[] = ["RelayKey", "RequestShortIds", "Prune", "Graft"];

export const peerBroadcaster = defineActor<
  BroadcasterArgs,
  BroadcasterMessage,
  State,
  BroadcasterEnv
>({
  name: "broadcaster",
  mailbox: {
    dataMax: 4_096,
    controlMax: 16_384,
    overflow: "dropOldest",
    replyOf: replyToOf,
    isControl: ({ type }) => !DATA.has(type),
  },
  onFault: RESTART,

  init(context, args) {
    const { self: subscriber, env } = context;
    args.registry.tell({ type: "Subscribe", subscriber });
    args.consensus.tell({ type: "Subscribe", subscriber });
    args.mempool.tell({ type: "Subscribe", subscriber });
    const handler = context.self as ActorRef<Incoming>;
    const perPeerMax = env.config.gossip.knownPerPeerMax;
    args.router.tell({ type: "Register", kinds: KINDS, handler });
    return {
      registry: args.registry,
      mempool: args.mempool,
      reputation: args.reputation,
      peers: new Map(),
      slots: [],
      has: {
        block: new WhoHas({ perPeerMax, ...RELAYED_IDS.block }),
        transaction: new WhoHas({ perPeerMax, ...RELAYED_IDS.transaction }),
      },
      trees: {
        block: new RelayTree(TREE_POLICIES.block),
        transaction: new RelayTree(TREE_POLICIES.transaction),
      },
      blockNews: new BlockNews(JUDGED_AFTER_MS),
      beacons: new Map(),
      timing: new Set(),
      newcomers: new Set(),
      welcome: undefined,
      idsLease: context.owns(env.memory.lease("knownIds")),
      times: new GossipTimes(env.config.reputation.repeatsPerMinuteMax),
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady":
        joined(state, message, context);
        return;
      case "PeerGone":
        if (message.wasReady) gone(state, message.peerId);
        return;
      case "PeerClaimed": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.claimedDifficulty = message.head.claimed.totalDifficulty;
        return;
      }
      case "PeerMeasured":
        return;
      case "PeerKnows":
        peerKnows(state, message, context);
        return;
      case "NotPushed":
        missed(state, message, context);
        return;
      case "RelayTransactions":
        relayTransactions(state, message, context);
        return;
      case "PeerFloor": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.floor = message.gasPrice;
        return;
      }
      case "ForwardBlock":
        forwardBlock(state, message, context);
        return;
      case "ReturnedTransactions":
        for (const peer of state.peers.values()) {
          announceLater(state, peer, atFloor(peer.floor, message.ids, message.prices), context);
        }
        return;
      case "EvictedTransactions":
        // It would be asked for what it does not have any more.
        for (const { pending, pendingIds } of state.peers.values()) {
          for (const id of message.ids) {
            pending.delete(id);
            pendingIds.delete(id);
          }
        }
        return;
      case "Incoming":
        receiveIncoming(state, message, context);
        return;
      case "PushRefused":
        refused(state, message, context);
        return;
      case "WelcomeDue":
        welcome(state, context);
        return;
      case "Waiting":
        waiting(state, message.outcome, context);
        return;
      case "AnnounceDue":
        announceIds(state);
        return;
      case "ShortIdsDue":
        announceShortIds(state);
        return;
      case "JudgeDue":
        judgeBlocks(state, context);
        return;
      case "FiguresDue": {
        state.timing.delete("figures");
        const figures = state.times.takeChanged();
        if (figures.length > 0) state.registry.tell({ type: "GossipMeasured", figures });
        return;
      }
      case "ChainChanged":
        relayHead(state, message, context);
        return;
      default:
        unreachable(message);
    }
  },

  afterBatch(state, context) {
    const { idsLease, peers, slots, trees, has, times } = state;
    for (const what of RELAYED) {
      const tree = trees[what];
      if (tree.lacksEdges) tree.improve(context.nowMs);
      for (const { slot, kind } of tree.takeOrders()) {
        slots[slot]?.handler.tell({ type: "Send", message: { kind, what } });
      }
    }
    let { bytes } = times;
    for (const { size, maskBytes } of [has.block, has.transaction]) {
      bytes += size * KNOWN_ID_BYTES + maskBytes;
    }
    for (const { announced, pending, pendingIds } of peers.values()) {
      bytes += announced.size * KNOWN_ID_BYTES;
      bytes += (pending.size + pendingIds.size) * PENDING_ID_BYTES;
    }
    idsLease.resize(bytes);
  },

  invariants({ peers, slots, newcomers, times, has, trees, blockNews }, { env }) {
    times.invariants();
    blockNews.invariants();
    const { knownPerPeerMax } = env.config.gossip;
    for (const what of RELAYED) {
      has[what].invariants();
      trees[what].invariants();
    }
    for (const peerId of newcomers) invariant(peers.has(peerId), "newcomers are ready peers");
    for (const peer of peers.values()) {
      const { pending, pendingIds, slot } = peer;
      invariant(slots[slot] === peer, "a peer is found by its slot");
      invariant(pending.size <= knownPerPeerMax, `${pending.size} announcements wait`);
      invariant(pendingIds.size <= knownPerPeerMax, `${pendingIds.size} announcements wait`);
    }
  },
});

const DATA: ReadonlySet<BroadcasterMessage["type"]> = new Set([
  "PeerKnows",
  "NotPushed",
  "RelayTransactions",
  "ForwardBlock",
  "ReturnedTransactions",
  "EvictedTransactions",
  "Incoming",
  "PushRefused",
]);

function joined(
  state: State,
  message: Extract<PeerTableEvent, { type: "PeerReady" }>,
  context: Ctx,
): void {
  const { peerId, handler, capabilities, direction, head } = message;
  const { has, peers, slots, times, trees } = state;
  const { groups, shortIdKey } = context.env;
  // A restarted registry tells of those again that it had told of.
  if (peers.has(peerId)) gone(state, peerId);
  const slot = has.block.join();
  invariant(has.transaction.join() === slot, "a peer has one slot");
  const takesTransactions = capabilities.has("transactions/1");
  const isRelay = capabilities.has(RELAY_CAPABILITY);
  const peer: Peer = {
    peerId,
    slot,
    handler,
    capabilities,
    isRelay,
    takesTransactions,
    claimedDifficulty: head.claimed.totalDifficulty,
    floor: 0n,
    shortIds: undefined,
    pending: new Set(),
    pendingIds: new Set(),
    announced: new Map(),
  };
  peers.set(peerId, peer);
  slots[slot] = peer;
  times.joined(peerId, context.nowMs);
  if (isRelay) {
    const isOutbound = direction === "outbound";
    const relay = { slot, isOutbound, group: groups?.nameOf(peerId) };
    if (capabilities.has("blocks/1")) trees.block.joined(relay, context.nowMs);
    if (takesTransactions) trees.transaction.joined(relay, context.nowMs);
  }
  if (!takesTransactions) return;
  if (isRelay) {
    handler.tell({ type: "Send", message: { kind: "RelayKey", key: shortIdKey } });
  }
  state.newcomers.add(peerId);
  welcomeLater(state, context);
}

function gone(state: State, peerId: PeerId): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  const { slot } = peer;
  state.peers.delete(peerId);
  state.slots[slot] = undefined;
  state.blockNews.gone(slot);
  for (const [id, by] of state.beacons) if (by === slot) state.beacons.delete(id);
  for (const what of RELAYED) {
    state.trees[what].gone(slot);
    state.has[what].leave(slot);
  }
  state.times.gone(peerId);
  state.newcomers.delete(peerId);
}

function missed(
  { peers, trees }: State,
  { what, announcedBy }: Extract<BroadcasterMessage, { type: "NotPushed" }>,
  { nowMs }: Ctx,
): void {
  const slots = announcedBy.map((peerId) => peers.get(peerId)?.slot);
  trees[what].missed(
    slots.filter((slot) => slot !== undefined),
    nowMs,
  );
}

function refused(state: State, { what, hash, peerId }: PushRefused, context: Ctx): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  if (what === "block") blockNotPushed(peer, hash, context);
  else notPushed(state, peer, hash, context);
}

function receiveIncoming(state: State, incoming: Incoming<RelayKind>, context: Ctx): void {
  const { message, peerId, replyTo } = incoming;
  if (message.kind === "RequestShortIds") {
    serveShortIds(state, incoming as Incoming<"RequestShortIds">, context);
    return;
  }
  replyTo.tell("Done");
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  switch (message.kind) {
    case "RelayKey":
      peer.shortIds = new ShortIds(message.key);
      return;
    case "Prune":
      state.trees[message.what].pruned(peer.slot, context.nowMs);
      return;
    case "Graft":
      state.trees[message.what].grafted(peer.slot, context.nowMs);
      return;
    default:
      unreachable(message);
  }
}

function peerKnows(
  state: State,
  { what, how, peerId, hashes }: Extract<BroadcasterMessage, { type: "PeerKnows" }>,
  context: Ctx,
): void {
  const { blockNews, peers, times } = state;
  const has = state.has[what];
  const tree = state.trees[what];
  const { nowMs } = context;
  const peer = peers.get(peerId);
  if (peer === undefined) return;
  const { slot } = peer;
  for (const hash of hashes) {
    const known = has.find(hash);
    if (known !== undefined && has.has(known, slot)) {
      if (times.repeated(peerId, nowMs)) tooOften(state, peerId);
    } else {
      const isFirst = (): boolean => known === undefined || has.isNobodys(known);
      times.told(what, hash, peerId, isFirst, nowMs);
    }
    const place = known ?? has.told(hash, slot);
    has.mark(place, slot);
    peer.pending.delete(hash);
    peer.pendingIds.delete(hash);
    const isPush = how === "pushed";
    const cameBefore = isPush && has.cameBefore(place);
    if (what === "transaction") {
      if (isPush) transactionPushed(state, hash, slot, cameBefore, nowMs);
    } else if (isPush || !tree.isIn(slot)) {
      // Who should push is not early by what it says.
      const copies = blockNews.told(hash, slot, isPush, nowMs);
      if (cameBefore) tree.repeated(slot, copies, nowMs);
    }
  }
  judgeLater(state, context);
  if (state.timing.has("figures")) return;
  state.timing.add("figures");
  context.startTimer("figures", FIGURES_INTERVAL_MS, { type: "FiguresDue" });
}

function tooOften({ reputation }: State, peerId: PeerId): void {
  const detail = "it tells again and again what it told before";
  reputation.tell({ type: "Report", peerId, event: "DuplicateData", detail });
}
