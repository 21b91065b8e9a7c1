// What a node's ledger of memory must show. While it runs its own invariants hold; at rest nothing
// is held of what comes and goes with work; after its end nothing at all.

import type { MemoryHolder } from "../config/memory-plan.js";
import type { MemoryLedger } from "../actors/memory-ledger.js";

const AT_WORK: readonly MemoryHolder[] = [
  "receiveLanes",
  "inboxes",
  "sendQueues",
  "queueGrowth",
  "submissions",
  "syncBodies",
  "syncHeaders",
  "connects",
  "reorganisation",
  "poolJobs",
  "fetches",
  "wanted",
];

/** Throws for what is leased although nothing is under way. */
export function nothingAtWork(memory: Pick<MemoryLedger, "nothingLeased">): void {
  memory.nothingLeased(AT_WORK);
}
