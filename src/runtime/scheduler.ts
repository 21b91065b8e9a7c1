// Who runs next on this thread. Actor cells hand themselves in when they become ready; the
// production scheduler drains them in turns and lets I/O in between.

import type { Clock } from "../ports.js";
import { Ring } from "./ring.js";

/** An actor cell as its scheduler sees it. Queued at most once at a time. */
export interface Runnable {
  readonly path: string;
  /**
   * Delivers up to `messagesMax` messages; false when nothing is left to deliver. `nowMs`: what the
   * clock shows, if the scheduler has just read it.
   */
  drain(messagesMax: number, nowMs?: number): boolean;
  /** Ends the slice (batch hooks run here); true when the cell wants another one. */
  endSlice(): boolean;
  /** How long the slice took that ended at `nowMs`, for the actor's figures. */
  charge(elapsedMs: number, nowMs: number): void;
}

export interface Scheduler {
  /** Called when the cell becomes ready; not again before one of its slices ended with false. */
  schedule(cell: Runnable): void;
  /** Runs `fn` soon, in order, outside of every actor. */
  post(fn: () => void): void;
  /** Trace hook: called before each delivery. `message` is the message or the signal. */
  readonly onDeliver?: ((path: string, message: unknown) => void) | undefined;
}

export interface SchedulerOptions {
  /** Messages that one actor may take before the next one has its turn. */
  readonly sliceMessagesMax?: number;
  /** Time after which a slice ends even if its actor has messages left. */
  readonly sliceMs?: number;
  /** Time after which the event loop is let in, even if actors are ready. */
  readonly turnMs?: number;
}

/**
 * The production scheduler. A slice grows its batches (1, 2, 4 … 64 messages) and reads the clock
 * only between batches: one message of an expensive actor can end a slice, and cheap messages do
 * not pay for the clock. After `turnMs` the rest waits for the next `setImmediate`, so that
 * timers and sockets are served between turns.
 */
export function createScheduler(
  clock: Pick<Clock, "monotonicMs">,
  options: SchedulerOptions = {},
): Scheduler {
  return new TurnScheduler(clock, options);
}

const BATCH_MAX = 64;

class TurnScheduler implements Scheduler {
  private readonly clock: Pick<Clock, "monotonicMs">;
  private readonly sliceMessagesMax: number;
  private readonly sliceMs: number;
  private readonly turnMs: number;
  private readonly ready = new Ring<Runnable>();
  private readonly posted = new Ring<() => void>();
  private armed = false;
  private readonly runTurn = (): void => {
    this.turn();
  };

  constructor(clock: Pick<Clock, "monotonicMs">, options: SchedulerOptions) {
    this.clock = clock;
    this.sliceMessagesMax = options.sliceMessagesMax ?? 512;
    this.sliceMs = options.sliceMs ?? 1;
    this.turnMs = options.turnMs ?? 2;
  }

  schedule(cell: Runnable): void {
    this.ready.push(cell);
    this.arm();
  }

  post(fn: () => void): void {
    this.posted.push(fn);
    this.arm();
  }

  private arm(): void {
    if (this.armed) return;
    this.armed = true;
    setImmediate(this.runTurn);
  }

  private turn(): void {
    try {
      let nowMs = this.clock.monotonicMs();
      const endMs = nowMs + this.turnMs;
      this.runPosted();
      let cell;
      while (nowMs < endMs && (cell = this.ready.shift()) !== undefined) {
        nowMs = this.slice(cell, nowMs);
        this.runPosted();
      }
    } finally {
      // Also after a throw, which is a defect of the kernel's user: the other actors go on.
      this.armed = false;
      if (this.ready.length > 0 || this.posted.length > 0) this.arm();
    }
  }

  private slice(cell: Runnable, startMs: number): number {
    let left = this.sliceMessagesMax;
    let batch = 1;
    let nowMs = startMs;
    while (cell.drain(batch, nowMs)) {
      left -= batch;
      nowMs = this.clock.monotonicMs();
      if (left <= 0 || nowMs - startMs >= this.sliceMs) break;
      batch = Math.min(batch * 2, BATCH_MAX, left);
    }
    if (cell.endSlice()) this.ready.push(cell);
    nowMs = this.clock.monotonicMs();
    cell.charge(nowMs - startMs, nowMs);
    return nowMs;
  }

  /** Only those posted so far: one that posts again does not keep the turn from ending. */
  private runPosted(): void {
    for (let left = this.posted.length; left > 0; left--) this.posted.shift()?.();
  }
}

/**
 * Resolves when every promise reaction that is due has run: the simulator lets promises that its
 * events settled reach the actors, all of them, before the next event. 1 to 2 µs.
 */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
