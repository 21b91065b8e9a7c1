// Turns for connections that bring more records than one may have at a time. A few are served, then
// the event loop goes round before the next: however many connections flood, the others are read.
// One instance for all connections of a channel.

import type { Clock } from "../ports.js";

/** Served before the loop goes round: 256 records, 2 to 3 ms. */
const TURNS_AT_ONCE = 4;
/** Between them; so one connection is read at 16,000 small records a second at most. */
const REST_MS = 4;

export class TlsTurns {
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #waiting = new Set<() => void>();
  #resting = false;

  constructor(clock: Pick<Clock, "setTimer">) {
    this.#clock = clock;
  }

  /** `turn` is called once, later. */
  wait(turn: () => void): void {
    this.#waiting.add(turn);
    if (this.#resting) return;
    this.#resting = true;
    this.#clock.setTimer(REST_MS, () => this.#serve());
  }

  leave(turn: () => void): void {
    this.#waiting.delete(turn);
  }

  #serve(): void {
    this.#resting = false;
    let left = Math.min(TURNS_AT_ONCE, this.#waiting.size);
    for (const turn of this.#waiting) {
      if (left-- === 0) break;
      this.#waiting.delete(turn);
      turn();
    }
    const [next] = this.#waiting;
    if (next !== undefined) this.wait(next);
  }
}
