// One established TLS connection as the port's Connection. It adds one JS call a chunk to node's
// socket and no copy; what was written meanwhile the socket joins and hands to TLS in one piece, so
// a `bufferBytesMax` over 64 KiB costs speed (a fifth at 256 KiB).
// Made by the TCP transport, owned by a peer handler.

import type { TLSSocket } from "node:tls";

import { invariant } from "../errors.js";
import type { Clock, Connection, ConnectionHandler, Direction, PeerId, Timer } from "../ports.js";
import type { Endpoint } from "../protocol/address.js";
import { startFairTimer } from "./fair-timer.js";
import type { TcpFeed } from "./tcp-feed.js";
import type { BrokenTlsRule } from "./tls-records.js";

export interface TcpConnectionArgs {
  readonly socket: TLSSocket;
  readonly feed: TcpFeed;
  readonly peerId: PeerId;
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
  readonly clock: Clock;
  /** `write` answers false from this many buffered bytes on. */
  readonly bufferBytesMax: number;
  /** `close` destroys the socket after this long. */
  readonly closeTimeoutMs: number;
}

export class TcpConnection implements Connection {
  readonly peerId: PeerId;
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
  readonly #args: TcpConnectionArgs;
  readonly #socket: TLSSocket;
  #handler: ConnectionHandler | undefined;
  #waitsForDrain = false;
  /** Nothing can be written any more: either side ended. */
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #broken: BrokenTlsRule | undefined;
  #closeTimer: Timer | undefined;

  constructor(args: TcpConnectionArgs) {
    this.#args = args;
    this.#socket = args.socket;
    this.peerId = args.peerId;
    this.direction = args.direction;
    this.local = args.local;
    this.remote = args.remote;
    this.openedAtMs = args.openedAtMs;
    const socket = args.socket;
    socket.on("error", this.#onError);
    // Where a server-side TLSSocket without a tls.Server reports TLS errors after the handshake.
    socket.on("_tlsError", this.#onError);
    socket.on("close", this.#onClose);
    args.feed.secured(this.#onBroken);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Nothing is written any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Written and not sent: plain, and encrypted. */
  get unsentBytes(): number {
    return this.#socket.writableLength + this.#args.feed.unsentBytes;
  }

  open(handler: ConnectionHandler): void {
    invariant(this.#handler === undefined, "a connection is opened once");
    this.#handler = handler;
    if (this.#closed) {
      process.nextTick(() => handler.onClose(this.#error, this.#broken));
      return;
    }
    const socket = this.#socket;
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    if (!this.#ended) socket.on("data", this.#onData);
  }

  write(chunk: Uint8Array, onTaken?: () => void): boolean {
    if (this.#ended) return false;
    const socket = this.#socket;
    // Node and TLS keep the chunk until the callback; one that failed may be read even then.
    socket.write(chunk, onTaken && ((error) => void (error ?? onTaken())));
    if (socket.writableLength < this.#args.bufferBytesMax) return true;
    this.#waitsForDrain = true;
    return false;
  }

  pause(): void {
    if (!this.#ended) this.#socket.pause();
  }

  resume(): void {
    // Without a handler the bytes would be lost.
    if (this.#handler !== undefined) this.#socket.resume();
  }

  close(): void {
    if (this.#closeTimer !== undefined || this.#closed || this.#socket.destroyed) return;
    const { clock, closeTimeoutMs } = this.#args;
    this.#closeTimer = startFairTimer(clock, closeTimeoutMs, () => this.#socket.destroy());
    this.#ended = true;
    this.#socket.end();
    // What still arrives is read and dropped: closing over unread bytes would send a reset, which
    // can overtake our own last bytes at the other side.
    this.#socket.off("data", this.#onData);
    this.#socket.resume();
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.off("data", this.#onData);
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#handler?.onData(chunk);
  };

  readonly #onDrain = (): void => {
    if (!this.#waitsForDrain || this.#ended) return;
    this.#waitsForDrain = false;
    this.#handler?.onDrain();
  };

  /** The other side ended; node ends ours as soon as what is buffered is sent. */
  readonly #onEnd = (): void => {
    this.#ended = true;
    const { clock, closeTimeoutMs } = this.#args;
    this.#closeTimer ??= startFairTimer(clock, closeTimeoutMs, () => this.#socket.destroy());
  };

  readonly #onError = (error: Error): void => {
    this.#error ??= error;
    this.#ended = true;
    this.#socket.destroy();
  };

  readonly #onBroken = (broken: BrokenTlsRule): void => {
    this.#broken = broken;
    this.destroy();
  };

  readonly #onClose = (): void => {
    this.#closed = true;
    this.#ended = true;
    this.#closeTimer?.cancel();
    this.#handler?.onClose(this.#error, this.#broken);
  };
}
