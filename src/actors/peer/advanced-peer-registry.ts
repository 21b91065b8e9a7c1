// Peer registry: the one owner of the peer table and the parent of every PeerHandler.
// Told by: listener, dialer, peer handlers, reputation, service. Tells: subscribers (dialer, sync,
// broadcaster), reputation, event bus, peer handlers. A fault escalates: without its table the
// registry would keep connections that it no longer knows.

import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import type { Connection, PeerId } from "../../ports.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import { formatAddress } from "../../protocol/address.js";
import { ByteBudget } from "./byte-budget.js";
import { LocalInfo } from "./local-info.js";
import { peerHandler } from "./peer-handler.js";
import type { Farewell, PeerHandlerMessage } from "./peer-handler-messages.js";
import { goneEvent, readyEvent, reportOf, type Entry } from "./peer-entry.js";
import { admit, type Admission } from "./peer-manager.js";
import { PeerPerformance } from "./peer-performance.js";
import { banText } from "./reputation-ledger.js";
import type { ReputationMessage } from "./peer-reputation.js";
import { becameReady, beganClosing, connected, wasReady, type PeerState } from "./peer-state.js";
import type { PeerReport, PeerTableEvent, RegistryMessage } from "./peer-table.js";
import type { PingOutcome } from "./peer-handler-messages.js";

export interface RegistryArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

interface State extends RegistryArgs {
  readonly entries: Map<number, Entry>;
  /** Those that hold a slot: handshaking or ready. */
  readonly open: Set<Entry>;
  /** Those whose sockets are not gone yet, in order of closing. */
  readonly closing: Set<Entry>;
  readyCount: number;
  readonly byPath: Map<string, Entry>;
  readonly banned: Set<PeerId>;
  readonly trusted: ReadonlySet<PeerId>;
  readonly subscribers: Map<string, ActorRef<PeerTableEvent>>;
  /** What the credit windows of all connections may grow by. */
  readonly windowGrowth: ByteBudget;
  /** What all connections say of this node. */
  readonly local: LocalInfo;
  nextId: number;
  /** Nobody is let in any more. */
  stopping: boolean;
  drained: ActorRef<"Drained"> | undefined;
}

type Ctx = Context<RegistryMessage, NodeEnv>;

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
    return {
      ...args,
      entries: new Map(),
      open: new Set(),
      closing: new Set(),
      readyCount: 0,
      byPath: new Map(),
      banned: new Set(),
      trusted: new Set(context.env.config.trustedPeers),
      subscribers: new Map(),
      windowGrowth: new ByteBudget(context.env.config.lanes.windowGrowthBytesMax),
      local: new LocalInfo(context.env),
      nextId: 1,
      stopping: false,
      drained: undefined,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Connected":
        accept(state, message.connection, message.dialed, context);
        return;
      case "HandlerReady":
        ready(state, message, context);
        return;
      case "HandlerClosing": {
        const entry = state.entries.get(message.connectionId);
        const next = entry && beganClosing(entry.state, context.env.clock.monotonicMs());
        if (entry === undefined || next === undefined) return;
        entry.gone = message.gone;
        leave(state, entry, next, context);
        return;
      }
      case "HandlerStopped":
        stopped(state, message.path, message.error, context);
        return;
      case "HandlerMeasured": {
        const entry = state.entries.get(message.connectionId);
        if (entry === undefined) return;
        entry.performance = message.performance;
        const { peerId } = entry;
        announce(state, { type: "PeerMeasured", peerId, performance: message.performance });
        return;
      }
      case "HeadClaimed":
        claimed(state, message.peerId, message.head);
        return;
      case "Listening":
        state.local.bound(message.endpoints);
        return;
      case "Subscribe":
        subscribe(state, message.subscriber, context);
        return;
      case "GetPeers":
        message.replyTo.tell(reports(state, context.env.clock));
        return;
      case "PingPeer":
        ping(readyEntry(state, message.peerId)?.handler, message.replyTo, context);
        return;
      case "Disconnect":
        close(state, message.peerId, message);
        return;
      case "PeerBanned":
        state.banned.add(message.ban.peerId);
        state.events.tell({ type: "Publish", event: { type: "PeerBanned", ...message.ban } });
        close(state, message.ban.peerId, { reason: "Banned", detail: banText(message.ban) });
        return;
      case "PeerUnbanned":
        if (!state.banned.delete(message.peerId)) return;
        state.events.tell({
          type: "Publish",
          event: { type: "PeerUnbanned", peerId: message.peerId },
        });
        return;
      case "Shutdown":
        state.stopping = true;
        state.drained = message.replyTo;
        for (const entry of state.entries.values()) {
          entry.handler.tell({ type: "Close", reason: "Shutdown", detail: "the node stops" });
        }
        answerDrained(state);
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal, context) {
    if (signal.type === "stopping") tellGone(state);
    if (signal.type === "terminated") state.subscribers.delete(signal.path);
    // A signal overtakes messages: what the handler told before it stopped comes first.
    if (signal.type === "childStopped") {
      context.self.tell({ type: "HandlerStopped", path: signal.path, error: signal.error });
    }
  },

  invariants(state, { env }) {
    const seen = { handshaking: new Set<PeerId>(), ready: new Set<PeerId>() };
    const taken = { inbound: new Set<PeerId>(), outbound: new Set<PeerId>() };
    let ready = 0;
    for (const entry of state.entries.values()) {
      const { peerId, direction } = entry;
      const { phase } = entry.state;
      invariant(state.open.has(entry) === (phase !== "closing"), `the slot of ${peerId}`);
      if (phase === "ready") ready++;
      if (phase === "closing") continue;
      invariant(!seen[phase].has(peerId), `one ${phase} connection to ${peerId} is enough`);
      seen[phase].add(peerId);
      if (!state.trusted.has(peerId)) taken[direction].add(peerId);
    }
    const { closingMax } = env.config.inbound;
    const lingering = state.closing.size;
    invariant(state.stopping || lingering <= closingMax, `${lingering} connections are closing`);
    invariant(ready === state.readyCount, `${ready} ready peers, counted as ${state.readyCount}`);
    const { maxInbound, maxOutbound } = env.config;
    const { inbound, outbound } = taken;
    invariant(inbound.size <= maxInbound, `${inbound.size} inbound peers of ${maxInbound}`);
    invariant(outbound.size <= maxOutbound, `${outbound.size} outbound of ${maxOutbound}`);
    state.windowGrowth.invariants();
    const { takenBytes } = state.windowGrowth;
    invariant(state.entries.size > 0 || takenBytes === 0, `${takenBytes} bytes of windows leaked`);
  },
});

/** What peers and clients can cause at will: these wait in the bounded, refusing lane. */
const DATA: ReadonlySet<RegistryMessage["type"]> = new Set([
  "Connected",
  "HandlerMeasured",
  "HeadClaimed",
  "GetPeers",
  "PingPeer",
]);

/** Whoever is refused hears why, but those who will not hang up must not pile up. */
function tooManyRefused(state: State, { direction }: Connection, refusedMax: number): boolean {
  if (direction === "outbound") return false;
  let closing = 0;
  for (const entry of state.entries.values()) {
    if (entry.state.phase === "closing" && !entry.state.wasReady) closing++;
  }
  return closing >= refusedMax;
}

/** A fault of the policy costs this connection, not the table. */
function judge(state: State, connection: Connection, { env }: Ctx): Admission {
  try {
    return admit(
      connection,
      {
        self: env.peerId,
        trusted: state.trusted,
        isBanned: (peerId) => state.banned.has(peerId),
        slots: state.open,
      },
      {
        maxInbound: env.config.maxInbound,
        maxOutbound: env.config.maxOutbound,
        perGroupMax: env.config.inbound.perGroupMax,
        exemptLocal: env.config.inbound.exemptLocal,
      },
    );
  } catch (error) {
    const { peerId, remote } = connection;
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const fields = { peerId, remoteAddress: formatAddress(remote), error: shown };
    env.log.write("error", "a connection could not be judged", fields);
    return { admit: false, reason: "InternalError", detail: "it could not be judged" };
  }
}

function accept(state: State, connection: Connection, dialed: string | undefined, ctx: Ctx): void {
  const { env } = ctx;
  if (state.stopping) {
    connection.destroy();
    return;
  }
  const admission = judge(state, connection, ctx);
  if (!admission.admit && tooManyRefused(state, connection, env.config.inbound.pendingMax)) {
    connection.destroy();
    return;
  }
  if (admission.admit) replace(state, connection.peerId, "handshaking", ctx);
  const { peerId, direction, remote } = connection;
  const id = state.nextId++;
  const handler = ctx.spawn(
    peerHandler,
    {
      connection,
      connectionId: id,
      registry: ctx.self,
      router: state.router,
      reputation: state.reputation,
      windowGrowth: state.windowGrowth,
      local: state.local,
      // A connection that is refused still hears why, so that an honest peer backs off rightly.
      ...(admission.admit ? {} : { refusal: admission }),
    },
    { name: `peer-${id}` },
  );
  const entry: Entry = {
    id,
    peerId,
    direction,
    remote,
    dialed,
    handler,
    state: connected(env.clock.monotonicMs()),
    head: undefined,
    capabilities: new Set(),
    performance: new PeerPerformance().snapshot(),
    gone: { reason: "Closed", byPeer: false, detail: "" },
  };
  if (admission.admit) state.open.add(entry);
  else {
    entry.state = { phase: "closing", sinceMs: 0, wasReady: false };
    lingers(state, entry, ctx);
  }
  state.entries.set(id, entry);
  state.byPath.set(handler.path, entry);
  if (!admission.admit) {
    entry.gone = { reason: admission.reason, byPeer: false, detail: admission.detail };
    announce(state, goneEvent(entry, 0));
  }
}

/**
 * A newer connection of a peer takes the place of the one that is as far as itself: of the one that
 * shakes hands when it was admitted, of the one that is ready when it is ready. The older leaves at
 * once: nobody hears of its end after the newer one is ready.
 */
function replace(
  state: State,
  peerId: PeerId,
  phase: Exclude<PeerState["phase"], "closing">,
  ctx: Ctx,
): void {
  const gone = { reason: "DuplicateConnection", detail: "a newer connection is kept" } as const;
  for (const entry of state.open) {
    if (entry.peerId !== peerId || entry.state.phase !== phase) continue;
    entry.handler.tell({ type: "Close", ...gone });
    entry.gone = { ...gone, byPeer: false };
    const next = beganClosing(entry.state, ctx.env.clock.monotonicMs());
    if (next !== undefined) leave(state, entry, next, ctx);
  }
}

function ready(
  state: State,
  message: Extract<RegistryMessage, { type: "HandlerReady" }>,
  ctx: Ctx,
): void {
  const entry = state.entries.get(message.connectionId);
  const nowMs = ctx.env.clock.monotonicMs();
  const next = entry && becameReady(entry.state, message.info, nowMs);
  if (entry === undefined || next === undefined) return;
  replace(state, entry.peerId, "ready", ctx);
  entry.state = next;
  state.readyCount++;
  entry.head = { claimed: message.info.head };
  entry.capabilities = new Set(message.capabilities);
  announce(state, readyEvent(entry, message.info));
  const { peerId, direction } = entry;
  const address = formatAddress(entry.remote);
  const { agent, nodeId } = message.info;
  const event = { type: "PeerConnected", peerId, address, direction, agent, nodeId } as const;
  state.events.tell({ type: "Publish", event });
  ctx.env.log.write("info", "peer connected", { peerId, address, direction, agent, nodeId });
  countReady(state);
}

/** Ready | Handshaking → Closing: the slot is free, the handler still flushes. */
function leave(state: State, entry: Entry, next: PeerState, ctx: Ctx): void {
  const nowMs = ctx.env.clock.monotonicMs();
  const readyForMs = entry.state.phase === "ready" ? nowMs - entry.state.sinceMs : 0;
  entry.state = next;
  state.open.delete(entry);
  lingers(state, entry, ctx);
  announce(state, goneEvent(entry, readyForMs));
  const { peerId, gone } = entry;
  ctx.env.log.write("info", "peer disconnected", { peerId, ...gone, readyForMs });
  if (!wasReady(next)) return;
  state.readyCount--;
  state.events.tell({
    type: "Publish",
    event: { type: "PeerDisconnected", peerId, ...gone },
  });
  countReady(state);
}

/** A closing connection holds what its socket has not sent: of too many the first one ends now. */
function lingers(state: State, entry: Entry, { env }: Ctx): void {
  state.closing.add(entry);
  if (state.stopping || state.closing.size <= env.config.inbound.closingMax) return;
  const [first] = state.closing;
  if (first === undefined) return;
  state.closing.delete(first);
  first.handler.tell({ type: "Destroy" });
}

/** The end of an entry; a handler that crashed never said that it was closing. */
function stopped(state: State, path: string, error: unknown, ctx: Ctx): void {
  const entry = state.byPath.get(path);
  if (entry === undefined) return;
  const next = beganClosing(entry.state, ctx.env.clock.monotonicMs());
  if (next !== undefined) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    entry.gone = { reason: "Fault", byPeer: false, detail };
    ctx.env.log.write("error", "a peer handler failed", { peerId: entry.peerId, error: detail });
    leave(state, entry, next, ctx);
  }
  state.entries.delete(entry.id);
  state.closing.delete(entry);
  state.byPath.delete(path);
  answerDrained(state);
}

/** Who watches outlives this actor, and the connections do not. */
function tellGone({ entries, events }: State): void {
  for (const { peerId, state, gone } of entries.values()) {
    if (state.phase !== "ready") continue;
    const event = { type: "PeerDisconnected", peerId, ...gone } as const;
    events.tell({ type: "Publish", event });
  }
}

function subscribe(state: State, subscriber: ActorRef<PeerTableEvent>, ctx: Ctx): void {
  state.subscribers.set(subscriber.path, subscriber);
  ctx.watch(subscriber);
  for (const entry of state.entries.values()) {
    if (entry.state.phase !== "ready") continue;
    subscriber.tell(readyEvent(entry, entry.state.info));
  }
}

function close(state: State, peerId: PeerId, { reason, rule, detail }: Farewell): void {
  const broken = rule === undefined ? {} : { rule };
  for (const entry of state.open) {
    if (entry.peerId === peerId) entry.handler.tell({ type: "Close", reason, ...broken, detail });
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

/** What was announced before may arrive later: a claim is never lowered. */
function claimed(state: State, peerId: PeerId, head: ChainHead): void {
  const entry = readyEntry(state, peerId);
  const before = entry?.head?.claimed.totalDifficulty;
  if (entry === undefined || before === undefined || head.totalDifficulty <= before) return;
  entry.head = { claimed: head };
  announce(state, { type: "PeerClaimed", peerId, head: entry.head });
}

function readyEntry(state: State, peerId: PeerId): Entry | undefined {
  for (const entry of state.entries.values()) {
    if (entry.peerId === peerId && entry.state.phase === "ready") return entry;
  }
  return undefined;
}

function announce(state: State, event: PeerTableEvent): void {
  for (const subscriber of state.subscribers.values()) subscriber.tell(event);
}

function countReady(state: State): void {
  state.reputation.tell({ type: "PeersCounted", ready: state.readyCount });
}

function answerDrained(state: State): void {
  if (state.drained === undefined || state.entries.size > 0) return;
  state.drained.tell("Drained");
  state.drained = undefined;
}

function reports(state: State, clock: NodeEnv["clock"]): readonly PeerReport[] {
  return [...state.entries.values()].flatMap((entry) => reportOf(entry, clock) ?? []);
}
