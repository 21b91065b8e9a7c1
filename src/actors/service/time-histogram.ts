// How long something took, in a few classes: cheap enough to be noted for each message. Pure.

/** The upper bounds of the classes in milliseconds; the last class has none. */
export const TIME_BOUNDS_MS = [1, 4, 16, 64, 256, 1_024, 4_096] as const;

/** Totals since the start. Structured-cloneable. */
export interface TimesTaken {
  /** Of each class, that is not of those below it too. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

export class TimeHistogram {
  readonly #counts = new Float64Array(TIME_BOUNDS_MS.length + 1);
  #sumMs = 0;

  add(ms: number): void {
    let at = 0;
    while (at < TIME_BOUNDS_MS.length && ms > TIME_BOUNDS_MS[at]!) at++;
    this.#counts[at]!++;
    this.#sumMs += ms;
  }

  /** A copy. */
  read(): TimesTaken {
    return { counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
