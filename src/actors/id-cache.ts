// Bounded memory of ids, newest kept: what peers know, what was seen. Used by the handlers and the
// broadcaster, one for each peer or node.

import { LRUCache } from "lru-cache";
import type { HashHex } from "../chain/types.js";

export type IdCache = LRUCache<HashHex, true>;

/** Bounded by size, not by `max`, for which lru-cache would allocate all slots of an idle cache. */
export function createIdCache(entriesMax: number): IdCache {
  return new LRUCache({ maxSize: entriesMax, sizeCalculation: () => 1 });
}
