// Says which transactions a restart lost: those that waited in a mempool, and that its store had said to
// be durable, and that the next start does not give to its mempool. One for all lives of a node.

import { sha256Hex } from "../bytes/sha256.js";
import { decodeKeptPage } from "../actors/integration/kept-page.js";
import type { Mempool, MempoolStore } from "../ports.js";
import type { HashHex } from "../types/chain.js";

export class KeptAuditor {
  /** Ids by page, as far as they are durable. */
  readonly #pages = new Map<string, readonly HashHex[]>();
  /** To be given to the mempool again. */
  #owed: readonly HashHex[] = [];

  watch(store: MempoolStore): MempoolStore {
    return {
      names: () => store.names(),
      read: (name) => store.read(name),
      write: async (pages) => {
        // The bytes belong to the store from then on.
        const written = pages.map(({ name, bytes }) => ({ name, ids: bytes && idsIn(bytes) }));
        // A crash may find them gone from now on.
        for (const { name, ids } of written) if (ids === undefined) this.#pages.delete(name);
        await store.write(pages);
        for (const { name, ids } of written) if (ids !== undefined) this.#pages.set(name, ids);
      },
      close: () => store.close(),
    };
  }

  /** The process ended, with this in its mempool, after all that was `given` to it. */
  ended(mempool: Pick<Mempool, "has">, given: ReadonlySet<HashHex>): void {
    const durable = new Set([...this.#pages.values()].flat());
    const waiting = [...durable].filter((id) => mempool.has(id));
    const still = this.#owed.filter((id) => !given.has(id) && durable.has(id));
    this.#owed = [...new Set([...waiting, ...still])];
  }

  /** One that is forgotten, a good while after a start; undefined: none. */
  lost(given: ReadonlySet<HashHex>): HashHex | undefined {
    return this.#owed.find((id) => !given.has(id));
  }
}

function idsIn(page: Uint8Array): readonly HashHex[] {
  return decodeKeptPage(page).map(({ bytes }) => sha256Hex(bytes));
}
