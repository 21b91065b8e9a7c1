// How long this process kept its event loop from others, weighted by time: a stall counts for as
// long as it lasts, where a plain percentile of samples would count it once.

import { weightedPercentiles } from "./percentiles.js";

export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Each millisecond would cost 2% of a core, which the pool would miss. */
const PERIOD_MS = 2;

export class LoopMeter {
  readonly #delaysMs: number[] = [];
  #timer: NodeJS.Timeout;
  #dueMs = performance.now() + PERIOD_MS;

  constructor() {
    this.#timer = setTimeout(this.#tick, PERIOD_MS);
  }

  readonly #tick = (): void => {
    const nowMs = performance.now();
    this.#delaysMs.push(Math.max(0, nowMs - this.#dueMs));
    this.#dueMs = nowMs + PERIOD_MS;
    this.#timer = setTimeout(this.#tick, PERIOD_MS);
  };

  /** 99% of the time passed in waits of at most `p99Ms`. */
  stop(): LoopDelay {
    clearTimeout(this.#timer);
    // A loop that is still stuck was stuck for as long as this.
    const overdueMs = performance.now() - this.#dueMs;
    if (overdueMs > 0) this.#delaysMs.push(overdueMs);
    const weight = (delayMs: number): number => delayMs + PERIOD_MS;
    const [p50Ms, p99Ms, maxMs] = weightedPercentiles(this.#delaysMs, [0.5, 0.99, 1], weight);
    return { p50Ms: p50Ms!, p99Ms: p99Ms!, maxMs: maxMs! };
  }
}
