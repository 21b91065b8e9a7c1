// The system clock: the one place that reads the machine's time and sets its timers.

import type { Clock, Timer } from "../ports.js";

/** A longer delay would make Node's setTimeout fire at once. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (delayMs, callback) => new SystemTimer(delayMs, callback),
};

/** One object: a closure that cancels took four with what it closed over, and connections have two. */
class SystemTimer implements Timer {
  #handle: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void) {
    this.#handle = this.#arm(delayMs, callback);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #arm(delayMs: number, callback: () => void): NodeJS.Timeout {
    if (delayMs <= DELAY_MAX_MS) return setTimeout(callback, delayMs);
    const again = (): void => void (this.#handle = this.#arm(delayMs - DELAY_MAX_MS, callback));
    return setTimeout(again, DELAY_MAX_MS);
  }
}
