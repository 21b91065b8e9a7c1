// Why a transaction that breaks no rule of the chain's is not taken, or leaves again without being
// confirmed. Each is a rule of an answer to its submitter, of an event and of a metric; in words
// they are in chain/refusals.ts.

/** What a mempool answers. */
export type MempoolRefusal = "known" | "full" | "underpriced" | "nonce" | "conflict" | "invalid";

/** What a node answers for its mempool: it is busy, a block of its own failed for it, or it threw. */
export type NodeRefusal = "busy" | "refused" | "failed";

/** Of one that was taken before. Further words may be a mempool's own. */
export type Departure = "evicted" | "replaced" | "nonce" | "refused" | "expired";
