// The size of a message of the gossip benches.

export const TRANSACTION_BYTES = 300;
