// Turns totals that others keep, and that start again when an actor does, into increments for
// counters that never go back. Used by the metrics.

export class Advances {
  #totals = new Map<string, number>();
  #seen = new Map<string, number>();

  /** By how much the total of this key grew since it was last told; all of it after a restart. */
  of(key: string, total: number): number {
    const before = this.#totals.get(key) ?? 0;
    this.#totals.set(key, total);
    this.#seen.set(key, total);
    return total >= before ? total - before : total;
  }

  /** Forgets the keys that were not told since the last call: their actors are gone. */
  forgetUnseen(): void {
    this.#totals = this.#seen;
    this.#seen = new Map();
  }
}
