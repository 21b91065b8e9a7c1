// A running network as its host sees it: the handle of startNetwork. Questions become messages to
// the NetworkService, events come back through taps.

import type { LimitsInput, NetworkConfig } from "./config.js";
import { CodedError, isCoded } from "./errors.js";
import type { ActorFigures, ActorRef } from "./runtime/actor.js";
import type { ActorSystem } from "./runtime/actor-system.js";
import type { HashHex, HeaderSummary } from "./types/chain.js";
import { peerControl, type PeerControl } from "./network/peer-control.js";
import type { ChainView, PeerId, ProtocolLink, TransactionLocation } from "./ports.js";
import type { NodeEnv } from "./actors/env.js";
import { parseDialable, type Endpoint } from "./protocol/address.js";
import { checkedId } from "./protocol/ids.js";
import type { EventBusMessage } from "./actors/events/event-bus.js";
import { eventAccess, type MissedEvents, type NetworkEvents } from "./network/event-access.js";
import type { MemoryLedger } from "./actors/memory-ledger.js";
import type { SubmitOutcome } from "./actors/handlers/transaction-handler-state.js";
import type { PeerReport } from "./actors/peer/peer-table.js";
import type { DialOutcome } from "./actors/service/dial-messages.js";
import type { PeerHistory } from "./actors/peer/peer-history.js";
import type { Traffic } from "./protocol/session/traffic.js";
import type { KindStatistics } from "./actors/service/message-router.js";
import type { NetworkMessage } from "./actors/service/network-messages.js";
import { full, Submissions } from "./actors/service/submissions.js";
import type { NodeStatus } from "./actors/service/node-status.js";
import type { LimitsReport } from "./actors/throttle/throttle.js";

/**
 * Once `stop` was called, or the network has ended by itself, every method but `stop` and
 * `diskWaitMs` (the stop itself may wait for the disk) rejects or throws STOPPED, with what ended it
 * as the cause. A question that an overloaded network cannot answer rejects with TIMEOUT, or at once
 * with QUEUE_FULL, which a command that cannot be taken now throws; one that was lost to a fault of the network's own with CRASHED. A peer id, a block
 * hash or a transaction id that is not 64 lower-case hex characters: ID_INVALID.
 */
export interface Network extends PeerControl, NetworkEvents {
  readonly peerId: PeerId;
  /** Where peers can reach this node, with the real ports; empty when it does not listen. */
  readonly listenAddresses: readonly string[];
  /** The first of them, or null. */
  readonly listenAddress: string | null;
  status(): Promise<NodeStatus>;
  peers(): Promise<readonly PeerReport[]>;
  /** What was handed to the handlers of each kind. */
  kindStatistics(): Promise<KindStatistics>;
  /** What all connections carried, by kind, those that have ended included. */
  traffic(): Promise<Traffic>;
  /** All that is known of a peer: the reasons of its score, its connections, where it was dialed. */
  explainPeer(peerId: PeerId): Promise<PeerHistory>;
  /**
   * Changes what connections may carry, at once and until the network ends: the settings `limits.*`
   * that are named, 0 for no limit. Answers all of them and what is used. Throws CONFIG_INVALID.
   */
  setLimits(changes: LimitsInput): LimitsReport;
  /** Milliseconds of a round trip on the control lane; undefined when the peer is not connected. */
  pingPeer(peerId: PeerId): Promise<number | undefined>;
  /**
   * Dials addresses, `tcp://[peerId@]host:port`, at once, whatever became of them before; they are
   * dialed again and again until `stop`, so the answer may be ignored. Resolves to the peers' ids, in
   * that order, when all are connected. Throws ADDRESS_INVALID. Rejects with DIAL_FAILED, which says
   * why, or with TIMEOUT after `calls.timeoutMs`.
   */
  connect(...addresses: string[]): Promise<readonly PeerId[]>;
  /**
   * Checks an encoded transaction, adds it to the mempool and announces it. The answer promises
   * that, not that any block will hold it.
   */
  broadcastTransaction(transaction: Uint8Array): Promise<SubmitOutcome>;
  /**
   * Takes an encoded block as if it had been produced here: checked, connected, announced. Throws
   * QUEUE_FULL while 64 of them, or `gossip.submittedBytesMax`, are being checked.
   */
  broadcastBlock(block: Uint8Array): void;
  head(): HeaderSummary;
  /** By hash, on any stored fork, or by canonical height. */
  header(at: HashHex | number): HeaderSummary | undefined;
  /** The encoded block, by hash or by canonical height. */
  block(at: HashHex | number): Uint8Array | undefined;
  /** Where a transaction was confirmed; undefined when it was not, or nothing is indexed. */
  locateTransaction(id: HashHex): Promise<TransactionLocation | undefined>;
  /** The way to the peers of a protocol that was brought along. Throws a TypeError for another one. */
  protocol(name: string): ProtocolLink;
  /** Events that were dropped because this process was too slow to take them. */
  readonly missed: number;
  /**
   * Messages that reached no actor: it had stopped or crashed meanwhile, or an answer came too late.
   * A few at each restart; many without one are a fault of the program.
   */
  deadLetters(): number;
  /** Figures of every actor. */
  figures(): readonly ActorFigures[];
  /** For how long the disk has owed an answer to a write; 0 when it owes none, or nothing is kept. */
  diskWaitMs(): number;
  /**
   * Resolves when the network has stopped because `stop` was called. Rejects, after everything was
   * released, with STORE_FAILED when the block store could not commit or start, with RULES_UNLOADABLE
   * or WORKER_LOST when no thread of the pool could start, and with STOPPED when an actor that the
   * network cannot do without gave up after repeated faults, which it names. Safe to ignore.
   */
  readonly stopped: Promise<void>;
  /** Says goodbye to the peers, makes everything durable and releases what it holds. */
  stop(): Promise<void>;
}

export interface NetworkParts {
  readonly system: ActorSystem<NodeEnv>;
  readonly service: ActorRef<NetworkMessage>;
  readonly events: ActorRef<EventBusMessage>;
  /** Resolves when the service stopped for good or must, to why it did unless it was asked for. */
  readonly serviceGone: Promise<CodedError>;
  readonly missed: MissedEvents;
  readonly memory: MemoryLedger;
  /** Of the protocols that services brought, by name. */
  readonly links: ReadonlyMap<string, ProtocolLink>;
  readonly peerId: PeerId;
  readonly listenAddresses: readonly string[];
  readonly blocks: ChainView;
  readonly config: NetworkConfig;
  readonly diskWaitMs: () => number;
  readonly setLimits: Network["setLimits"];
  /** Called when the network ends by itself, before anything of it is closed. */
  onFailure?(reason: CodedError): void;
  /** Closes the adapters, after the last actor. */
  close(): Promise<void>;
}

export function networkHandle(parts: NetworkParts): Network {
  const { system, service, blocks } = parts;
  const { running, withCause, ...life } = lifeOf(parts);

  const ask: Asking = async (question) =>
    withCause(running(system).ask(service, question, parts.config.calls.timeoutMs));
  const tell = (message: NetworkMessage): void => {
    if (!running(service).tell(message)) throw full("its mailbox is full");
  };

  const hashOf = (at: HashHex | number): HashHex | undefined =>
    typeof at === "number" ? running(blocks).hashAt(at) : checkedId("block hash", running(at));
  const peer = (id: PeerId): PeerId => checkedId("peer id", running(id));

  return {
    peerId: parts.peerId,
    ...listening(parts),
    status: () => ask((replyTo) => ({ type: "GetStatus", replyTo })),
    peers: () => ask((replyTo) => ({ type: "GetPeers", replyTo })),
    traffic: () => ask((replyTo) => ({ type: "GetTraffic", replyTo })),
    kindStatistics: () => ask((replyTo) => ({ type: "GetKindStatistics", replyTo })),
    async explainPeer(id) {
      const peerId = peer(id);
      return ask((replyTo) => ({ type: "ExplainPeer", peerId, replyTo }));
    },
    setLimits: (changes) => running(parts.setLimits)(changes),
    ...peerControl({ config: parts.config, assertRunning: () => void running(service), ask }),
    async pingPeer(id) {
      type Pong = { readonly elapsedMs: number | undefined };
      const peerId = peer(id);
      const pong = await ask<Pong>((replyTo) => ({ type: "PingPeer", peerId, replyTo }));
      return pong.elapsedMs;
    },
    connect(...addresses) {
      running(service);
      return connectTo(addresses.map(parseDialable), ask);
    },
    ...submitting(parts, { running, withCause }),
    head: () => running(blocks).head(),
    header(at) {
      const hash = hashOf(at);
      return hash === undefined ? undefined : running(blocks).summary(hash);
    },
    block(at) {
      const hash = hashOf(at);
      return hash === undefined ? undefined : running(blocks).block(hash);
    },
    async locateTransaction(text) {
      const id = checkedId("transaction id", running(text));
      const { location } = await ask<{ location?: TransactionLocation }>((replyTo) => ({
        type: "LocateTransaction",
        id,
        replyTo,
      }));
      return location;
    },
    protocol: (name) => linkOf(name, running(parts.links)),
    ...eventAccess(parts, { running, withCause, tell }),
    get missed() {
      return parts.missed.count;
    },
    deadLetters: () => running(system).deadLetters,
    figures: () => running(system).figures(),
    diskWaitMs: parts.diskWaitMs,
    ...life,
  };
}

function submitting(
  parts: NetworkParts,
  { running, withCause }: Pick<Life, "running" | "withCause">,
): Pick<Network, "broadcastTransaction" | "broadcastBlock"> {
  const askTimeoutMs = parts.config.calls.timeoutMs;
  const submissions = new Submissions({ ...parts, askTimeoutMs });
  return {
    async broadcastTransaction(transaction) {
      checkBytes("a transaction", transaction);
      return withCause(running(submissions).transaction(transaction));
    },
    broadcastBlock(block) {
      checkBytes("a block", block);
      running(submissions).block(block);
    },
  };
}

function listening({
  listenAddresses,
}: NetworkParts): Pick<Network, "listenAddresses" | "listenAddress"> {
  return { listenAddresses, listenAddress: listenAddresses[0] ?? null };
}

function linkOf(name: string, links: NetworkParts["links"]): ProtocolLink {
  const link = links.get(name);
  if (link === undefined) throw new TypeError(`this network was started without ${name}`);
  return link;
}

/** Safe to ignore. */
function connectTo(endpoints: readonly Endpoint[], ask: Asking): Promise<readonly PeerId[]> {
  const connected = endpoints.map(async (endpoint) => {
    const outcome = await ask<DialOutcome>((replyTo) => ({
      type: "Connect",
      endpoint,
      replyTo,
    }));
    if (outcome.ok) return outcome.peerId;
    throw new CodedError("DIAL_FAILED", outcome.why);
  });
  const all = Promise.all(connected);
  all.catch(() => undefined);
  return all;
}

type Asking = <R>(question: (replyTo: ActorRef<R>) => NetworkMessage) => Promise<R>;

interface Life extends Pick<Network, "stop" | "stopped"> {
  /** Answers `part` while the network runs, throws STOPPED after: first in every method. */
  readonly running: <T>(part: T) => T;
  /** The answer; when the network ended by itself before there was one, why. */
  readonly withCause: <T>(answer: Promise<T>) => Promise<T>;
}

function lifeOf(parts: NetworkParts): Life {
  let stopping: Promise<void> | undefined;
  let failure: CodedError | undefined;
  let settle = (): void => undefined;
  const stopped = new Promise<void>((resolve, reject) => {
    settle = () => (failure === undefined ? resolve() : reject(failure));
  });
  stopped.catch(() => undefined);
  const stop = (): Promise<void> => (stopping ??= stopAll(parts).finally(settle));
  void parts.serviceGone.then((reason) => {
    if (stopping === undefined) {
      failure = reason;
      parts.onFailure?.(reason);
    }
    return stop();
  });
  return {
    running(part) {
      if (stopping !== undefined) throw stoppedError(failure);
      return part;
    },
    withCause: (answer) =>
      answer.catch((error: unknown) => {
        throw failure !== undefined && isCoded(error, "STOPPED") ? stoppedError(failure) : error;
      }),
    stop,
    stopped,
  };
}

function stoppedError(cause: CodedError | undefined): CodedError {
  const why = cause === undefined ? "The network has stopped." : stoppedBecause(cause);
  return new CodedError("STOPPED", why, { cause });
}

function stoppedBecause({ message }: CodedError): string {
  return `The network has stopped: ${message}`;
}

async function stopAll(parts: NetworkParts): Promise<void> {
  // A service that does not answer is stopped all the same: the asking is a courtesy to peers.
  const { system, service } = parts;
  const patienceMs = parts.config.shutdown.drainMs + 2_000;
  await system
    .ask<NetworkMessage, "Stopped">(service, (replyTo) => ({ type: "Stop", replyTo }), patienceMs)
    .catch(() => undefined);
  await system.stop();
  await parts.close();
}

/** JavaScript hands in hex now and then: said to the caller, for an actor could only fail at it. */
function checkBytes(what: string, bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`${what} is handed in as a Uint8Array of its encoding`);
}
