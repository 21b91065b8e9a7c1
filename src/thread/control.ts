// What a network thread and its owner say to each other: the calls that cross, as data, and
// outcomes in which errors keep their code. Both sides use it.

import { CodedError, isCoded } from "../errors.js";
import type { NetworkEventType } from "../actors/events/event-types.js";
import type { NetworkConfigInput } from "../config.js";
import type { OwnPorts } from "../compose.js";
import type { Network } from "../network.js";

/** What is told once, at the start. */
export type OwnFacts = "peerId" | "listenAddresses" | "listenAddress";
/** What the owner's side answers by itself. */
type Local = OwnFacts | "protocol" | "subscribe" | "missed" | "stopped" | "stop";
export type RemoteMethod = Exclude<keyof Network, Local>;

const REMOTE: Readonly<Record<RemoteMethod, true>> = {
  status: true,
  peers: true,
  kindStatistics: true,
  traffic: true,
  bans: true,
  explainPeer: true,
  unbanPeer: true,
  disconnectPeer: true,
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

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CarriedError };

/** An error as it can be cloned: cloning alone would lose the class and the code. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly coded: boolean;
  readonly cause: CarriedError | undefined;
}

/** Deeper causes are left out; a chain of causes may be a circle. */
const CAUSES_MAX = 8;

export async function outcomeOf<T>(run: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    return { ok: false, error: carry(error) };
  }
}

export function valueOf<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw revive(outcome.error);
}

export function carry(thrown: unknown, causesMax = CAUSES_MAX): CarriedError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack, cause } = error;
  const code = (error as NodeJS.ErrnoException).code;
  const deeper = cause === undefined || causesMax === 0 ? undefined : carry(cause, causesMax - 1);
  return { name, message, stack, code, coded: isCoded(error), cause: deeper };
}

export function revive({ name, message, stack, code, coded, cause }: CarriedError): Error {
  const options = cause === undefined ? {} : { cause: revive(cause) };
  const error = coded
    ? new CodedError(code as CodedError["code"], message, options)
    : Object.assign(new Error(message, options), { name }, code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
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
