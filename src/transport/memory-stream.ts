// One side of a memory link, with the semantics of TCP: ordered bytes, backpressure, an orderly end
// that flushes, and a reset. Made by memory.ts. It says whose it is, so that it is a Connection as
// soon as somebody believes it; the simulator's peer handlers cannot tell it from a socket.

import { CodedError, invariant } from "../errors.js";
import type { Clock, Connection, ConnectionHandler, Direction, PeerId, Timer } from "../ports.js";
import type { Endpoint } from "../protocol/address.js";
import type { RawStream } from "./carrier.js";
import type { ItemType, MemoryPipe, PipeEnds } from "./memory-pipe.js";

export interface MemoryStreamArgs {
  /** Of this side's host. */
  readonly clock: Clock;
  /** Who the other side says it is. */
  readonly peerId: PeerId;
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
  readonly closeTimeoutMs: number;
  /** False while nothing reaches this side's host from the other's. */
  readonly reachable: () => boolean;
  /** Called when the opening of the link reaches this side. */
  readonly onOpened: () => void;
  readonly onWritten: (bytes: number) => void;
  readonly onClosed: () => void;
}

export class MemoryStream implements RawStream, Connection {
  readonly peerId: PeerId;
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
  readonly #args: MemoryStreamArgs;
  /** Of the channel that has it. */
  onClosed: () => void = () => undefined;
  #inward: MemoryPipe | undefined;
  #outward: MemoryPipe | undefined;
  #handler: ConnectionHandler | undefined;
  #paused = false;
  /** Nothing can be written any more. */
  #ended = false;
  /** This side called `close`: what arrives is dropped. */
  #closing: Timer | undefined;
  #closed = false;
  #reported = false;
  #error: Error | undefined;

  constructor(args: MemoryStreamArgs) {
    this.#args = args;
    this.peerId = args.peerId;
    this.direction = args.direction;
    this.local = args.local;
    this.remote = args.remote;
    this.openedAtMs = args.openedAtMs;
  }

  /** Called once before anything else; the pipes' ends come from `receiving` and this object. */
  attach(pipes: { readonly inward: MemoryPipe; readonly outward: MemoryPipe }): void {
    this.#inward = pipes.inward;
    this.#outward = pipes.outward;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get bufferedBytes(): number {
    return this.#out.bytes;
  }

  open(handler: ConnectionHandler): void {
    invariant(this.#handler === undefined, "a connection is opened once");
    this.#handler = handler;
    if (this.#closed) this.#reportSoon();
    else this.#inward?.wake();
  }

  write(chunk: Uint8Array, onTaken?: () => void): boolean {
    if (this.#ended) return false;
    this.#args.onWritten(chunk.length);
    return this.#out.pushBytes(chunk, onTaken);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#closed) this.#inward?.wake();
  }

  close(): void {
    if (this.#closed || this.#closing !== undefined) return;
    const { clock, closeTimeoutMs } = this.#args;
    this.#closing = clock.setTimer(closeTimeoutMs, () => this.destroy());
    this.#ended = true;
    this.#out.push("end");
    this.#inward?.wake();
  }

  destroy(): void {
    this.fail(undefined);
  }

  refuse(): void {
    this.destroy();
  }

  /** Ends this side at once; the other side learns of it as a reset. */
  fail(error: Error | undefined): void {
    if (this.#closed) return;
    this.#out.clear();
    this.#out.push("reset");
    this.#finish(error);
    this.#reportSoon();
  }

  /**
   * This side's machine lost its power: nobody is told anything, here or there. A machine that has
   * power again does not know this link and answers what reaches it with a reset.
   */
  vanish(): void {
    if (this.#closed) return;
    this.#out.loseUnsent();
    this.#closed = true;
    this.#ended = true;
    this.#closing?.cancel();
    const refuse = (): void => {
      this.#inward?.clear();
      this.#out.clear();
      this.#out.push("reset");
    };
    this.#inward?.deliverTo({
      passes: this.#args.reachable,
      onOpened: refuse,
      onChunk: refuse,
      onEnd: refuse,
      onReset: () => undefined,
      onDrain: () => undefined,
    });
    this.#tellClosed();
  }

  /** What the pipe towards this side calls. */
  receiving(drained: () => void): PipeEnds {
    return {
      passes: (type) => this.#passes(type),
      onOpened: this.#args.onOpened,
      onChunk: (chunk) => {
        if (this.#closing === undefined) this.#handler?.onData(chunk);
      },
      onEnd: () => {
        if (this.#closing === undefined) this.#out.push("end");
        this.#finish(undefined);
        this.#report();
      },
      onReset: () => {
        this.#out.clear();
        this.#finish(connectionReset());
        this.#report();
      },
      onDrain: drained,
    };
  }

  /** The other side took enough of what this side wrote. */
  drained(): void {
    if (!this.#ended) this.#handler?.onDrain();
  }

  /** Delivers what waited for a partition to heal. */
  wake(): void {
    this.#inward?.wake();
  }

  get #out(): MemoryPipe {
    invariant(this.#outward !== undefined, "a memory stream is attached to its pipes");
    return this.#outward;
  }

  #passes(type: ItemType): boolean {
    if (this.#closed || !this.#args.reachable()) return false;
    if (type === "opened" || type === "reset" || this.#closing !== undefined) return true;
    return this.#handler !== undefined && !this.#paused;
  }

  #finish(error: Error | undefined): void {
    this.#closed = true;
    this.#ended = true;
    this.#error = error;
    this.#closing?.cancel();
    this.#inward?.clear();
    this.#tellClosed();
  }

  #tellClosed(): void {
    this.#args.onClosed();
    this.onClosed();
  }

  #reportSoon(): void {
    this.#args.clock.setTimer(0, () => this.#report());
  }

  #report(): void {
    if (this.#handler === undefined || this.#reported) return;
    this.#reported = true;
    this.#handler.onClose(this.#error);
  }
}

export function connectionReset(): CodedError {
  return new CodedError("CLOSED", "The connection was reset.");
}
