// The scheduler of simulations and tests: the seeded random picks the next ready actor, and in
// simulations how many messages it takes at once, so one seed is one interleaving.

import type { Random } from "../ports.js";
import type { Runnable, Scheduler } from "./scheduler.js";
import { invariant } from "../errors.js";
import { Ring } from "./ring.js";

const SLICE_POWERS = 10;

export interface SeededSchedulerOptions {
  readonly random: Pick<Random, "uint32">;
  /** Called before each delivery with the message or signal: the trace of a run. */
  readonly onDeliver?: (path: string, message: unknown) => void;
  /** Messages that an actor may take at once, as in production; default: one. */
  readonly sliceMessagesMax?: number;
}

export class SeededScheduler implements Scheduler {
  readonly onDeliver: ((path: string, message: unknown) => void) | undefined;
  /** Slices and posted functions so far. */
  turns = 0;
  private readonly random: Pick<Random, "uint32">;
  private readonly sliceMessagesMax: number;
  private readonly ready: Runnable[] = [];
  private readonly posted = new Ring<() => void>();

  constructor(options: SeededSchedulerOptions) {
    this.random = options.random;
    this.onDeliver = options.onDeliver;
    this.sliceMessagesMax = options.sliceMessagesMax ?? 1;
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

  /** Runs one slice of one actor, or one posted function; false when idle. */
  step(): boolean {
    this.turns++;
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
    cell.drain(this.sliceMessages());
    if (cell.endSlice()) this.ready.push(cell);
    return true;
  }

  /** Every other time one, so that others come in between; else up to a power of two. */
  private sliceMessages(): number {
    const { sliceMessagesMax } = this;
    if (sliceMessagesMax === 1) return 1;
    const chance = this.random.uint32();
    if ((chance & 1) === 0) return 1;
    return Math.min(2 ** ((chance >>> 1) % SLICE_POWERS), sliceMessagesMax);
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
