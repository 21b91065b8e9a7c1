// How urgent what waits to be sent is, where a node sends less than it could: by the lane, and by what
// its next message is.

/** The most urgent first. */
export const RANK = { control: 0, tip: 1, transactions: 2, history: 3 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];
