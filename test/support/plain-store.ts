import type { BlockStore } from "../../src/ports.js";

/** A store as a caller may bring it: with nothing but what every one must have. */
export function plainStore(store: BlockStore): BlockStore {
  return {
    head: () => store.head(),
    has: (hash) => store.has(hash),
    summary: (hash) => store.summary(hash),
    headerBytes: (hash) => store.headerBytes(hash),
    block: (hash) => store.block(hash),
    hashAt: (height) => store.hashAt(height),
    undo: (hash) => store.undo(hash),
    state: (key) => store.state(key),
    commit: (commit) => store.commit(commit),
    prune: (height) => store.prune(height),
    close: () => store.close(),
  };
}
