// Received chunks between the socket and the peer handler's turn: one wake-up per turn instead of a
// message per chunk, and a bound at which the socket is paused. Owned by a PeerHandler.

import type { Connection } from "../../ports.js";

/** Above this much unread data the socket is paused; below half of it resumed. */
const INBOX_BYTES_MAX = 1024 * 1024;

export class Inbox {
  readonly #connection: Connection;
  readonly #wake: () => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #awake = false;
  #paused = false;

  /** `wake` asks for a turn; it is called once until `rest`. */
  constructor(connection: Connection, wake: () => void) {
    this.#connection = connection;
    this.#wake = wake;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > INBOX_BYTES_MAX && !this.#paused) {
      this.#paused = true;
      this.#connection.pause();
    }
    this.wake();
  }

  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.length;
    if (this.#paused && this.#bytes < INBOX_BYTES_MAX / 2) {
      this.#paused = false;
      this.#connection.resume();
    }
    return chunk;
  }

  /** Asks for a turn unless one is coming. */
  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#wake();
  }

  /** The turn has come: the next chunk wakes again. */
  rest(): void {
    this.#awake = false;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#bytes = 0;
  }
}
