// A secured stream of node's as the port's Connection: flow control and an orderly end, whatever
// secured it. It adds one JS call a chunk and no copy; what was written meanwhile the stream joins
// and hands on in one piece, so over TLS a `bufferBytesMax` over 64 KiB costs speed (a fifth at
// 256 KiB). Made by a channel, owned by a peer handler.

import type { Duplex } from "node:stream";

import { invariant } from "../errors.js";
import type {
  Clock,
  Connection,
  ConnectionHandler,
  Direction,
  PeerId,
  Timer,
  TransportBreach,
} from "../ports.js";
import type { Endpoint } from "../protocol/address.js";
import { startFairTimer } from "./fair-timer.js";
import type { RawStream } from "./carrier.js";

/** The same for every connection of a transport. */
export interface StreamLimits {
  readonly clock: Clock;
  /** `write` answers false from this many buffered bytes on. */
  readonly bufferBytesMax: number;
  /** `close` destroys the stream after this long. */
  readonly closeTimeoutMs: number;
}

export interface StreamConnectionArgs {
  /** Ends its own half when the other side has ended. */
  readonly stream: Duplex;
  /** What it was made of. */
  readonly raw: RawStream;
  readonly peerId: PeerId;
  readonly limits: StreamLimits;
}

export class StreamConnection implements Connection {
  readonly peerId: PeerId;
  readonly direction: Direction;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly openedAtMs: number;
  readonly #limits: StreamLimits;
  readonly #stream: Duplex;
  #handler: ConnectionHandler | undefined;
  #waitsForDrain = false;
  #paused = false;
  /** Nothing can be written any more: either side ended. */
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #breach: TransportBreach | undefined;
  #closeTimer: Timer | undefined;

  constructor({ stream, raw, peerId, limits }: StreamConnectionArgs) {
    this.#limits = limits;
    this.#stream = stream;
    this.peerId = peerId;
    this.direction = raw.direction;
    this.local = raw.local;
    this.remote = raw.remote;
    this.openedAtMs = raw.openedAtMs;
    stream.on("error", this.fail);
    stream.on("close", this.#onClose);
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  /** Nothing is written any more. */
  get ended(): boolean {
    return this.#ended;
  }

  open(handler: ConnectionHandler): void {
    invariant(this.#handler === undefined, "a connection is opened once");
    this.#handler = handler;
    if (this.#closed) {
      process.nextTick(() => handler.onClose(this.#error, this.#breach));
      return;
    }
    const stream = this.#stream;
    stream.on("end", this.#onEnd);
    stream.on("drain", this.#onDrain);
    if (this.#ended) return;
    stream.on("data", this.#onData);
    // A channel may have stopped it when it had read what it needed.
    if (!this.#paused) stream.resume();
  }

  write(chunk: Uint8Array, onTaken?: () => void): boolean {
    if (this.#ended) return false;
    const stream = this.#stream;
    // Node and TLS keep the chunk until the callback; one that failed may be read even then.
    stream.write(chunk, onTaken && ((error) => void (error ?? onTaken())));
    if (stream.writableLength < this.#limits.bufferBytesMax) return true;
    this.#waitsForDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#ended) this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    // Without a handler the bytes would be lost.
    if (this.#handler !== undefined) this.#stream.resume();
  }

  close(): void {
    if (this.#closeTimer !== undefined || this.#closed || this.#stream.destroyed) return;
    const { clock, closeTimeoutMs } = this.#limits;
    this.#closeTimer = startFairTimer(clock, closeTimeoutMs, () => this.#stream.destroy());
    this.#ended = true;
    this.#stream.end();
    // What still arrives is read and dropped: closing over unread bytes would send a reset, which
    // can overtake our own last bytes at the other side.
    this.#stream.off("data", this.#onData);
    this.#stream.resume();
  }

  destroy(): void {
    this.#ended = true;
    this.#stream.off("data", this.#onData);
    this.#stream.destroy();
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
    const { clock, closeTimeoutMs } = this.#limits;
    this.#closeTimer ??= startFairTimer(clock, closeTimeoutMs, () => this.#stream.destroy());
  };

  /** For its channel, too: not all errors of a stream are events of its own. */
  readonly fail = (error: Error): void => {
    this.#error ??= error;
    this.#ended = true;
    this.#stream.destroy();
  };

  /** For its channel: the peer broke a rule of what lies below. */
  readonly refuse = (breach: TransportBreach): void => {
    this.#breach = breach;
    this.destroy();
  };

  readonly #onClose = (): void => {
    this.#closed = true;
    this.#ended = true;
    this.#closeTimer?.cancel();
    this.#handler?.onClose(this.#error, this.#breach);
  };
}
