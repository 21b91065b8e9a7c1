// What there is to read about each type of event: its name over HTTP, its topic, its members and when it
// is told. docs/events.md is made of it.

import type { EventPayloads, NetworkEventType } from "./event-types.js";

export const TOPICS = ["listener", "peer", "block", "transaction", "chain", "sync"] as const;
export type Topic = (typeof TOPICS)[number];

interface EventRow<P> {
  /** Over HTTP; `topic.what`. */
  readonly name: `${Topic}.${string}` | "missed";
  readonly text: string;
  /** What each member is. */
  readonly members: { readonly [K in keyof Required<P>]: string };
}

const PEER = "a peer id";
const HASH = "a block hash";
const HEIGHT = "a height";
const ID = "a transaction id";
const RULE = "the rule that was broken";
const WORDS = "words for people";
const POINT = "`{ hash, height }`";

export const EVENTS: { readonly [T in NetworkEventType]: EventRow<EventPayloads[T]> } = {
  ListenerBound: {
    name: "listener.bound",
    text: "The node listens at this address.",
    members: { address: "with the real port" },
  },
  ConnectionRefused: {
    name: "listener.refused",
    text: "A raw connection was refused before anybody was known to be a peer.",
    members: { remoteAddress: "host and port", rule: RULE, detail: WORDS },
  },
  PeerConnected: {
    name: "peer.connected",
    text: "A peer is ready.",
    members: {
      peerId: PEER,
      address: "of its connection",
      direction: "`inbound` or `outbound`",
      agent: "its software",
      nodeId: "its own name",
    },
  },
  PeerDisconnected: {
    name: "peer.disconnected",
    text: "Its connection ended.",
    members: {
      peerId: PEER,
      reason: "of the list of docs/protocol.md, or `Closed`, `Fault`, `Operator`",
      rule: "with `ProtocolViolation`, where it is known",
      detail: WORDS,
      byPeer: "the other side says so",
    },
  },
  PeerBanned: {
    name: "peer.banned",
    text: "A peer is kept out.",
    members: {
      peerId: PEER,
      untilWallMs: "until when",
      reason: "why",
      rule: "where it is known",
      detail: WORDS,
      by: "`operator`, when it is theirs",
      count: "how often by now",
    },
  },
  PeerUnbanned: {
    name: "peer.unbanned",
    text: "Its ban is over, or lifted. Of bans that are remembered it is said again at each start.",
    members: { peerId: PEER },
  },
  ReputationChanged: {
    name: "peer.reputation",
    text: "The deeds of a peer brought it into another class, or keep it in one that passes.",
    members: { peerId: PEER, standing: "as `class` of `/peers`", score: "its points" },
  },
  BlockReceived: {
    name: "block.received",
    text:
      "A block near the tip is here and is checked. It ends in one of `block.connected`, " +
      "`block.rejected`, `block.set-aside`, `block.dropped`. Those of a sync are told when they connect.",
    members: { hash: HASH, height: HEIGHT, peerId: "of whom; absent: made here" },
  },
  BlockValidated: {
    name: "block.validated",
    text: "Its bytes keep all rules; the state below it is judged when it connects.",
    members: { hash: HASH, height: HEIGHT },
  },
  BlockSetAside: {
    name: "block.set-aside",
    text: "It is valid and kept beside the chain, on a branch that is not the best.",
    members: { hash: HASH, height: HEIGHT },
  },
  BlockDropped: {
    name: "block.dropped",
    text: "It was let go without a judgement, and may come again.",
    members: {
      hash: HASH,
      height: HEIGHT,
      reason: "`busy`, `lost`, `orphan`, `too-deep`, `light`, `store-failed` or `ended`",
    },
  },
  BlockConnected: {
    name: "block.connected",
    text: "It is the new head, and durable: a crash after this event does not lose it.",
    members: { hash: HASH, height: HEIGHT, transactionCount: "how many it holds" },
  },
  BlockDisconnected: {
    name: "block.disconnected",
    text: "It was the head, and is in the chain no more.",
    members: { hash: HASH, height: HEIGHT },
  },
  BlockRejected: {
    name: "block.rejected",
    text: "It breaks a rule; of a sync's block it is told too.",
    members: { hash: HASH, rule: RULE, detail: WORDS, peerId: "of whom; absent: made here" },
  },
  ChainReorganised: {
    name: "chain.reorg",
    text:
      "The chain moved to another branch. Each block that leaves and joins is told after it, by " +
      "`block.disconnected` and `block.connected`.",
    members: {
      from: `the head before, ${POINT}`,
      to: `the head after, ${POINT}`,
      fork: `the last block that both have, ${POINT}`,
      disconnected: `${POINT} each, downward; at most 256, those next to the fork`,
      connected: `${POINT} each, upward; at most 256, those next to the fork`,
      disconnectedCount: "how many left",
      connectedCount: "how many joined",
    },
  },
  TransactionReceived: {
    name: "transaction.received",
    text:
      "A transaction that was not known is here and is checked. It ends in `transaction.accepted` or " +
      "`transaction.rejected`.",
    members: { id: ID, peerId: "of whom; absent: submitted here" },
  },
  TransactionValidated: {
    name: "transaction.validated",
    text: "Its bytes and its signature keep all rules; the mempool has not judged it.",
    members: { id: ID },
  },
  TransactionAccepted: {
    name: "transaction.accepted",
    text:
      "It is in the mempool. It ends in `transaction.confirmed` or `transaction.dropped`, unless the " +
      "node ends first.",
    members: { id: ID },
  },
  TransactionRejected: {
    name: "transaction.rejected",
    text: "It breaks a rule, or the mempool does not take it.",
    members: { id: ID, rule: RULE, detail: WORDS, peerId: "of whom; absent: submitted here" },
  },
  TransactionDropped: {
    name: "transaction.dropped",
    text: "It left the mempool and is in no block: evicted, replaced, stale or expired.",
    members: { id: ID, rule: "why", detail: WORDS },
  },
  TransactionConfirmed: {
    name: "transaction.confirmed",
    text:
      "It was in the mempool, and is in a block of the chain now; durable once that block's " +
      "`block.connected` was told.",
    members: { id: ID, blockHash: HASH, height: HEIGHT },
  },
  TransactionReturned: {
    name: "transaction.returned",
    text: "The block that it was in was abandoned: it waits in the mempool again.",
    members: { id: ID },
  },
  SyncRequested: {
    name: "sync.requested",
    text: "A peer that claims a better chain is asked for its headers.",
    members: { peerId: PEER, claimedHeight: "what it claims, as text" },
  },
  SyncStarted: {
    name: "sync.started",
    text: "A better chain is proven, and its blocks are fetched.",
    members: {
      strategy: "`full` or `incremental`",
      fromHeight: HEIGHT,
      peerId: "whose headers they are",
    },
  },
  SyncProgressed: {
    name: "sync.progressed",
    text: "Blocks of it were connected.",
    members: {
      height: HEIGHT,
      targetHeight: "of the best proven header",
      transactionCount: "those of this session",
    },
  },
  SyncFinished: {
    name: "sync.completed",
    text: "It is connected, or nothing of it is better any more.",
    members: { height: HEIGHT, headHash: HASH },
  },
  SyncFailed: {
    name: "sync.failed",
    text: "The rest of it cannot be had.",
    members: { peerId: PEER, reason: WORDS },
  },
  EventsMissed: {
    name: "missed",
    text: "Events were missed here; those that follow are whole again.",
    members: {
      reason: "`slow`, `forgotten` (the node keeps no more) or `restarted`",
      count: "how many; of `forgotten` at most so many; null: unknown",
      firstId: "the first id that was skipped, or null",
      lastId: "the last one, or null",
    },
  },
};

export const EVENT_TYPES = Object.keys(EVENTS) as readonly NetworkEventType[];

/** Those that somebody publishes: who misses events is told so, whatever else they asked for. */
export const PUBLISHED_TYPES = EVENT_TYPES.filter((type) => type !== "EventsMissed");

/** There are some for each transaction: published only while somebody hears them. */
export const GATED_TYPES: ReadonlySet<NetworkEventType> = new Set([
  "TransactionReceived",
  "TransactionValidated",
  "TransactionAccepted",
  "TransactionRejected",
  "TransactionDropped",
  "TransactionConfirmed",
  "TransactionReturned",
]);

export function isEventType(text: unknown): text is NetworkEventType {
  return typeof text === "string" && Object.hasOwn(EVENTS, text);
}

export function topicOf(type: NetworkEventType): Topic | undefined {
  const [topic] = EVENTS[type].name.split(".") as [Topic | "missed"];
  return topic === "missed" ? undefined : topic;
}

/** Those of a name or of a topic; undefined: there is no such thing. */
export function typesNamed(text: string): readonly NetworkEventType[] | undefined {
  const found = PUBLISHED_TYPES.filter((type) => {
    return EVENTS[type].name === text || topicOf(type) === text;
  });
  return found.length === 0 ? undefined : found;
}
