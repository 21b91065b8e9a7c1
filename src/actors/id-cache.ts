// Bounded memory of ids, newest kept: what peers know, what was seen. Used by the handlers and the
// broadcaster, one for each peer or node.

import type { HashHex } from "../types/chain.js";

/**
 * A set that forgets its oldest id for each one beyond its bound. It grows with use: an idle one
 * holds next to nothing.
 */
export class IdCache {
  readonly #entriesMax: number;
  /** Made for the first one. */
  #ids: Set<HashHex> | undefined;
  /** In order of arrival; once full, a ring. Ids that were deleted stay until their turn. */
  readonly #order: HashHex[] = [];
  #oldest = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#ids?.size ?? 0;
  }

  has(id: HashHex): boolean {
    return this.#ids?.has(id) === true;
  }

  add(id: HashHex): void {
    if (this.#entriesMax === 0) return;
    const ids = (this.#ids ??= new Set<HashHex>());
    if (ids.has(id)) return;
    if (this.#order.length < this.#entriesMax) {
      this.#order.push(id);
    } else {
      ids.delete(this.#order[this.#oldest]!);
      this.#order[this.#oldest] = id;
      this.#oldest = (this.#oldest + 1) % this.#entriesMax;
    }
    ids.add(id);
  }

  /** An id that is deleted and added again may be forgotten at the turn of its first time. */
  delete(id: HashHex): void {
    this.#ids?.delete(id);
  }
}
