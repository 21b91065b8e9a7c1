// What one connection holds of the node's memory: looked at once after each turn of its handler. Its
// messages outlive it: those in others' hands are counted until somebody has dealt with them.

import type { Lease, MemoryLedger } from "../memory-ledger.js";

/** The parts of a handler that hold bytes. */
interface Holding {
  readonly session: {
    readonly phase: "handshaking" | "ready" | "closing";
    readonly receivedBytes: number;
    readonly queuedBytes: number;
  };
  readonly inbox: { readonly heldBytes: number };
  /** Messages in the pool. */
  readonly decodeRunning: readonly { readonly creditBytes: number }[];
}

export class PeerLeases {
  /** Credit of messages that are not dealt with, those that wait in the handler among them. */
  handedBytes = 0;
  readonly windowGrowth: Lease;
  readonly #received: Lease;
  readonly #inbox: Lease;
  readonly #queue: Lease;
  readonly #queueGrowth: Lease;
  readonly #ownQueueBytes: number;
  readonly #departed: Lease;
  /** Of it that is this connection's. */
  #departedBytes = 0;
  #isOver = false;

  constructor(memory: MemoryLedger, ownQueueBytes: number) {
    this.windowGrowth = memory.lease("windowGrowth");
    this.#received = memory.lease("receiveLanes");
    this.#inbox = memory.lease("inboxes");
    this.#queue = memory.lease("sendQueues");
    this.#queueGrowth = memory.lease("queueGrowth");
    this.#ownQueueBytes = ownQueueBytes;
    this.#departed = memory.departed;
  }

  /** As things are after a turn. */
  settle({ session, inbox, decodeRunning }: Holding): void {
    const { queuedBytes } = session;
    if (session.phase === "closing") {
      // It takes nothing in any more, nor gives credit for what is dealt with.
      let departedBytes = this.handedBytes;
      for (const { creditBytes } of decodeRunning) departedBytes += creditBytes;
      this.#departs(departedBytes);
    } else this.#received.resize(session.receivedBytes);
    this.#inbox.resize(inbox.heldBytes);
    const ownBytes = Math.min(queuedBytes, this.#ownQueueBytes);
    this.#queue.resize(ownBytes);
    this.#queueGrowth.resize(queuedBytes - ownBytes);
  }

  /** All queues together have room for one that holds so much. */
  mayQueue(bytes: number): boolean {
    return bytes <= this.#ownQueueBytes || this.#queueGrowth.fits(bytes - this.#ownQueueBytes);
  }

  /** The handler has ended. */
  release(): void {
    this.#isOver = true;
    this.#departs(this.handedBytes);
    this.windowGrowth.release();
    this.#inbox.release();
    this.#queue.release();
    this.#queueGrowth.release();
  }

  dealt(bytes: number): void {
    this.handedBytes -= bytes;
    if (this.#isOver) this.#departs(this.handedBytes);
  }

  /** Its messages that others have count with those of all peers that are gone. */
  #departs(bytes: number): void {
    this.#received.release();
    this.#departed.resize(this.#departed.bytes + bytes - this.#departedBytes);
    this.#departedBytes = bytes;
  }
}
