// The ids of transactions whose bodies need not be fetched again. Pure; owned by the transaction
// handler.

import { IdCache } from "../id-cache.js";
import { HELD_IDS_MAX, INVALID_IDS_MAX, RELAYED_IDS } from "../../config/memory-plan.js";
import { ShortIds } from "../../protocol/relay-ids.js";
import type { HashHex, ShortId } from "../../types/chain.js";

export class KnownTransactions {
  /** On their way into the mempool, in it, confirmed or refused for good. */
  readonly #held = new IdCache(HELD_IDS_MAX);
  /** An id is the hash of all bytes, so what is invalid once is so from whomever it comes. */
  readonly #invalid = new IdCache(INVALID_IDS_MAX);

  /** Those of the last ones by which peers tell this node of them, the oldest first. */
  readonly #byShortId = new Map<ShortId, HashHex>();
  readonly #shortIds: ShortIds;

  constructor(shortIdKey: Uint8Array) {
    this.#shortIds = new ShortIds(shortIdKey);
  }

  get size(): number {
    return this.#held.size + this.#invalid.size + this.#byShortId.size;
  }

  shortOf(id: HashHex): ShortId {
    return this.#shortIds.of(id);
  }

  /** Undefined: no body of it need be here. */
  idOf(short: ShortId): HashHex | undefined {
    const id = this.#byShortId.get(short);
    return id !== undefined && this.has(id) ? id : undefined;
  }

  has(id: HashHex): boolean {
    return this.#held.has(id) || this.#invalid.has(id);
  }

  isInvalid(id: HashHex): boolean {
    return this.#invalid.has(id);
  }

  add(id: HashHex, short = this.shortOf(id)): void {
    this.#held.add(id);
    this.#byShortId.set(short, id);
    for (const oldest of this.#byShortId.keys()) {
      if (this.#byShortId.size <= RELAYED_IDS.transaction.ownMax) break;
      this.#byShortId.delete(oldest);
    }
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
