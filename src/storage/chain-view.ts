// The view of the chain that is shared by all who read it: it has no way to write, so the one writer
// stays the only one, and a thread with a store of its own can make its own.

import type { BlockStore, ChainView } from "../ports.js";

/** Reads through: what `store` answers later, the view answers. */
export function chainView(store: BlockStore): ChainView {
  const view: ChainView = {
    head: () => store.head(),
    has: (hash) => store.has(hash),
    summary: (hash) => store.summary(hash),
    headerBytes: (hash) => store.headerBytes(hash),
    block: (hash) => store.block(hash),
    hashAt: (height) => store.hashAt(height),
    state: (key) => store.state(key),
  };
  if (store.readBlocks === undefined) return Object.freeze(view);
  const readBlocks = store.readBlocks.bind(store);
  return Object.freeze({ ...view, readBlocks });
}
