// Peer registry (there is no plainer one: its name is from the first description of the system):
// the one owner of the peer book and the parent of every PeerHandler.
// Told by: listener, dialer, peer handlers, reputation, service. Tells: subscribers (sync,
// broadcaster), dialer, reputation, event bus, peer handlers. A fault escalates: without its book
// the registry would keep connections that it no longer knows.

import { departedFit } from "../../config/memory-plan.js";
import { invariant } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import type { Connection } from "../../ports.js";
import { formatAddress, parseAddress, type Endpoint } from "../../protocol/address.js";
import type { NodeEnv } from "../env.js";
import { TrafficCounts } from "../../protocol/session/traffic.js";
import { originOf } from "./eviction.js";
import { historyOf } from "./explain-peer.js";
import { guardPeerStore } from "./guarded-peer-store.js";
import { BLOCKS_ONLY, LocalInfo } from "./local-info.js";
import { PeerBook } from "./peer-book.js";
import { goneEvent, readyEvent, type Entry } from "./peer-entry.js";
import { peerHandler } from "./peer-handler.js";
import type { PeerHandlerMessage, PingOutcome } from "./peer-handler-messages.js";
import type { Admission } from "./peer-manager.js";
import { NO_GOSSIP } from "./gossip-times.js";
import { NO_DEEDS } from "./peer-deeds.js";
import { PeerPerformance, performanceOf } from "./peer-performance.js";
import type { ReputationMessage } from "./peer-reputation.js";
import { connected, type PeerState } from "./peer-state.js";
import type { PeerTableEvent, RegistryMessage } from "./peer-table.js";
import {
  answerDrained,
  evict,
  leave,
  leaveSurplus,
  lingers,
  ready,
  replace,
  stopped,
  tellGone,
} from "./registry-connections.js";
import {
  aboutAddresses,
  keepAddresses,
  openAddresses,
  restoreAnchors,
  writeAllAddresses,
} from "./registry-addresses.js";
import { aboutControl } from "./registry-control.js";
import { aboutDials, connectionEnded, newDials } from "./registry-dials.js";
import type { PeerExplanation } from "./reputation-ledger.js";
import { aboutFigures, reports } from "./registry-figures.js";
import { aboutVerdicts, endBans, keepChanges } from "./registry-verdicts.js";
import {
  announce,
  momentOf,
  type RegistryArgs,
  type RegistryContext as Ctx,
  type RegistryState as State,
} from "./registry-state.js";

export type { RegistryArgs } from "./registry-state.js";

/** What ends with a connection. */
const OF_CONNECTIONS = ["windowGrowth", "inboxes", "sendQueues", "queueGrowth"] as const;

export const advancedPeerRegistry = defineActor<RegistryArgs, RegistryMessage, State, NodeEnv>({
  name: "registry",
  mailbox: {
    dataMax: 16_384,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    dispose: (message) => void (message.type === "Connected" && message.connection.destroy()),
    isControl: (message) => !DATA.has(message.type),
  },
  onFault: ESCALATE,

  init(context, args) {
    args.reputation.tell({ type: "Subscribe", subscriber: context.self });
    const { config, log, peerId, peers, random } = context.env;
    const store = guardPeerStore(peers, log);
    const keeping = openAddresses(store, random);
    const book = new PeerBook({
      self: peerId,
      config,
      schemes: new Set(context.env.transports.keys()),
      secret: keeping.secret,
      float: () => random.float(),
    });
    for (const text of config.staticPeers) book.endpoints.add(parseAddress(text), "static");
    context.env.throttle.trusted = book.trusted;
    for (const seed of config.seedPeers) book.endpoints.add(parseAddress(seed), "configured");
    const bans = book.records.restore(store.records(), momentOf(context));
    if (bans.length > 0) args.reputation.tell({ type: "RestoreBans", bans });
    for (const id of book.trust.byOperator) args.reputation.tell({ type: "Trust", peerId: id });
    const { forgotten } = book.trust;
    if (forgotten.length > 0)
      log.write("warn", "trustedMax leaves no room for peers", { forgotten });
    restoreAnchors({ book, keeping });
    keepAddresses({ book, keeping, store }, context);
    endBans({ book, events: args.events }, context);
    return {
      ...args,
      ...newDials(context.env, book),
      store,
      keeping,
      subscribers: new Map(),
      traffic: new TrafficCounts(context.env.protocols),
      local: new LocalInfo(context.env),
      localBlocks: new LocalInfo(context.env, BLOCKS_ONLY),
      nextId: 1,
      commands: 0,
      stopping: false,
      drained: undefined,
    };
  },

  receive(state, message, context) {
    dealWith(state, message, context);
    keepChanges(state);
    keepAddresses(state, context);
  },

  signal(state, signal, context) {
    if (signal.type === "stopping") tellGone(state);
    if (signal.type === "terminated") state.subscribers.delete(signal.path);
    // A signal overtakes messages: what the handler told before it stopped comes first.
    if (signal.type === "childStopped") {
      context.self.tell({ type: "HandlerStopped", path: signal.path, error: signal.error });
    }
  },

  invariants({ book, stopping }, { env }) {
    book.invariants();
    const { size, closingCount } = book.connections;
    const { closingMax } = env.config.inbound;
    invariant(stopping || closingCount <= closingMax, `${closingCount} connections are closing`);
    if (size === 0) env.memory.nothingLeased(OF_CONNECTIONS);
  },

  atRest({ waiting, commands }) {
    invariant(waiting.size === 0, `${waiting.size} addresses are waited for`);
    invariant(commands === 0, `${commands} commands are not carried out`);
  },
});

function dealWith(state: State, message: RegistryMessage, context: Ctx): void {
  const { book } = state;
  switch (message.type) {
    case "Connected":
      accept(state, message.connection, message.dialed, context);
      return;
    case "HandlerReady":
      ready(state, message, context);
      return;
    case "HandlerClosing": {
      const entry = book.connections.get(message.connectionId);
      if (entry === undefined || entry.state.phase === "closing") return;
      leave(state, entry, message.gone, context);
      return;
    }
    case "HandlerStopped":
      stopped(state, message.path, message.error, context);
      return;
    case "HandlerMeasured":
    case "GossipMeasured":
    case "HeadClaimed":
      aboutFigures(state, message);
      return;
    case "DialDue":
      leaveSurplus(state, context);
      aboutDials(state, message, context);
      return;
    case "DialerStarted":
    case "DialEnded":
    case "Connect":
    case "GetDialStatus":
      aboutDials(state, message, context);
      return;
    case "AddressesLearned":
    case "SampleAddresses":
    case "AddressesDue":
    case "AddressesWritten":
      aboutAddresses(state, message, context);
      return;
    case "Listening":
      for (const said of [state.local, state.localBlocks]) said.bound(message.endpoints);
      return;
    case "Subscribe":
      subscribe(state, message.subscriber, context);
      return;
    case "GetPeers":
      message.replyTo.tell(reports(state, context));
      return;
    case "GetTraffic":
      message.replyTo.tell(state.traffic.byKind());
      return;
    case "PingPeer":
      ping(book.connections.readyOf(message.peerId)?.handler, message.replyTo, context);
      return;
    case "Explain":
    case "Explained":
      explain(state, message, context);
      return;
    case "BansDue":
      endBans(state, context);
      return;
    case "PeerBanned":
    case "BanForgotten":
    case "PeerJudged":
    case "PeerDid":
    case "Disconnect":
      aboutVerdicts(state, message, context);
      return;
    case "Shutdown":
      shutDown(state, message.replyTo, context);
      return;
    default:
      aboutControl(state, message, context);
  }
}

/** What peers and clients can cause at will: these wait in the bounded, refusing lane. */
const DATA: ReadonlySet<RegistryMessage["type"]> = new Set([
  "Connected",
  "HandlerMeasured",
  "GossipMeasured",
  "HeadClaimed",
  "AddressesLearned",
  "SampleAddresses",
  "GetPeers",
  "GetTraffic",
  "PingPeer",
  "Connect",
  "GetDialStatus",
  "Explain",
  "BanPeer",
  "UnbanPeer",
  "TrustPeer",
  "UntrustPeer",
  "DisconnectPeer",
  "GetTrusted",
  "FindPeers",
]);

/** Nobody is let in or dialed any more, and whoever is here goes. */
function shutDown(state: State, replyTo: ActorRef<"Drained">, context: Ctx): void {
  state.stopping = true;
  state.drained = replyTo;
  context.cancelTimer("dial");
  context.cancelTimer("addresses");
  writeAllAddresses(state);
  for (const { handler } of state.book.connections.all()) {
    handler.tell({ type: "Close", reason: "Shutdown", detail: "the node stops" });
  }
  answerDrained(state);
}

/** A fault of the policy costs this connection, not the table. */
function judge(
  { book }: State,
  connection: Connection,
  dialed: Endpoint | undefined,
  { env }: Ctx,
): Admission {
  try {
    if (book.isKnownBySecondAddress(connection.peerId, dialed)) {
      return { admit: false, reason: "DuplicateConnection", detail: "already connected" };
    }
    const admission = book.admit(connection, env.clock.monotonicMs());
    const open = [...book.connections.open()].length;
    if (!admission.admit || departedFit(env.memory.departed.bytes, open, env.config)) {
      return admission;
    }
    const detail = "messages of peers that left are still being dealt with";
    return { admit: false, reason: "TooManyConnections", detail };
  } catch (error) {
    const { peerId, remote } = connection;
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const fields = { peerId, remoteAddress: formatAddress(remote), error: shown };
    env.log.write("error", "a connection could not be judged", fields);
    return { admit: false, reason: "InternalError", detail: "it could not be judged" };
  }
}

function accept(
  state: State,
  connection: Connection,
  dialed: Endpoint | undefined,
  ctx: Ctx,
): void {
  const { env } = ctx;
  const { book } = state;
  if (state.stopping) {
    connection.destroy();
    return;
  }
  // Nobody comes in before it is said that its ban is over.
  endBans(state, ctx);
  const admission = judge(state, connection, dialed, ctx);
  // Whoever is refused hears why, but those who will not hang up must not pile up.
  const { pendingMax } = env.config.inbound;
  const mayPileUp = !admission.admit && connection.direction === "inbound";
  if (mayPileUp && book.connections.refusedCount() >= pendingMax) {
    connection.destroy();
    return;
  }
  const { peerId, direction, remote } = connection;
  if (admission.admit) {
    replace(state, peerId, "handshaking", ctx);
    if (admission.evicted !== undefined) evict(state, admission.evicted, ctx);
  }
  const purpose = book.purposeOf(dialed);
  const id = state.nextId++;
  const handler = ctx.spawn(
    peerHandler,
    {
      connection,
      connectionId: id,
      registry: ctx.self,
      router: state.router,
      reputation: state.reputation,
      traffic: state.traffic,
      local: purpose === "blocks" ? state.localBlocks : state.local,
      isTrusted: book.trusted.has(peerId),
      // A connection that is refused still hears why, so that an honest peer backs off rightly.
      ...(admission.admit ? {} : { refusal: admission }),
    },
    { name: `peer-${id}` },
  );
  const deeds = book.peers.get(peerId)?.deeds ?? NO_DEEDS;
  const entry: Entry = {
    id,
    peerId,
    direction,
    remote,
    origin: originOf(remote.host),
    dialed,
    purpose,
    handler,
    state: admission.admit ? connected(env.clock.monotonicMs()) : REFUSED,
    head: undefined,
    capabilities: new Set(),
    performance: performanceOf(new PeerPerformance().snapshot(), NO_GOSSIP, deeds),
    deeds,
    gone: admission.admit
      ? { reason: "Closed", byPeer: false, detail: "" }
      : { reason: admission.reason, byPeer: false, detail: admission.detail },
  };
  book.connected(entry);
  if (admission.admit) return;
  lingers(state, ctx);
  announce(state, goneEvent(entry, 0));
  connectionEnded(state, entry, 0, ctx);
}

const REFUSED: PeerState = { phase: "closing", sinceMs: 0, wasReady: false };

function subscribe(state: State, subscriber: ActorRef<PeerTableEvent>, ctx: Ctx): void {
  state.subscribers.set(subscriber.path, subscriber);
  ctx.watch(subscriber);
  for (const entry of state.book.connections.all()) {
    if (entry.state.phase !== "ready") continue;
    subscriber.tell(readyEvent(entry, entry.state.info));
  }
}

function ping(
  handler: ActorRef<PeerHandlerMessage> | undefined,
  replyTo: ActorRef<PingOutcome>,
  context: Ctx,
): void {
  if (handler === undefined) replyTo.tell({ elapsedMs: undefined });
  else context.forward(handler, { type: "Ping", replyTo }, replyTo);
}

/** Without the reasons of its score, if reputation cannot tell them in time. */
function explain(
  { book, reputation }: State,
  message: Extract<RegistryMessage, { type: "Explain" | "Explained" }>,
  context: Ctx,
): void {
  const { peerId, replyTo } = message;
  if (message.type === "Explained") {
    const ledger = message.outcome.ok ? message.outcome.value : undefined;
    replyTo.tell(historyOf(book, peerId, ledger, momentOf(context)));
    return;
  }
  context.ask<ReputationMessage, PeerExplanation>(
    reputation,
    (to) => ({ type: "Explain", peerId, replyTo: to }),
    context.env.config.calls.timeoutMs / 2,
    (outcome) => ({ type: "Explained", peerId, outcome, replyTo }),
  );
}
