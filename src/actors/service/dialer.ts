// Dialer: keeps the outbound slots filled from the addresses it was given.
// Told by: the service (addresses), the registry (who came and went). Tells: registry.
// A failed dial costs the address time and its owner nothing.

import fastq from "fastq";
import { CodedError, isCoded, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { formatAddress, parseAddress } from "../../protocol/address.js";
import type { Connection, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { PeerTableEvent, RegistryMessage } from "../peer/peer-table.js";
import { DialBook } from "./dial-book.js";

export type DialerMessage =
  | { readonly type: "AddAddresses"; readonly addresses: readonly string[] }
  /** Answered once a peer at this address is connected, or why that cannot be. */
  | {
      readonly type: "Connect";
      readonly address: string;
      readonly replyTo: ActorRef<DialOutcome>;
    }
  | { readonly type: "DialDue" }
  | { readonly type: "Dialed"; readonly address: string; readonly connection: Connection }
  | { readonly type: "DialFailed"; readonly address: string; readonly error: unknown }
  | { readonly type: "GetDialStatus"; readonly replyTo: ActorRef<DialStatus> }
  | { readonly type: "Stop" }
  | PeerTableEvent;

export type DialOutcome =
  | { readonly ok: true; readonly peerId: PeerId }
  /** One plain sentence. */
  | { readonly ok: false; readonly why: string };

/** What the dialer does about having no peer. */
export interface DialStatus {
  /** A phrase for people; null while there is a peer. */
  readonly waitingFor: string | null;
}

export interface DialerArgs {
  readonly registry: ActorRef<RegistryMessage>;
}

export type DialerEnv = Pick<
  NodeEnv,
  "clock" | "random" | "transports" | "log" | "config" | "peerId"
>;

interface State extends DialerArgs {
  readonly book: DialBook;
  /** Bounds how many dials run at once. */
  readonly queue: fastq.queue<string, Connection>;
  readonly connected: Set<PeerId>;
  /** Who waits for the connection to an address. */
  readonly waiting: Map<string, ActorRef<DialOutcome>[]>;
  /** Monotonic time since when there is no peer; undefined while there is one. */
  aloneSinceMs: number | undefined;
  /** When the log said so last. */
  warnedMs: number;
  stopped: boolean;
}

const DATA: ReadonlySet<DialerMessage["type"]> = new Set([
  "AddAddresses",
  "Connect",
  "GetDialStatus",
  "PeerMeasured",
]);

/** A connection that lasted this long was good: its end starts the backoff anew. */
const STABLE_MS = 60_000;

export const dialer = defineActor<DialerArgs, DialerMessage, State, DialerEnv>({
  name: "dialer",
  mailbox: {
    dataMax: 1_024,
    controlMax: 16_384,
    overflow: "reject",
    replyOf: replyToOf,
    dispose: (message) => void (message.type === "Dialed" && message.connection.destroy()),
    isControl: ({ type }) => !DATA.has(type),
  },
  onFault: RESTART,

  init(context, args) {
    const { env, self } = context;
    args.registry.tell({ type: "Subscribe", subscriber: self });
    // Not before the registry answered: after a restart seeds may be connected already.
    const seeds = { type: "AddAddresses", addresses: env.config.seedPeers } as const;
    context.startTimer("seeds", 0, seeds);
    return {
      ...args,
      book: new DialBook(env.config.dial, () => env.random.float()),
      queue: fastq(dialWorker(env), env.config.dial.concurrentMax),
      connected: new Set(),
      waiting: new Map(),
      aloneSinceMs: env.clock.monotonicMs(),
      warnedMs: Number.NEGATIVE_INFINITY,
      stopped: false,
    };
  },

  receive(state, message, context) {
    const { env } = context;
    switch (message.type) {
      case "AddAddresses":
        for (const text of message.addresses) state.book.add(formatAddress(parseAddress(text)));
        fill(state, context);
        return;
      case "Connect":
        connect(state, message.address, message.replyTo, context);
        return;
      case "DialDue":
        fill(state, context);
        return;
      case "Dialed": {
        const target = state.book.get(message.address);
        const { connection, address } = message;
        if (target === undefined || state.stopped) {
          connection.destroy();
          return;
        }
        target.state = "connected";
        target.peerId = connection.peerId;
        if (state.registry.tell({ type: "Connected", connection, dialed: address })) return;
        connection.destroy();
        state.book.failed(target, env.clock.monotonicMs(), { grows: false });
        refuse(state, address, "this node is too busy");
        fill(state, context);
        return;
      }
      case "DialFailed":
        dialFailed(state, message.address, message.error, context);
        return;
      case "PeerReady":
        state.connected.add(message.peerId);
        state.aloneSinceMs = undefined;
        // After a restart it is the registry that knows what was dialed.
        if (message.dialed !== undefined) state.book.connected(message.dialed, message.peerId);
        answerConnected(state, message.peerId);
        return;
      case "PeerGone":
        gone(state, message, context);
        return;
      case "PeerMeasured":
      case "PeerClaimed":
        return;
      case "GetDialStatus": {
        const nowMs = env.clock.monotonicMs();
        const { aloneSinceMs } = state;
        const waitingFor = aloneSinceMs === undefined ? null : loneliness(state, nowMs);
        message.replyTo.tell({ waitingFor });
        return;
      }
      case "Stop":
        state.stopped = true;
        context.cancelTimer("dial");
        context.cancelTimer("seeds");
        return;
      default:
        unreachable(message);
    }
  },

  invariants: (state) => state.book.invariants(),
});

function dialWorker({ transports, config }: DialerEnv): fastq.worker<unknown, string, Connection> {
  return (address, done) => {
    const endpoint = parseAddress(address);
    const transport = transports.get(endpoint.scheme);
    if (transport === undefined) {
      done(new CodedError("DIAL_FAILED", `there is no transport for ${address}`));
      return;
    }
    transport.dial(endpoint, { timeoutMs: config.dial.timeoutMs }).then(
      (connection) => done(null, connection),
      (error: Error) => done(error),
    );
  };
}

/** Tries an address at once, whatever became of it before. */
function connect(
  state: State,
  text: string,
  replyTo: ActorRef<DialOutcome>,
  context: Context<DialerMessage, DialerEnv>,
): void {
  const { book, connected, waiting } = state;
  const address = formatAddress(parseAddress(text));
  const target = book.add(address);
  if (target === undefined) {
    replyTo.tell({ ok: false, why: cannot(address, "no more addresses are kept") });
    return;
  }
  if (target.peerId !== undefined && connected.has(target.peerId)) {
    replyTo.tell({ ok: true, peerId: target.peerId });
    return;
  }
  if (target.state === "idle") {
    book.want(target);
    const { maxOutbound } = context.env.config;
    if (book.open >= maxOutbound) {
      const reason = `all ${maxOutbound} outbound slots are taken; it is tried when one is free`;
      replyTo.tell({ ok: false, why: cannot(address, reason) });
      return;
    }
  }
  waiting.set(address, [...(waiting.get(address) ?? []), replyTo]);
  fill(state, context);
}

function answer({ waiting }: State, address: string, outcome: DialOutcome): void {
  const waiters = waiting.get(address);
  waiting.delete(address);
  for (const replyTo of waiters ?? []) replyTo.tell(outcome);
}

function refuse(state: State, address: string, reason: string): void {
  answer(state, address, { ok: false, why: cannot(address, reason) });
}

function cannot(address: string, reason: string): string {
  return `Cannot connect to ${address}: ${reason}.`;
}

/** Whichever side dialed: two connections to one peer become one. */
function answerConnected(state: State, peerId: PeerId): void {
  for (const address of [...state.waiting.keys()]) {
    if (state.book.get(address)?.peerId === peerId) answer(state, address, { ok: true, peerId });
  }
}

/** Dials what is due while slots are free, and wakes when the next one is due. */
function fill(state: State, context: Context<DialerMessage, DialerEnv>): void {
  const { env, self } = context;
  if (state.stopped) return;
  const nowMs = env.clock.monotonicMs();
  const free = env.config.maxOutbound - state.book.open;
  const due = state.book.due(nowMs, free, (peerId) => state.connected.has(peerId));
  for (const target of due) {
    target.state = "dialing";
    const { address } = target;
    env.log.write("debug", "dialing", { address });
    const done = (error: Error | null, connection?: Connection): void => {
      if (connection === undefined) self.tell({ type: "DialFailed", address, error });
      else if (!self.tell({ type: "Dialed", address, connection })) connection.destroy();
    };
    if (state.waiting.has(address)) state.queue.unshift(address, done);
    else state.queue.push(address, done);
  }
  const nextMs = state.book.next()?.notBeforeMs;
  if (nextMs === undefined) context.cancelTimer("dial");
  else {
    // Not before the shortest backoff: a target can be due while no slot is free.
    const waitMs = Math.max(nextMs - nowMs, env.config.dial.backoffMinMs);
    context.startTimer("dial", waitMs, { type: "DialDue" });
  }
}

function dialFailed(
  state: State,
  address: string,
  error: unknown,
  context: Context<DialerMessage, DialerEnv>,
): void {
  const { env } = context;
  const target = state.book.get(address);
  if (target === undefined) return;
  const alone = state.aloneSinceMs !== undefined;
  state.book.failed(target, env.clock.monotonicMs(), { alone });
  const reason = error instanceof Error ? error.message : String(error);
  target.reason = reason;
  answer(state, address, { ok: false, why: reason });
  env.log.write(isCoded(error, "DIAL_FAILED") ? "info" : "warn", "dial failed", {
    address,
    failures: target.failures,
    reason,
  });
  fill(state, context);
  if (alone) warnAlone(state, context);
}

/** Once all that can be dialed has failed, and now and then: this node does nothing until it ends. */
function warnAlone(state: State, { env }: Context<DialerMessage, DialerEnv>): void {
  const nowMs = env.clock.monotonicMs();
  const next = state.book.next();
  const soon = nowMs - state.warnedMs < env.config.dial.aloneWarnMs;
  if (next === undefined || state.book.open > 0 || soon) return;
  state.warnedMs = nowMs;
  env.log.write("warn", "there is no peer", {
    sinceSeconds: secondsUntil(nowMs, state.aloneSinceMs ?? nowMs),
    next: next.address,
    nextTrySeconds: secondsUntil(next.notBeforeMs, nowMs),
    failures: next.failures,
    reason: next.reason ?? "not dialed yet",
  });
}

/** Which peer is waited for, since when and until when. */
function loneliness({ book, aloneSinceMs }: State, nowMs: number): string {
  const since = `none for ${secondsUntil(nowMs, aloneSinceMs ?? nowMs)} s`;
  if (book.open > 0) return `a peer (${since}; ${book.open} being dialed)`;
  const next = book.next();
  if (next === undefined) return `a peer (${since}; no address to dial)`;
  const inSeconds = secondsUntil(next.notBeforeMs, nowMs);
  return `a peer (${since}; ${next.address} failed ${next.failures} times, next try in ${inSeconds} s)`;
}

function secondsUntil(toMs: number, fromMs: number): number {
  return Math.max(0, Math.round((toMs - fromMs) / 1_000));
}

/** Connected → Idle, with a backoff that depends on why. */
function gone(
  state: State,
  event: Extract<PeerTableEvent, { type: "PeerGone" }>,
  context: Context<DialerMessage, DialerEnv>,
): void {
  const { env } = context;
  const nowMs = env.clock.monotonicMs();
  if (event.wasReady && state.connected.delete(event.peerId) && state.connected.size === 0) {
    state.aloneSinceMs = nowMs;
    state.book.hurry(nowMs);
  }
  const target = event.dialed === undefined ? undefined : state.book.get(event.dialed);
  if (target === undefined) {
    fill(state, context);
    return;
  }
  if (event.peerId === env.peerId || event.reason === "SelfConnection") {
    // Our own address: never again.
    state.book.remove(target.address);
    refuse(state, target.address, "this is our own node");
  } else {
    if (event.readyForMs >= STABLE_MS) target.failures = 0;
    const isDouble = event.reason === "DuplicateConnection";
    const crowded = event.reason === "TooManyConnections" || isDouble;
    // Of a double the other connection may still shake hands: who waits hears when it is ready.
    if (!isDouble) refuse(state, target.address, reasonOf(event));
    else if (state.connected.has(event.peerId)) answerConnected(state, event.peerId);
    const alone = state.aloneSinceMs !== undefined;
    state.book.failed(target, nowMs, { grows: !crowded, alone });
  }
  fill(state, context);
}

function reasonOf({ reason, byPeer }: Extract<PeerTableEvent, { type: "PeerGone" }>): string {
  return `the connection was ended by ${byPeer ? "the peer" : "this node"} (${reason})`;
}
