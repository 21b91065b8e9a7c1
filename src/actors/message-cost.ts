// What a message counts for where turns are shared: its bytes, and a part for itself. Bytes and not
// measured time, so that one seed makes one order; time follows them nearly, for what is expensive in
// a large message (hashing, splitting) grows with it.

/** A frame makes work for as many bytes: 500 pings take about 2 ms. */
export const FRAME_COST_BYTES = 512;
