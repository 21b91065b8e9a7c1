// The system clock: the one place that reads the machine's time and sets its timers.

import type { Clock, Timer } from "../ports.js";

/** A longer delay would make Node's setTimeout fire at once. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer,
};

function setTimer(delayMs: number, callback: () => void): Timer {
  let handle: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    handle =
      leftMs <= DELAY_MAX_MS
        ? setTimeout(callback, leftMs)
        : setTimeout(() => arm(leftMs - DELAY_MAX_MS), DELAY_MAX_MS);
  };
  arm(delayMs);
  return { cancel: () => clearTimeout(handle) };
}
