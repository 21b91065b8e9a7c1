// Peer exchange: asks the peers that this node dialed where others can be dialed, answers whoever asks,
// and hands what it heard to the registry, whose book decides what becomes of it.
// Told by: message router, registry, peer handlers (answers). Tells: registry, peer handlers.

import { unreachable } from "../../errors.js";
import {
  defineActor,
  replyToOf,
  type ActorRef,
  type AskOutcome,
  type Context,
} from "../../runtime/actor.js";
import type { Direction, PeerId } from "../../ports.js";
import { reachOf, readAddress, type Endpoint, type Reach } from "../../protocol/address.js";
import { PEERS_CAPABILITY } from "../../protocol/kinds/peers.js";
import type { Answer } from "../peer/dealt.js";
import { handledKinds, ITEM_LIMITS } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import { askPeer, type RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming, PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { PeerTableEvent, RegistryMessage } from "../peer/peer-table.js";
import { RESTART } from "../policies.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import { DROP_REASONS, judgeHearsay, toldTo, type DropReason } from "./hearsay.js";
import { ToldSample } from "./told-sample.js";

export type PeerExchangeMessage =
  | Incoming<"GetPeers">
  | PeerTableEvent
  | RequestOutcome
  /** From itself. */
  | { readonly type: "AskDue"; readonly peerId: PeerId }
  | { readonly type: "Sampled"; readonly outcome: AskOutcome<readonly Endpoint[]> }
  | { readonly type: "GetExchangeStatus"; readonly replyTo: ActorRef<ExchangeStatus> };

/** Since the start of the actor, in places. */
export interface ExchangeStatus {
  /** Handed to the book, which may know them. */
  readonly heard: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  readonly told: number;
}

export interface PeerExchangeArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly registry: ActorRef<RegistryMessage>;
}

export type PeerExchangeEnv = Pick<NodeEnv, "config" | "log" | "random">;

interface Peer {
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly direction: Direction;
  readonly reach: Reach;
  /** The sample that it was given. */
  toldVersion: number;
  /** How often it was asked. */
  asked: number;
}

interface State extends PeerExchangeArgs {
  readonly peers: Map<PeerId, Peer>;
  readonly sample: ToldSample;
  /** Questions that wait for a sample; empty: none is being drawn. */
  readonly waiting: Incoming<"GetPeers">[];
  readonly dropped: Record<DropReason, number>;
  heard: number;
  told: number;
}

type Ctx = Context<PeerExchangeMessage, PeerExchangeEnv>;

const SAMPLE_TIMEOUT_MS = 5_000;
const NOT_AGAIN = { kind: "RequestRefused", reason: "RateLimited" } as const;

export const peerExchange = defineActor<
  PeerExchangeArgs,
  PeerExchangeMessage,
  State,
  PeerExchangeEnv
>({
  name: "exchange",
  mailbox: {
    dataMax: 256,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Incoming" && type !== "GetExchangeStatus",
  },
  onFault: RESTART,

  init(context, args) {
    const { config, random } = context.env;
    const handler = context.self as ActorRef<Incoming>;
    args.router.tell({ type: "Register", kinds: handledKinds(PEERS_CAPABILITY), handler });
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    const { sampleMs } = config.exchange;
    return {
      ...args,
      peers: new Map(),
      sample: new ToldSample({ sampleMs, float: () => random.float() }),
      waiting: [],
      dropped: noneDropped(),
      heard: 0,
      told: 0,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady":
        peerReady(state, message, context);
        return;
      case "PeerGone":
        if (!message.wasReady) return;
        state.peers.delete(message.peerId);
        context.cancelTimer(timerOf(message.peerId));
        return;
      case "PeerMeasured":
      case "PeerClaimed":
        return;
      case "AskDue":
        askDue(state, message.peerId, context);
        return;
      case "RequestOutcome": {
        const answer = message.ok ? message.message : undefined;
        if (answer?.kind === "Peers") hear(state, message.peerId, answer.endpoints, context);
        return;
      }
      case "Incoming":
        asked(state, message, context);
        return;
      case "Sampled":
        sampled(state, message.outcome, context);
        return;
      case "GetExchangeStatus": {
        const { heard, told, dropped } = state;
        message.replyTo.tell({ heard, told, dropped: { ...dropped } });
        return;
      }
      default:
        unreachable(message);
    }
  },
});

function peerReady(
  state: State,
  message: Extract<PeerTableEvent, { type: "PeerReady" }>,
  context: Ctx,
): void {
  const { peerId, handler, direction } = message;
  const { config } = context.env;
  const remote = readAddress(message.address);
  const isThere = remote.ok && config.exchange.localAddresses;
  const reach = isThere ? reachOf(remote.address.host) : "public";
  state.peers.set(peerId, { handler, direction, reach, toldVersion: 0, asked: 0 });
  if (!message.capabilities.has(PEERS_CAPABILITY)) return;
  if (direction === "outbound") ask(state, peerId, context);
  else askLater(peerId, 0, context);
}

/**
 * Whoever dialed this node is asked only while it has nobody whom it dialed itself: strangers come as
 * they like. It may be a seed that was quicker.
 */
function askDue(state: State, peerId: PeerId, context: Ctx): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  const isAlone = ![...state.peers.values()].some(({ direction }) => direction === "outbound");
  if (peer.direction === "outbound" || isAlone) ask(state, peerId, context);
  else askLater(peerId, peer.asked, context);
}

function ask(state: State, peerId: PeerId, context: Ctx): void {
  const peer = state.peers.get(peerId);
  if (peer === undefined) return;
  const message = { kind: "GetPeers", countMax: ITEM_LIMITS.peersMax } as const;
  // One is answered before the next is due: they need no numbers.
  askPeer({ peerId, handler: peer.handler, message, tag: 0 }, context);
  askLater(peerId, peer.asked++, context);
}

function askLater(peerId: PeerId, asked: number, context: Ctx): void {
  const { env } = context;
  const { askAgainMinMs, askAgainMaxMs } = env.config.exchange;
  const pauseMs = Math.min(askAgainMinMs * 2 ** Math.min(asked, 32), askAgainMaxMs);
  const drawnMs = pauseMs * (0.75 + 0.5 * env.random.float());
  context.startTimer(timerOf(peerId), drawnMs, { type: "AskDue", peerId });
}

function hear(state: State, peerId: PeerId, told: readonly Endpoint[], context: Ctx): void {
  const { taken, dropped } = judgeHearsay(told, context.env.config.exchange.localAddresses);
  for (const [reason, count] of dropped) state.dropped[reason] += count;
  if (taken.length === 0) return;
  state.heard += taken.length;
  state.registry.tell({ type: "AddressesLearned", from: peerId, endpoints: taken });
  context.env.log.write("debug", "heard of addresses", { peerId, count: taken.length });
}

function asked(state: State, incoming: Incoming<"GetPeers">, context: Ctx): void {
  if (state.waiting.length > 0) {
    state.waiting.push(incoming);
    return;
  }
  if (!state.sample.isDue(context.nowMs)) {
    incoming.replyTo.tell(answerTo(state, incoming));
    return;
  }
  state.waiting.push(incoming);
  context.ask<RegistryMessage, readonly Endpoint[]>(
    state.registry,
    (replyTo) => ({
      type: "SampleAddresses",
      countMax: ITEM_LIMITS.peersMax,
      local: true,
      replyTo,
    }),
    SAMPLE_TIMEOUT_MS,
    (outcome) => ({ type: "Sampled", outcome }),
  );
}

function sampled(state: State, outcome: AskOutcome<readonly Endpoint[]>, context: Ctx): void {
  if (outcome.ok) state.sample.offer(outcome.value, context.nowMs);
  for (const incoming of state.waiting.splice(0)) {
    incoming.replyTo.tell(answerTo(state, incoming));
  }
}

function answerTo(state: State, { peerId, message }: Incoming<"GetPeers">): Answer {
  const { sample } = state;
  const peer = state.peers.get(peerId);
  if (peer === undefined || peer.toldVersion === sample.version) return NOT_AGAIN;
  peer.toldVersion = sample.version;
  const endpoints = toldTo(sample.endpoints, peer.reach).slice(0, message.countMax);
  state.told += endpoints.length;
  return { kind: "Peers", endpoints };
}

function noneDropped(): Record<DropReason, number> {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<
    DropReason,
    number
  >;
}

function timerOf(peerId: PeerId): string {
  return `ask:${peerId}`;
}
