// The fate auditor listens to one life of a node: each block that it says to have received ends in one
// fate and is received once at a time, and each transaction that it says to hold ends in one fate or is
// held. What the node tells is compared with what it has when it is at rest.

import type { NetworkEvent, NetworkEventType } from "../actors/events/event-types.js";
import type { HashHex } from "../types/chain.js";

export const BLOCK_FATES = [
  "BlockReceived",
  "BlockValidated",
  "BlockSetAside",
  "BlockDropped",
  "BlockConnected",
  "BlockRejected",
] as const satisfies readonly NetworkEventType[];

export const TRANSACTION_FATES = [
  "TransactionReceived",
  "TransactionValidated",
  "TransactionAccepted",
  "TransactionRejected",
  "TransactionDropped",
  "TransactionConfirmed",
  "TransactionReturned",
] as const satisfies readonly NetworkEventType[];

type FateEvent = Extract<
  NetworkEvent,
  { type: (typeof BLOCK_FATES)[number] | (typeof TRANSACTION_FATES)[number] }
>;

/** `told`: the chain, or a sync, said its end before the block handler did. */
type BlockState = "received" | "validated" | "told";

export class FateAuditor {
  readonly #report: (sentence: string) => void;
  readonly #blocks = new Map<HashHex, BlockState>();
  /** Received, and neither accepted nor rejected: how often. */
  readonly #judged = new Map<HashHex, number>();
  readonly #held = new Set<HashHex>();

  /** `report` is told of every event out of order, in one sentence. */
  constructor(report: (sentence: string) => void) {
    this.#report = report;
  }

  see(event: FateEvent): void {
    switch (event.type) {
      case "BlockReceived": {
        const { hash } = event;
        if (this.#isOpen(hash)) this.#report(`block ${hash} was received twice at once`);
        this.#blocks.set(hash, "received");
        return;
      }
      case "BlockValidated":
        this.#validated(event.hash);
        return;
      case "BlockSetAside":
      case "BlockDropped":
        if (!this.#blocks.delete(event.hash)) {
          this.#report(`${event.type} of block ${event.hash}, which was never received`);
        }
        return;
      case "BlockConnected":
      case "BlockRejected":
        if (this.#isOpen(event.hash)) this.#blocks.set(event.hash, "told");
        return;
      default:
        this.#seeTransaction(event);
    }
  }

  /** Of a node at rest; undefined: all that it received ended. `heldCount`: in its mempool. */
  fault(heldCount: number | undefined): string | undefined {
    for (const hash of this.#blocks.keys()) {
      if (this.#isOpen(hash)) return `block ${hash} was received and never ended`;
    }
    if (heldCount === undefined) return undefined;
    const [id] = this.#judged.keys();
    if (id !== undefined) return `transaction ${id} was received and never judged`;
    if (this.#held.size === heldCount) return undefined;
    return `${this.#held.size} transactions were accepted and never ended, ${heldCount} are held`;
  }

  #seeTransaction(event: Extract<FateEvent, { readonly id: HashHex }>): void {
    const { type, id } = event;
    switch (type) {
      case "TransactionReceived":
        this.#judged.set(id, (this.#judged.get(id) ?? 0) + 1);
        return;
      case "TransactionValidated":
        return;
      case "TransactionRejected":
        this.#judge(id);
        return;
      case "TransactionAccepted":
        this.#judge(id);
        this.#hold(type, id);
        return;
      case "TransactionReturned":
        this.#hold(type, id);
        return;
      case "TransactionConfirmed":
      case "TransactionDropped":
        if (!this.#held.delete(id)) this.#report(`${type} of ${id}, which was never accepted`);
    }
  }

  #hold(type: string, id: HashHex): void {
    if (this.#held.has(id)) this.#report(`${type} of ${id}, which was accepted before`);
    this.#held.add(id);
  }

  #judge(id: HashHex): void {
    const count = (this.#judged.get(id) ?? 0) - 1;
    if (count > 0) this.#judged.set(id, count);
    else this.#judged.delete(id);
  }

  #validated(hash: HashHex): void {
    const state = this.#blocks.get(hash);
    if (state === "received") this.#blocks.set(hash, "validated");
    else if (state !== "told") this.#report(`block ${hash} was validated and never received`);
  }

  #isOpen(hash: HashHex): boolean {
    const state = this.#blocks.get(hash);
    return state === "received" || state === "validated";
  }
}
