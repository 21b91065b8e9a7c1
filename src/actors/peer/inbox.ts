// Received chunks between the socket and the peer handler's turn: one wake-up per turn instead of a
// message per chunk, and a bound at which the socket is paused. Small chunks that wait are copied
// together: one byte in a chunk of its own takes 300. Owned by a PeerHandler.

import { uninitialised } from "../../bytes/uninitialised.js";
import type { Connection } from "../../ports.js";
import { Fifo } from "../../protocol/fifo.js";

/** Above this much unread data the socket is paused; below half of it resumed. */
const INBOX_BYTES_MAX = 1024 * 1024;
/** Chunks up to this size are copied behind what waits. */
const COPIED_BYTES_MAX = 1024;
const GATHERED_BYTES = 16 * 1024;

/** Small chunks, one behind the other; what was handed out of it is never written again. */
interface Gathering {
  readonly buffer: Uint8Array;
  start: number;
  end: number;
}

export class Inbox {
  readonly #connection: Connection;
  readonly #wake: () => void;
  readonly #came: (bytes: number) => boolean;
  readonly #chunks = new Fifo<Uint8Array>();
  /** While anything waits, if there were small ones: an idle inbox has none. */
  #gathering: Gathering | undefined;
  #bytes = 0;
  #awake = false;
  #paused = false;
  /** What came was more than may come now. */
  #held = false;

  /**
   * `wake` asks for a turn; it is called once until `rest`. `came`: so many bytes did; false: no more
   * may before `letGo`.
   */
  constructor(
    connection: Connection,
    wake: () => void,
    came: (bytes: number) => boolean = () => true,
  ) {
    this.#connection = connection;
    this.#wake = wake;
    this.#came = came;
  }

  /** What waits. While the socket is paused there may be more in it: twice as much, at a guess. */
  get bytes(): number {
    return this.#paused || this.#held ? this.#bytes + 2 * INBOX_BYTES_MAX : this.#bytes;
  }

  /** What of it is in this node's memory. */
  get heldBytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#bytes === 0;
  }

  push(chunk: Uint8Array): void {
    // The first to wait is handed out as it came: that is every chunk of a quiet connection.
    if (chunk.length > COPIED_BYTES_MAX || this.empty) {
      this.#endGathering();
      this.#chunks.push(chunk);
    } else this.#gather(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > INBOX_BYTES_MAX && !this.#paused) {
      this.#paused = true;
      this.#connection.pause();
    }
    if (!this.#came(chunk.length) && !this.#held) {
      this.#held = true;
      this.#connection.pause();
    }
    this.wake();
  }

  /** More may come. */
  letGo(): void {
    this.#held = false;
    if (!this.#paused) this.#connection.resume();
  }

  shift(): Uint8Array | undefined {
    if (this.#chunks.length === 0) this.#endGathering();
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.length;
    if (this.empty) this.#gathering = undefined;
    if (this.#paused && this.#bytes < INBOX_BYTES_MAX / 2) {
      this.#paused = false;
      if (!this.#held) this.#connection.resume();
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
    this.#chunks.clear();
    this.#gathering = undefined;
    this.#bytes = 0;
  }

  #gather(chunk: Uint8Array): void {
    let gathering = this.#gathering;
    if (gathering === undefined || gathering.end + chunk.length > gathering.buffer.length) {
      this.#endGathering();
      gathering = { buffer: uninitialised(GATHERED_BYTES), start: 0, end: 0 };
    }
    this.#gathering = gathering;
    gathering.buffer.set(chunk, gathering.end);
    gathering.end += chunk.length;
  }

  /** What was gathered so far is a chunk. */
  #endGathering(): void {
    const gathering = this.#gathering;
    if (gathering === undefined || gathering.start === gathering.end) return;
    this.#chunks.push(gathering.buffer.subarray(gathering.start, gathering.end));
    gathering.start = gathering.end;
  }
}
