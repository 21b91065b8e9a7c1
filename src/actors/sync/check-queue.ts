// CheckQueue: blocks in hand on their way through the pool, lowest first, several tasks at once.
// They are kept until their verdict is here: what the pool could not take or lost is checked again
// from hand. Pure.

import type { Range } from "./range.js";

/** Consecutive blocks for one pool job. */
export interface CheckTask {
  readonly task: number;
  readonly range: Range;
  readonly fromHeight: number;
  readonly blocks: readonly Uint8Array[];
  /** The encoded header of the first block's parent. */
  readonly parentHeader: Uint8Array;
}

export class CheckQueue {
  readonly #taskBytesTarget: number;
  readonly #running = new Map<number, CheckTask>();
  readonly #waiting: CheckTask[] = [];
  #nextTask = 1;

  constructor(taskBytesTarget: number) {
    this.#taskBytesTarget = taskBytesTarget;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Cuts the blocks of a range into tasks and answers how many. */
  add(range: Range, blocks: readonly Uint8Array[], headerAt: (height: number) => Uint8Array) {
    let tasks = 0;
    for (let start = 0; start < blocks.length; tasks++) {
      let end = start;
      let bytes = 0;
      while (end < blocks.length && bytes < this.#taskBytesTarget) bytes += blocks[end++]!.length;
      const fromHeight = range.fromHeight + start;
      this.#waiting.push({
        task: this.#nextTask++,
        range,
        fromHeight,
        blocks: blocks.slice(start, end),
        parentHeader: headerAt(fromHeight - 1),
      });
      start = end;
    }
    this.#sort();
    return tasks;
  }

  /** Waiting → Running. */
  next(): CheckTask | undefined {
    const task = this.#waiting.shift();
    if (task !== undefined) this.#running.set(task.task, task);
    return task;
  }

  /** A running task, unless it was given up. */
  get(task: number): CheckTask | undefined {
    return this.#running.get(task);
  }

  /** Running → gone. */
  done({ task }: CheckTask): void {
    this.#running.delete(task);
  }

  /** Running → Waiting: there is no verdict, and the blocks are still here. */
  again(task: CheckTask): void {
    if (!this.#running.delete(task.task)) return;
    this.#waiting.push(task);
    this.#sort();
  }

  /** The blocks of the range are of no use. */
  drop(range: Range): void {
    for (const task of this.#running.values()) if (task.range === range) this.done(task);
    const others = this.#waiting.filter((task) => task.range !== range);
    this.#waiting.splice(0, this.#waiting.length, ...others);
  }

  #sort(): void {
    this.#waiting.sort((a, b) => a.fromHeight - b.fromHeight);
  }
}
