// The ids of transactions whose bodies need not be fetched again. Pure; owned by the transaction
// handler.

import { IdCache } from "../id-cache.js";
import { HELD_IDS_MAX, INVALID_IDS_MAX } from "../../config/memory-plan.js";
import type { HashHex } from "../../types/chain.js";

export class KnownTransactions {
  /** On their way into the mempool, in it, confirmed or refused for good. */
  readonly #held = new IdCache(HELD_IDS_MAX);
  /** An id is the hash of all bytes, so what is invalid once is so from whomever it comes. */
  readonly #invalid = new IdCache(INVALID_IDS_MAX);

  get size(): number {
    return this.#held.size + this.#invalid.size;
  }

  has(id: HashHex): boolean {
    return this.#held.has(id) || this.#invalid.has(id);
  }

  isInvalid(id: HashHex): boolean {
    return this.#invalid.has(id);
  }

  add(id: HashHex): void {
    this.#held.add(id);
  }

  /** It is not here any more, and may be taken again. */
  forget(id: HashHex): void {
    this.#held.delete(id);
  }

  invalid(id: HashHex): void {
    this.#held.delete(id);
    this.#invalid.add(id);
  }
}
