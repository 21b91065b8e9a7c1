// The attackers' processor time is bounded: on a machine that all processes of a drill share, one
// that takes a whole core would measure the machine and not the node.

import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";

const REST_MS_MAX = 50;

export class Pace {
  /** Of one core: 0-1. */
  readonly #share: number;
  readonly #startMs = performance.now();
  readonly #before = process.cpuUsage();

  constructor(share: number) {
    this.#share = share;
  }

  /** Seconds of processor time of this process so far. */
  get cpuSeconds(): number {
    const { user, system } = process.cpuUsage(this.#before);
    return (user + system) / 1e6;
  }

  /** Resolves when it may go on: after a turn of the event loop, and when it has rested enough. */
  async turn(): Promise<void> {
    await nextTurn();
    for (;;) {
      const dueMs = (this.cpuSeconds * 1_000) / this.#share;
      const restMs = dueMs - (performance.now() - this.#startMs);
      if (restMs < 1) return;
      await delay(Math.min(restMs, REST_MS_MAX));
    }
  }
}
