// How long this process kept its event loop from others, weighted by time: a stall counts for as
// long as it lasts, where a plain percentile of samples would count it once.

export interface LoopDelay {
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
    const sorted = this.#delaysMs.toSorted((a, b) => a - b);
    const totalMs = sorted.reduce((sum, delayMs) => sum + delayMs + PERIOD_MS, 0);
    let passedMs = 0;
    const p99Ms = sorted.find((delayMs) => (passedMs += delayMs + PERIOD_MS) >= totalMs * 0.99);
    return { p99Ms: p99Ms ?? 0, maxMs: sorted.at(-1) ?? 0 };
  }
}
