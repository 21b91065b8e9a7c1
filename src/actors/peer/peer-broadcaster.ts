// PeerBroadcaster: fan-out to the ready peers. Remembers what each peer knows, pushes new blocks to
// one of them, announces them to the rest by hash, and gathers announcements.
// Told by: registry, handlers, consensus integration. Tells: peer handlers.

import { invariant, unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { IdCache } from "../id-cache.js";
import { RESTART } from "../policies.js";
import type { HashHex, HeaderSummary } from "../../chain/types.js";
import type { PeerId } from "../../ports.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import type { ChainChanged } from "../integration/chain-events.js";
import type { ConsensusMessage } from "../integration/consensus-integration.js";
import type { PeerHandlerMessage } from "./peer-handler-messages.js";
import type { PeerTableEvent, RegistryMessage } from "./peer-table.js";

export type BroadcasterMessage =
  /** The peer has these blocks or transactions: it sent or announced them. */
  | { readonly type: "PeerKnows"; readonly peerId: PeerId; readonly hashes: readonly HashHex[] }
  | { readonly type: "RelayTransactions"; readonly ids: readonly HashHex[] }
  | { readonly type: "AnnounceDue" }
  | ChainChanged
  | PeerTableEvent;

export interface BroadcasterArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly consensus: ActorRef<ConsensusMessage>;
}

export type BroadcasterEnv = Pick<NodeEnv, "config" | "random">;

interface Peer {
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly capabilities: ReadonlySet<string>;
  /** The heaviest head that it claimed: a heavier peer needs no news of ours. */
  claimedDifficulty: bigint;
  /** Blocks and transactions it has, as far as we saw. */
  readonly known: IdCache;
  /** Ids that wait for the next announcement, unless the peer announces them first. */
  readonly pending: Set<HashHex>;
}

interface State {
  readonly peers: Map<PeerId, Peer>;
  timing: boolean;
}

type Ctx = Context<BroadcasterMessage, BroadcasterEnv>;

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
    isControl: ({ type }) => type !== "PeerKnows" && type !== "RelayTransactions",
  },
  onFault: RESTART,

  init(context, args) {
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    return { peers: new Map(), timing: false };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady":
        state.peers.set(message.peerId, {
          handler: message.handler,
          capabilities: message.capabilities,
          claimedDifficulty: message.head.claimed.totalDifficulty,
          known: new IdCache(context.env.config.gossip.knownPerPeerMax),
          pending: new Set(),
        });
        return;
      case "PeerGone":
        if (message.wasReady) state.peers.delete(message.peerId);
        return;
      case "PeerClaimed": {
        const peer = state.peers.get(message.peerId);
        if (peer !== undefined) peer.claimedDifficulty = message.head.claimed.totalDifficulty;
        return;
      }
      case "PeerMeasured":
        return;
      case "PeerKnows":
        peerKnows(state, message.peerId, message.hashes);
        return;
      case "RelayTransactions":
        relayTransactions(state, message.ids, context);
        return;
      case "AnnounceDue":
        state.timing = false;
        for (const peer of state.peers.values()) announceTransactions(peer);
        return;
      case "ChainChanged":
        relayHead(state, message, context);
        return;
      default:
        unreachable(message);
    }
  },

  invariants({ peers }, { env }) {
    const { knownPerPeerMax } = env.config.gossip;
    for (const { known, pending } of peers.values()) {
      invariant(known.size <= knownPerPeerMax, `${known.size} known items of a peer`);
      invariant(pending.size <= knownPerPeerMax, `${pending.size} announcements wait`);
    }
  },
});

function peerKnows(state: State, peerId: PeerId, hashes: readonly HashHex[]): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  for (const hash of hashes) {
    peer.known.add(hash);
    peer.pending.delete(hash);
  }
}

function relayTransactions(state: State, ids: readonly HashHex[], context: Ctx): void {
  const { knownPerPeerMax, announceIntervalMs } = context.env.config.gossip;
  for (const { capabilities, known, pending } of state.peers.values()) {
    if (!capabilities.has("transactions/1")) continue;
    for (const id of ids) if (!known.has(id)) pending.add(id);
    // The oldest are the likeliest to have reached the peer by others.
    for (const id of pending) {
      if (pending.size <= knownPerPeerMax) break;
      pending.delete(id);
    }
  }
  if (state.timing) return;
  state.timing = true;
  // Nodes that heard of a transaction together would announce it to each other together: of two
  // that wait for different times only one does, for the other is told meanwhile.
  const delayMs = announceIntervalMs * (0.5 + context.env.random.float());
  context.startTimer("announce", delayMs, { type: "AnnounceDue" });
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

/** A single new block is pushed to some and announced to others; a longer step only announced. */
function relayHead(state: State, change: ChainChanged, context: Ctx): void {
  const { head, connected } = change;
  const receivers: Peer[] = [];
  for (const peer of state.peers.values()) {
    if (!peer.capabilities.has("blocks/1") || peer.known.has(head.hash)) continue;
    if (peer.claimedDifficulty >= head.totalDifficulty) continue;
    receivers.push(peer);
  }
  if (receivers.length === 0) return;
  const block = connected.length === 1 ? connected[0]?.bytes : undefined;
  const pushes = block === undefined ? 0 : context.env.config.gossip.blockPushes;
  shuffle(receivers, context);
  const announcement = { kind: "AnnounceBlock", ...announcedHead(head) } as const;
  const pushed = pushes === 0 ? undefined : encodeMessage({ kind: "NewBlock", block: block! });
  for (const [index, peer] of receivers.entries()) {
    peer.known.add(head.hash);
    if (pushed !== undefined && index < pushes) {
      peer.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload: pushed });
    } else {
      peer.handler.tell({ type: "Send", message: announcement });
    }
  }
}

function announcedHead({ height, hash, totalDifficulty }: HeaderSummary) {
  return { height: BigInt(height), hash, totalDifficulty };
}

/** Fisher-Yates. */
function shuffle(list: unknown[], { env }: Ctx): void {
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(env.random.float() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
}
