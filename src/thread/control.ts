// What a network thread and its owner say to each other: the calls that cross, as data. Both sides
// use it.

import type { NetworkEventType } from "../actors/events/event-types.js";
import type { NetworkConfigInput } from "../config.js";
import type { OwnPorts } from "../compose.js";
import type { Network } from "../network.js";
import type { Outcome } from "../runtime/thread-outcome.js";

/** What is told once, at the start. */
export type OwnFacts = "peerId" | "listenAddresses" | "listenAddress";
/** What the owner's side answers by itself. */
type Local = OwnFacts | "protocol" | "subscribe" | "events" | "missed" | "stopped" | "stop";
export type RemoteMethod = Exclude<keyof Network, Local>;

const REMOTE: Readonly<Record<RemoteMethod, true>> = {
  readEvents: true,
  status: true,
  peers: true,
  kindStatistics: true,
  traffic: true,
  bans: true,
  setLimits: true,
  banPeer: true,
  unbanPeer: true,
  trustPeer: true,
  untrustPeer: true,
  disconnectPeer: true,
  trustedPeers: true,
  findPeers: true,
  explainPeer: true,
  pingPeer: true,
  connect: true,
  broadcastTransaction: true,
  broadcastBlock: true,
  head: true,
  header: true,
  block: true,
  locateTransaction: true,
  deadLetters: true,
  figures: true,
  diskWaitMs: true,
};
/** Every method that crosses: the compiler refuses a list that lacks one of Network's. */
export const REMOTE_METHODS = Object.keys(REMOTE) as readonly RemoteMethod[];

/** Those that are carried out whether anybody heeds the answer or not. */
export const COMMANDS: ReadonlySet<RemoteMethod> = new Set([
  "connect",
  "banPeer",
  "setLimits",
  "unbanPeer",
  "trustPeer",
  "untrustPeer",
  "disconnectPeer",
]);

/** The same methods, each as a promise. */
export type RemoteCalls = {
  readonly [M in RemoteMethod]: (
    ...args: Parameters<Network[M]>
  ) => Promise<Awaited<ReturnType<Network[M]>>>;
};

/** An export `(options) => port`, by which a thread makes what cannot be cloned. */
export interface PortModule {
  readonly moduleUrl: string;
  readonly exportName: string;
  /** Structured-cloneable. */
  readonly options?: unknown;
}

/** A caller's own ports. Those that have a `close` are closed when the network has stopped. */
export type PortModules = { readonly [K in Exclude<keyof OwnPorts, "log">]?: PortModule };

export interface ThreadStart {
  readonly config: NetworkConfigInput;
  readonly ports: PortModules;
  /** Send log lines to the owner. */
  readonly log: boolean;
}

export type ThreadStarted = Pick<Network, OwnFacts>;

/** The thread's side of the comlink proxy. It is told to stop; that it did comes by the feed. */
export interface ThreadControl {
  start(start: ThreadStart): Promise<Outcome<ThreadStarted>>;
  call(method: RemoteMethod, args: readonly unknown[]): Promise<Outcome<unknown>>;
  /** Sends the events of these types to `id` of the feed. */
  subscribe(id: number, types: readonly NetworkEventType[]): void;
  unsubscribe(id: number): void;
  stop(): void;
}

/** Bytes on a buffer of their own: a view would take its whole parent through the clone. */
export function ownBytes(value: unknown): unknown {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}

export function buffersOf(values: readonly unknown[]): ArrayBuffer[] {
  return values.flatMap((value) =>
    value instanceof Uint8Array && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
}
