// The ids of transactions whose bodies need not be fetched again. Pure; owned by the transaction
// handler.

import { IdCache } from "../id-cache.js";
import type { HashHex } from "../../types/chain.js";

const HELD_MAX = 65_536;
const INVALID_MAX = 16_384;

export class KnownTransactions {
  /** On their way into the mempool, in it, confirmed or refused for good. */
  readonly #held = new IdCache(HELD_MAX);
  /** An id is the hash of all bytes, so what is invalid once is so from whomever it comes. */
  readonly #invalid = new IdCache(INVALID_MAX);

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
