// Reaching a host that has several addresses (RFC 8305): they are tried in turn, families mixed,
// each after a short lead of the one before it, and none is given up while others are tried. Node's
// own way drops an attempt after 250 ms, so a host further away than that was never reached.

import type { Clock, Timer } from "../ports.js";

/** What is needed of a socket that is connecting. */
export interface Attempt {
  once(event: "connect", listener: () => void): unknown;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
  off(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
  destroy(): unknown;
}

export interface AttemptsArgs<S extends Attempt> {
  /** IP addresses, the resolver's favourite first; not empty. */
  readonly addresses: readonly string[];
  readonly clock: Pick<Clock, "setTimer">;
  readonly connect: (address: string) => S;
  /** Exactly one of these is called, once, unless `cancel` comes before. */
  readonly onConnected: (socket: S, address: string) => void;
  /** All failed, for these reasons. */
  readonly onFailed: (errors: readonly NodeJS.ErrnoException[]) => void;
}

/** RFC 8305's Connection Attempt Delay. */
const LEAD_MS = 250;
/** A name with more addresses is not one host. */
const ATTEMPTS_MAX = 8;

/** Begins; answers how to end it. */
export function startAttempts<S extends Attempt>(args: AttemptsArgs<S>): { cancel(): void } {
  const { clock, connect, onConnected, onFailed } = args;
  const waiting = inTurn(args.addresses).slice(0, ATTEMPTS_MAX);
  const open = new Map<S, (error: NodeJS.ErrnoException) => void>();
  const errors: NodeJS.ErrnoException[] = [];
  let lead: Timer | undefined;
  const end = (kept?: S): void => {
    lead?.cancel();
    waiting.length = 0;
    for (const [socket, onError] of open) {
      if (socket === kept) {
        socket.off("error", onError);
        continue;
      }
      // Its error listener stays: a socket may still have one on its way.
      socket.destroy();
    }
    open.clear();
  };
  const next = (): void => {
    lead?.cancel();
    const address = waiting.shift();
    if (address === undefined) return;
    const socket = connect(address);
    const onError = (error: NodeJS.ErrnoException): void => {
      if (!open.delete(socket)) return;
      socket.destroy();
      errors.push(error);
      if (waiting.length > 0) next();
      else if (open.size === 0) onFailed(errors);
    };
    open.set(socket, onError);
    socket.on("error", onError);
    socket.once("connect", () => {
      if (!open.has(socket)) return;
      end(socket);
      onConnected(socket, address);
    });
    lead = clock.setTimer(LEAD_MS, next);
  };
  next();
  return { cancel: () => end() };
}

/** The families by turns, beginning with the first address's. */
function inTurn(addresses: readonly string[]): string[] {
  const isV6 = (address: string): boolean => address.includes(":");
  const first = addresses.filter((address) => isV6(address) === isV6(addresses[0] ?? ""));
  const second = addresses.filter((address) => !first.includes(address));
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    mixed.push(...first.slice(i, i + 1), ...second.slice(i, i + 1));
  }
  return mixed;
}
