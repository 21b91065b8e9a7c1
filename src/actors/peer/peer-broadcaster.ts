// PeerBroadcaster: fan-out to the ready peers. Remembers what each peer knows, pushes new blocks to
// one of them, announces them to the rest by hash, and gathers announcements. Tells a new peer of
// the transactions that wait.
// Told by: registry, handlers, consensus and mempool integration. Tells: peer handlers, mempool.

import { KNOWN_ID_BYTES, PENDING_ID_BYTES } from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type AskOutcome, type Context } from "../../runtime/actor.js";
import { IdCache } from "../id-cache.js";
import { RESTART } from "../policies.js";
import type { HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { Lease } from "../memory-ledger.js";
import type { ChainChanged } from "../integration/chain-events.js";
import type { ConsensusMessage } from "../integration/consensus-integration.js";
import type {
  MempoolChanged,
  MempoolMessage,
  WaitingTransactions,
} from "../integration/mempool-integration.js";
import { BlockRelay, type ForwardedBlock } from "./block-relay.js";
import { atFloor, type Prices } from "./fee-floor.js";
import { GossipTimes, type NewsKind } from "./gossip-times.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";
import type { ReputationMessage } from "./peer-reputation.js";
import type { PeerTableEvent, RegistryMessage } from "./peer-table.js";

export type BroadcasterMessage =
  /** The peer has these blocks or transactions: it sent or announced them. */
  | {
      readonly type: "PeerKnows";
      readonly what: NewsKind;
      readonly peerId: PeerId;
      readonly hashes: readonly HashHex[];
    }
  | {
      readonly type: "RelayTransactions";
      readonly ids: readonly HashHex[];
      readonly prices?: Prices;
    }
  /** The peer takes nothing that pays less. */
  | { readonly type: "PeerFloor"; readonly peerId: PeerId; readonly gasPrice: bigint }
  | ({ readonly type: "ForwardBlock" } & ForwardedBlock)
  | { readonly type: "AnnounceDue" }
  /** What was measured is to be told to the registry. */
  | { readonly type: "FiguresDue" }
  /** The next slice of what waits is due for the new peers. */
  | { readonly type: "WelcomeDue" }
  | { readonly type: "Waiting"; readonly outcome: AskOutcome<WaitingTransactions> }
  /** Those that returned are to be announced to all, whatever they were told before. */
  | MempoolChanged
  | ChainChanged
  | PeerTableEvent;

export interface BroadcasterArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly mempool: ActorRef<MempoolMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
}

export type BroadcasterEnv = Pick<NodeEnv, "blocks" | "config" | "consensus" | "memory" | "random">;

interface Peer {
  readonly peerId: PeerId;
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly capabilities: ReadonlySet<string>;
  /** The heaviest head that it claimed: a heavier peer needs no news of ours. */
  claimedDifficulty: bigint;
  /** The least price that it takes. */
  floor: bigint;
  /** Blocks and transactions it has, as far as we saw. */
  readonly known: IdCache;
  /** Ids that wait for the next announcement, unless the peer announces them first. */
  readonly pending: Set<HashHex>;
}

/** New peers that hear together, slice by slice, of the transactions that wait. */
interface Welcome {
  readonly peerIds: ReadonlySet<PeerId>;
  /** Ids that they may still be told. */
  left: number;
}

interface State extends Pick<BroadcasterArgs, "registry" | "mempool" | "reputation"> {
  readonly peers: Map<PeerId, Peer>;
  timing: boolean;
  /** Became ready since the last welcome began. */
  newcomers: Set<PeerId>;
  welcome: Welcome | undefined;
  readonly idsLease: Lease;
  readonly times: GossipTimes;
  readonly relay: BlockRelay<Peer>;
  /** The timer of FiguresDue runs. */
  telling: boolean;
}

type Ctx = Context<BroadcasterMessage, BroadcasterEnv>;

/** Of waiting transactions, to a new peer at once. */
const WELCOME_SLICE_IDS = 512;
const MEMPOOL_TIMEOUT_MS = 5_000;
const FIGURES_INTERVAL_MS = 5_000;

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
    isControl: ({ type }) => !DATA.has(type),
  },
  onFault: RESTART,

  init(context, args) {
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    args.mempool.tell({ type: "Subscribe", subscriber: context.self });
    const peers: State["peers"] = new Map();
    const times = new GossipTimes(context.env.config.reputation.repeatsPerMinuteMax);
    const delayMsOf = (peerId: PeerId) => times.of(peerId).blockDelayMs;
    return {
      ...args,
      peers,
      relay: new BlockRelay(peers, delayMsOf, context.env),
      timing: false,
      newcomers: new Set(),
      welcome: undefined,
      idsLease: context.owns(context.env.memory.lease("knownIds")),
      times,
      telling: false,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady":
        state.peers.set(message.peerId, {
          peerId: message.peerId,
          handler: message.handler,
          capabilities: message.capabilities,
          claimedDifficulty: message.head.claimed.totalDifficulty,
          floor: 0n,
          known: new IdCache(context.env.config.gossip.knownPerPeerMax),
          pending: new Set(),
        });
        state.times.joined(message.peerId, context.nowMs);
        if (!message.capabilities.has("transactions/1")) return;
        state.newcomers.add(message.peerId);
        welcomeLater(state, context);
        return;
      case "PeerGone":
        if (!message.wasReady) return;
        state.peers.delete(message.peerId);
        state.times.gone(message.peerId);
        state.newcomers.delete(message.peerId);
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
      case "RelayTransactions":
        for (const id of message.ids) state.times.proven("transaction", id);
        for (const peer of state.peers.values()) {
          const ids = atFloor(peer.floor, message.ids, message.prices);
          announceLater(
            state,
            peer,
            ids.filter((id) => !peer.known.has(id)),
            context,
          );
        }
        return;
      case "PeerFloor": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.floor = message.gasPrice;
        return;
      }
      case "ForwardBlock":
        state.relay.forward(message);
        return;
      case "ReturnedTransactions":
        for (const peer of state.peers.values()) {
          const ids = atFloor(peer.floor, message.ids, message.prices);
          announceLater(state, peer, ids, context);
        }
        return;
      case "EvictedTransactions":
        // It would be asked for what it does not have any more.
        for (const { pending } of state.peers.values()) {
          for (const id of message.ids) pending.delete(id);
        }
        return;
      case "WelcomeDue":
        welcome(state, context);
        return;
      case "Waiting":
        waiting(state, message.outcome, context);
        return;
      case "AnnounceDue":
        state.timing = false;
        for (const [peerId, peer] of state.peers) {
          state.times.sent(peerId, peer.pending.size);
          announceTransactions(peer);
        }
        return;
      case "FiguresDue":
        tellFigures(state);
        return;
      case "ChainChanged":
        for (const { header } of message.connected) state.times.proven("block", header.hash);
        state.relay.head(message);
        return;
      default:
        unreachable(message);
    }
  },

  afterBatch({ idsLease, peers, times }) {
    let { bytes } = times;
    for (const { known, pending } of peers.values()) {
      bytes += known.size * KNOWN_ID_BYTES + pending.size * PENDING_ID_BYTES;
    }
    idsLease.resize(bytes);
  },

  invariants({ peers, newcomers, times }, { env }) {
    times.invariants();
    const { knownPerPeerMax } = env.config.gossip;
    for (const peerId of newcomers) invariant(peers.has(peerId), "newcomers are ready peers");
    for (const { known, pending } of peers.values()) {
      invariant(known.size <= knownPerPeerMax, `${known.size} known items of a peer`);
      invariant(pending.size <= knownPerPeerMax, `${pending.size} announcements wait`);
    }
  },
});

const DATA: ReadonlySet<BroadcasterMessage["type"]> = new Set([
  "PeerKnows",
  "RelayTransactions",
  "ReturnedTransactions",
  "EvictedTransactions",
]);

function peerKnows(
  state: State,
  { what, peerId, hashes }: Extract<BroadcasterMessage, { type: "PeerKnows" }>,
  context: Ctx,
): void {
  const { peers, times } = state;
  const peer = peers.get(peerId);
  if (peer === undefined) return;
  for (const hash of hashes) {
    if (peer.known.has(hash)) {
      if (times.repeated(peerId, context.nowMs)) tooOften(state, peerId);
    } else {
      const isFirst = (): boolean => [...peers.values()].every(({ known }) => !known.has(hash));
      times.told(what, hash, peerId, isFirst, context.nowMs);
    }
    peer.known.add(hash);
    peer.pending.delete(hash);
  }
  if (state.telling) return;
  state.telling = true;
  context.startTimer("figures", FIGURES_INTERVAL_MS, { type: "FiguresDue" });
}

function tooOften({ reputation }: State, peerId: PeerId): void {
  const detail = "it tells again and again what it told before";
  reputation.tell({ type: "Report", peerId, event: "DuplicateData", detail });
}

/** Those of the peers about whom something changed. */
function tellFigures(state: State): void {
  state.telling = false;
  const figures = state.times.takeChanged();
  if (figures.length > 0) state.registry.tell({ type: "GossipMeasured", figures });
}

function announceLater(
  state: State,
  { capabilities, pending }: Peer,
  ids: readonly HashHex[],
  context: Ctx,
): void {
  if (ids.length === 0 || !capabilities.has("transactions/1")) return;
  const { knownPerPeerMax, announceIntervalMs } = context.env.config.gossip;
  for (const id of ids) pending.add(id);
  // The oldest are the likeliest to have reached the peer by others.
  for (const id of pending) {
    if (pending.size <= knownPerPeerMax) break;
    pending.delete(id);
  }
  if (state.timing) return;
  state.timing = true;
  // Nodes that heard of a transaction together would announce it to each other together: of two
  // that wait for different times only one does, for the other is told meanwhile.
  context.startTimer("announce", around(announceIntervalMs, context), { type: "AnnounceDue" });
}

/** Between half of it and half as much again. */
function around(meanMs: number, { env }: Ctx): number {
  return meanMs * (0.5 + env.random.float());
}

/** Peers that become ready meanwhile are welcomed together. */
function welcomeLater(state: State, context: Ctx): void {
  if (state.welcome !== undefined || state.newcomers.size === 0) return;
  const { newPeerDelayMs } = context.env.config.gossip;
  context.startTimer("welcome", around(newPeerDelayMs, context), { type: "WelcomeDue" });
}

function welcome(state: State, context: Ctx): void {
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

function waiting(state: State, outcome: AskOutcome<WaitingTransactions>, context: Ctx): void {
  const current = state.welcome;
  if (current === undefined) return;
  const { ids, prices, done } = outcome.ok
    ? outcome.value
    : { ids: [], prices: undefined, done: true };
  // Without an answer they are welcomed with the next ones.
  if (!outcome.ok) {
    for (const peerId of current.peerIds) if (state.peers.has(peerId)) state.newcomers.add(peerId);
  }
  for (const peerId of current.peerIds) {
    const peer = state.peers.get(peerId);
    if (peer === undefined) continue;
    announceLater(
      state,
      peer,
      atFloor(peer.floor, ids, prices).filter((id) => !peer.known.has(id)),
      context,
    );
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

function announceTransactions({ handler, known, pending }: Peer): void {
  const waiting = [...pending];
  pending.clear();
  const { announcedTransactionsMax } = ITEM_LIMITS;
  for (let start = 0; start < waiting.length; start += announcedTransactionsMax) {
    const ids = waiting.slice(start, start + announcedTransactionsMax);
    for (const id of ids) known.add(id);
    handler.tell({ type: "Send", message: { kind: "AnnounceTransactions", ids } });
  }
}
