// The credit windows of a connection's data lanes, as both halves of its lanes are configured. A
// window counts whole frames, payload and header, so the two ends always agree.

/** Memory that several connections share. */
export interface SharedBytes {
  /** False: there is not so much left. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export interface WindowOptions {
  /** What either side may send on a data lane before the first WindowUpdate; both must agree. */
  readonly windowBytesInitial: number;
  /** To this a window may grow. */
  readonly windowBytesMax: number;
  /** What receiving windows grow by is taken from here; absent: it is not counted. */
  readonly growth?: SharedBytes;
}
