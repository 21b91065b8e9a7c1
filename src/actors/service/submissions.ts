// What a network's host handed in and has no answer to yet: counted from the call on, so that neither
// mailboxes nor the blocks that are checked hold more of it than its part of the memory.

import { SUBMITTED_BLOCKS_MAX, SUBMITTED_TRANSACTIONS_MAX } from "../../config/memory-plan.js";
import { CodedError } from "../../errors.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { ActorSystem } from "../../runtime/actor-system.js";
import type { ProducedOutcome } from "../handlers/block-origin.js";
import type { SubmitOutcome } from "../handlers/transaction-handler-state.js";
import type { Lease, MemoryLedger } from "../memory-ledger.js";
import type { NetworkMessage } from "./network-messages.js";

/** As good as none: a block is answered when its end is known, and by whatever crashes with it. */
const BLOCK_TIMEOUT_MS = 3_600_000;

export interface SubmissionsParts {
  readonly system: Pick<ActorSystem<never>, "ask">;
  readonly service: ActorRef<NetworkMessage>;
  readonly memory: MemoryLedger;
  readonly askTimeoutMs: number;
}

export class Submissions {
  readonly #parts: SubmissionsParts;
  readonly #lease: Lease;
  #blocks = 0;
  #transactions = 0;

  constructor(parts: SubmissionsParts) {
    this.#parts = parts;
    this.#lease = parts.memory.lease("submissions");
  }

  /** Rejects with QUEUE_FULL. */
  async transaction(transaction: Uint8Array): Promise<SubmitOutcome> {
    const { system, service, askTimeoutMs } = this.#parts;
    const { length } = transaction;
    if (this.#transactions >= SUBMITTED_TRANSACTIONS_MAX) {
      throw full(`${this.#transactions} transactions have no answer yet`);
    }
    this.#take(length);
    this.#transactions++;
    try {
      return await system.ask<NetworkMessage, SubmitOutcome>(
        service,
        (replyTo) => ({ type: "SubmitTransaction", transaction, replyTo }),
        askTimeoutMs,
      );
    } finally {
      this.#transactions--;
      this.#lease.give(length);
    }
  }

  /** Throws QUEUE_FULL: nothing is dropped without a word. */
  block(block: Uint8Array): void {
    const { system, service } = this.#parts;
    if (this.#blocks >= SUBMITTED_BLOCKS_MAX)
      throw full(`${this.#blocks} blocks are being checked`);
    const { length } = block;
    this.#take(length);
    this.#blocks++;
    const over = (): void => {
      this.#blocks--;
      this.#lease.give(length);
    };
    let isTaken = true;
    const heard = {
      path: service.path,
      tell: (message: NetworkMessage) => (isTaken = service.tell(message)),
    } as ActorRef<NetworkMessage>;
    system
      .ask<NetworkMessage, ProducedOutcome>(
        heard,
        (replyTo) => ({ type: "SubmitBlock", block, replyTo }),
        BLOCK_TIMEOUT_MS,
      )
      .then(over, over);
    if (!isTaken) throw full("its mailbox is full");
  }

  #take(bytes: number): void {
    if (this.#lease.take(bytes)) return;
    throw full(`${this.#lease.bytes} bytes that were handed in before have no answer yet`);
  }
}

export function full(why: string): CodedError {
  return new CodedError("QUEUE_FULL", `The network cannot take this now: ${why}.`);
}
