// The largest simulations: more nodes do not fit into the memory of one process, and what takes more
// virtual time ends on no day.

/** docs/scale.md has what so many cost. */
export const NODES_MAX = 10_000;
/** A month. */
export const MINUTES_MAX = 43_200;
export const TIME_MS_MAX = MINUTES_MAX * 60_000;
export const TRANSACTIONS_PER_SECOND_MAX = 10_000;
