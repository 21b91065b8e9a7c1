// The credit windows of a connection's data lanes, as both halves of its lanes are configured. A
// window counts whole frames, payload and header, so the two ends always agree.

export interface WindowOptions {
  /** What either side may send on a data lane before the first WindowUpdate; both must agree. */
  readonly windowBytesInitial: number;
  /** To this a window may grow. */
  readonly windowBytesMax: number;
}
