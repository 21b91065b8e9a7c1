// The longest stretch for which this thread worked without letting a timer in, in its own processor
// time: what others do on the machine does not show in it. Linux only; elsewhere it is not a number.

import { readFileSync } from "node:fs";

const PERIOD_MS = 2;

export class TurnMeter {
  readonly #timer: NodeJS.Timeout;
  #beforeMs = threadCpuMs();
  #maxMs = this.#beforeMs * 0;

  constructor() {
    this.#timer = setInterval(() => this.#look(), PERIOD_MS);
  }

  stop(): number {
    this.#look();
    clearInterval(this.#timer);
    return this.#maxMs;
  }

  #look(): void {
    const nowMs = threadCpuMs();
    this.#maxMs = Math.max(this.#maxMs, nowMs - this.#beforeMs);
    this.#beforeMs = nowMs;
  }
}

/** The first field: nanoseconds on a processor. */
function threadCpuMs(): number {
  if (process.platform !== "linux") return NaN;
  const [spent] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
  return Number(spent) / 1e6;
}
