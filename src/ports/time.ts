// Time and chance, which no actor takes for itself.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Never goes back; for deadlines and durations. Milliseconds, fractions allowed. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC; for timestamps and bans only. */
  wallMs(): number;
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform in [0, 2^32). */
  uint32(): number;
  bytes(count: number): Uint8Array;
}
