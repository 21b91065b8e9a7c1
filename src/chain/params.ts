// The constants of one proof-of-work network. Structured-cloneable: they travel to pool threads as
// the options of the rules module. The named networks are in networks.ts.

export interface ChainParams {
  /** Part of the genesis block, so two networks never share an id. */
  readonly name: string;
  readonly genesisTimestampMs: number;
  /** At least 1; the difficulty of genesis. */
  readonly minDifficulty: bigint;
  /** The difficulty rule holds the mean time between blocks near this. */
  readonly targetIntervalMs: number;
  /** How far a block's time may lie past the checking node's clock. */
  readonly maxFutureMs: number;
  readonly blockBytesMax: number;
  /** Of a whole encoded transaction. */
  readonly transactionBytesMax: number;
  /** Of a transaction's data field. */
  readonly transactionDataBytesMax: number;
}
