// Everything of one flush of a Link, in the form in which it is cloned: arrays of numbers and one
// table of paths, because a clone pays for every object and for every name of a field again.
// Filled by the sending link, read by the receiving one.

import type { FaultReport } from "./kernel.js";

export type Address = readonly [path: string, uid: number];

/** How the one actor at the top of a thread ended. */
export interface ThreadEnd {
  readonly error?: unknown;
  readonly escalated: boolean;
}

/** What few frames have. */
export interface Extras {
  readonly watch: Address[];
  readonly gone: Address[];
  readonly faults: FaultReport[];
  /** Indices of messages that could not be cloned: only their credit comes back. */
  readonly unsent: number[];
  end: ThreadEnd | undefined;
}

export type PostedFrame = readonly [
  paths: readonly string[],
  runs: readonly number[],
  messages: unknown[],
  withRefs: readonly number[],
  refs: readonly number[],
  taken: number,
  extras: Extras | undefined,
];

/** Numbers of one run: the index of its target's path, the target's uid, how many messages. */
export const RUN_NUMBERS = 3;

export class Frame {
  readonly paths: string[] = [];
  /** Messages to one target in a row. */
  readonly runs: number[] = [];
  readonly messages: unknown[] = [];
  /** Indices of messages that carry references. */
  readonly withRefs: number[] = [];
  /** Of each carried reference the index of its path, and its uid. */
  readonly refs: number[] = [];
  /** Messages of the other side that were taken. */
  taken = 0;
  private rare: Extras | undefined;

  get extras(): Extras {
    return (this.rare ??= { watch: [], gone: [], faults: [], unsent: [], end: undefined });
  }

  get isCreditOnly(): boolean {
    return this.messages.length === 0 && this.rare === undefined;
  }

  add(path: string, uid: number, message: unknown): void {
    const { paths, runs } = this;
    const last = runs.length - RUN_NUMBERS;
    if (last >= 0 && runs[last + 1] === uid && paths[runs[last]!] === path) runs[last + 2]!++;
    else runs.push(this.indexOf(path), uid, 1);
    this.messages.push(message);
  }

  /** The place of a reference that the next message carries. */
  addRef(path: string, uid: number): number {
    return this.refs.push(this.indexOf(path), uid) / 2 - 1;
  }

  /** The path of the message at this index. */
  pathOf(index: number): string {
    let run = 0;
    for (let end = this.runs[2]!; end <= index; end += this.runs[run + 2]!) run += RUN_NUMBERS;
    return this.paths[this.runs[run]!]!;
  }

  posted(): PostedFrame {
    const { paths, runs, messages, withRefs, refs, taken, rare } = this;
    return [paths, runs, messages, withRefs, refs, taken, rare];
  }

  private indexOf(path: string): number {
    // Most frames are about one or two actors, and the one of the last message is asked for most.
    const index = this.paths.lastIndexOf(path);
    return index >= 0 ? index : this.paths.push(path) - 1;
  }
}
