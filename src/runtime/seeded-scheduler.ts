// The scheduler of simulations and tests: the seeded random picks the next ready actor and one
// message is delivered a step, so one seed is one interleaving.

import type { Random } from "../ports.js";
import type { Runnable, Scheduler } from "./scheduler.js";
import { invariant } from "../errors.js";
import { Ring } from "./ring.js";

export interface SeededSchedulerOptions {
  readonly random: Pick<Random, "uint32">;
  /** Called before each delivery with the message or signal: the trace of a run. */
  readonly onDeliver?: (path: string, message: unknown) => void;
}

export class SeededScheduler implements Scheduler {
  readonly onDeliver: ((path: string, message: unknown) => void) | undefined;
  private readonly random: Pick<Random, "uint32">;
  private readonly ready: Runnable[] = [];
  private readonly posted = new Ring<() => void>();

  constructor(options: SeededSchedulerOptions) {
    this.random = options.random;
    this.onDeliver = options.onDeliver;
  }

  schedule(cell: Runnable): void {
    this.ready.push(cell);
  }

  post(fn: () => void): void {
    this.posted.push(fn);
  }

  get idle(): boolean {
    return this.ready.length === 0 && this.posted.length === 0;
  }

  /** Delivers one message of one actor, or runs one posted function; false when idle. */
  step(): boolean {
    const fn = this.posted.shift();
    if (fn !== undefined) {
      fn();
      return true;
    }
    if (this.ready.length === 0) return false;
    const index = this.random.uint32() % this.ready.length;
    const cell = this.ready[index];
    const last = this.ready.pop();
    invariant(cell !== undefined && last !== undefined, "the picked cell is ready");
    if (index < this.ready.length) this.ready[index] = last;
    cell.drain(1);
    if (cell.endSlice()) this.ready.push(cell);
    return true;
  }

  /** Steps until idle and returns how many; throws after `stepsMax`, a livelock. */
  runUntilIdle(stepsMax = 1_000_000): number {
    let steps = 0;
    while (this.step()) {
      steps++;
      invariant(steps < stepsMax, `the actors come to rest within ${stepsMax} steps`);
    }
    return steps;
  }
}
