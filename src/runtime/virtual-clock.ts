// Time as a simulation wants it: it stands still until somebody advances it. Each simulated node
// looks at the same clock through a view with its own wall time and drift. Time moves on a grid of
// 1/1024 ms: sums and differences of times are exact, and no delay is too small to move it.

import type { Clock, Timer } from "../ports.js";
import { invariant } from "../errors.js";

export interface ClockView {
  /** The wall time of this view at virtual time zero. */
  readonly startWallMs?: number;
  /** How fast this view runs: 1e-4 gains 0.1 ms a second. */
  readonly drift?: number;
}

const TICKS_PER_MS = 1_024;

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly callback: () => void;
  /** Its place in the heap; -1 when fired or cancelled. */
  index: number;
}

export class VirtualClock implements Clock {
  private nowMs = 0;
  private sequence = 0;
  private readonly heap: Entry[] = [];
  private readonly own: Clock;

  constructor(view: ClockView = {}) {
    this.own = this.view(view);
  }

  monotonicMs(): number {
    return this.own.monotonicMs();
  }

  wallMs(): number {
    return this.own.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.own.setTimer(delayMs, callback);
  }

  /** Another clock on the same time line. */
  view({ startWallMs = 0, drift = 0 }: ClockView): Clock {
    const rate = 1 + drift;
    invariant(rate > 0, "a clock runs forward");
    return {
      monotonicMs: () => this.nowMs * rate,
      wallMs: () => Math.floor(startWallMs + this.nowMs * rate),
      setTimer: (delayMs, callback) => this.schedule(Math.max(0, delayMs) / rate, callback),
    };
  }

  get pendingTimers(): number {
    return this.heap.length;
  }

  /** The time of the next timer; undefined when there is none. */
  get nextAtMs(): number | undefined {
    return this.heap[0]?.atMs;
  }

  /** Moves to the next timer and fires it, this one alone; false when there is none. */
  advanceToNext(): boolean {
    const entry = this.heap[0];
    if (entry === undefined) return false;
    this.remove(entry);
    this.nowMs = entry.atMs;
    entry.callback();
    return true;
  }

  /** Moves by `durationMs`, firing what is due in order; `settle` runs first and after each. */
  advanceBy(durationMs: number, settle: () => void = () => {}): void {
    const untilMs = this.nowMs + durationMs;
    settle();
    while ((this.nextAtMs ?? Infinity) <= untilMs) {
      this.advanceToNext();
      settle();
    }
    this.nowMs = untilMs;
  }

  private schedule(delayMs: number, callback: () => void): Timer {
    invariant(Number.isFinite(delayMs), "a timer has a finite delay");
    const index = this.heap.length;
    // The delay alone is rounded first: added to a late time, a tiny one would vanish, and an actor
    // on a drifting view that is woken a hair early would be woken at the same time for ever.
    const delayTicks = Math.ceil(delayMs * TICKS_PER_MS);
    const atMs = Math.ceil(this.nowMs * TICKS_PER_MS + delayTicks) / TICKS_PER_MS;
    const entry = { atMs, sequence: this.sequence++, callback, index };
    this.heap.push(entry);
    this.siftUp(entry);
    return { cancel: () => this.remove(entry) };
  }

  private remove(entry: Entry): void {
    if (entry.index < 0) return;
    const last = this.heap.pop();
    invariant(last !== undefined, "a queued timer is in the heap");
    if (last !== entry) {
      this.place(last, entry.index);
      this.siftUp(last);
      this.siftDown(last);
    }
    entry.index = -1;
  }

  private siftUp(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.heap[(entry.index - 1) >> 1];
      if (parent === undefined || !before(entry, parent)) return;
      this.swap(parent, entry);
    }
  }

  private siftDown(entry: Entry): void {
    for (;;) {
      const left = this.heap[2 * entry.index + 1];
      const right = this.heap[2 * entry.index + 2];
      if (left === undefined) return;
      const child = right !== undefined && before(right, left) ? right : left;
      if (!before(child, entry)) return;
      this.swap(entry, child);
    }
  }

  private swap(upper: Entry, lower: Entry): void {
    const index = upper.index;
    this.place(upper, lower.index);
    this.place(lower, index);
  }

  private place(entry: Entry, index: number): void {
    this.heap[index] = entry;
    entry.index = index;
  }
}

/** Equal times fire in the order in which they were set. */
function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
