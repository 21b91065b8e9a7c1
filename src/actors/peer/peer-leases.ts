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
  #isOver = false;

  constructor(memory: MemoryLedger) {
    this.windowGrowth = memory.lease("windowGrowth");
    this.#received = memory.lease("receiveLanes");
    this.#inbox = memory.lease("inboxes");
    this.#queue = memory.lease("sendQueues");
  }

  /** As things are after a turn. */
  settle({ session, inbox, decodeRunning }: Holding): void {
    let receivedBytes = session.receivedBytes;
    if (session.phase === "closing") {
      // It takes nothing in any more, nor gives credit for what is dealt with.
      receivedBytes = this.handedBytes;
      for (const { creditBytes } of decodeRunning) receivedBytes += creditBytes;
    }
    this.#received.resize(receivedBytes);
    this.#inbox.resize(inbox.heldBytes);
    this.#queue.resize(session.queuedBytes);
  }

  /** The handler has ended. */
  release(): void {
    this.#isOver = true;
    this.#received.resize(this.handedBytes);
    this.windowGrowth.release();
    this.#inbox.release();
    this.#queue.release();
  }

  dealt(bytes: number): void {
    this.handedBytes -= bytes;
    if (this.#isOver) this.#received.resize(this.handedBytes);
  }
}
