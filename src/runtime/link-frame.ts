// Everything of one flush of a Link, in the form in which it is cloned: a clone pays for every object
// and for every name of a field again, so a message is a row of values below the names that it
// shares with its neighbours, and paths stand in one table. Filled by the sending link, read by the
// receiving one.

import type { FaultReport } from "./kernel.js";
import type { Unanswered } from "./obligation.js";
import type { CarriedError } from "./thread-outcome.js";

/** `uid` is negative for a question, see remote-question.ts. */
export type Address = readonly [path: string, uid: number];

/** How the one actor at the top of a thread ended. */
export interface ThreadEnd {
  readonly error?: unknown;
  readonly escalated: boolean;
}

/** The same on its way, and a fault's report. */
export interface CarriedEnd extends ThreadEnd {
  readonly error: CarriedError | undefined;
}

interface CarriedReport extends FaultReport {
  readonly error: CarriedError;
}

/** What few frames have. */
export interface Extras {
  readonly watch: Address[];
  readonly unwatch: Address[];
  readonly gone: Address[];
  readonly faults: CarriedReport[];
  /** Questions of the other side that end without an answer, by their ticket there. */
  readonly unanswered: { readonly ticket: number; readonly reason: Unanswered["reason"] }[];
  /** Indices of messages that could not be cloned: only their credit comes back. */
  readonly unsent: number[];
  end: CarriedEnd | undefined;
}

export type PostedFrame = readonly [
  paths: readonly string[],
  runs: readonly number[],
  shapes: readonly Shape[],
  rows: readonly number[],
  values: unknown[],
  refSlots: readonly number[],
  refs: readonly number[],
  taken: readonly number[],
  extras: Extras | undefined,
];

/** Names of the fields of a plain object, in their order. */
type Shape = readonly string[];

/** Numbers of one run: the index of its target's path, the target's uid, how many messages. */
export const RUN_NUMBERS = 3;
/** Numbers of one actor's credit: the index of its path, how many messages it took. */
export const TAKEN_NUMBERS = 2;
/** Numbers of one row run: the index of its shape, how many messages. */
const ROW_NUMBERS = 2;
/** Index of a shape: the message is no plain object but one value. */
const ONE_VALUE = -1;

export class Frame {
  readonly paths: string[] = [];
  /** Messages to one target in a row. */
  readonly runs: number[] = [];
  /** Of the messages; few, for most frames are about one or two kinds of them. */
  readonly shapes: Shape[] = [];
  /** Messages of one shape in a row. */
  readonly rows: number[] = [];
  /** Of all messages in their order, each by its shape. */
  readonly values: unknown[] = [];
  /** Indices of values that are references, or hold some. */
  readonly refSlots: number[] = [];
  /** Of each carried reference the index of its path, and its uid. */
  readonly refs: number[] = [];
  /** Of each carried question the index of its message, and its uid; stays on this side. */
  readonly questions: number[] = [];
  messageCount = 0;
  /** Of actors of this side the index of the path, and how many messages they took. */
  readonly taken: number[] = [];
  private rare: Extras | undefined;

  get extras(): Extras {
    return (this.rare ??= {
      watch: [],
      unwatch: [],
      gone: [],
      faults: [],
      unanswered: [],
      unsent: [],
      end: undefined,
    });
  }

  get isCreditOnly(): boolean {
    return this.messageCount === 0 && this.rare === undefined;
  }

  /**
   * `encode` answers the value itself when it holds no reference. What it throws (a message too deep
   * to look into) leaves the frame without the message.
   */
  add(path: string, uid: number, message: unknown, encode: (value: unknown) => unknown): void {
    const before = { values: this.values.length, slots: this.refSlots.length };
    const shape = isPlain(message) ? this.shapeOf(message) : ONE_VALUE;
    try {
      this.addValues(shape, message, encode);
    } catch (error) {
      this.values.length = before.values;
      this.refSlots.length = before.slots;
      throw error;
    }
    const { paths, runs, rows } = this;
    const last = runs.length - RUN_NUMBERS;
    if (last >= 0 && runs[last + 1] === uid && paths[runs[last]!] === path) runs[last + 2]!++;
    else runs.push(this.indexOf(path), uid, 1);
    const lastRow = rows.length - ROW_NUMBERS;
    if (lastRow >= 0 && rows[lastRow] === shape) rows[lastRow + 1]!++;
    else rows.push(shape, 1);
    this.messageCount++;
  }

  /** The place of a reference in the message that is added next. */
  addRef(path: string, uid: number): number {
    if (uid < 0) this.questions.push(this.messageCount, uid);
    return this.refs.push(this.indexOf(path), uid) / 2 - 1;
  }

  addTaken(path: string): void {
    const { paths, taken } = this;
    const last = taken.length - TAKEN_NUMBERS;
    if (last >= 0 && paths[taken[last]!] === path) taken[last + 1]!++;
    else taken.push(this.indexOf(path), 1);
  }

  /** The uids of the questions of the message at this index. */
  questionsOf(message: number): readonly number[] {
    return this.questions.filter((_, i) => i % 2 === 1 && this.questions[i - 1] === message);
  }

  /** Empties every message that cannot be cloned; the other side only gives its credit back. */
  emptyUncloneable(onEmptied: (path: string, error: unknown, message: number) => void): void {
    let message = 0;
    eachRow(this.shapes, this.rows, (_shape, from, to) => {
      try {
        structuredClone(this.values.slice(from, to));
      } catch (error) {
        this.values.fill(undefined, from, to);
        this.extras.unsent.push(message);
        onEmptied(this.pathOf(message), error, message);
      }
      message++;
    });
  }

  posted(): PostedFrame {
    const { paths, runs, shapes, rows, values, refSlots, refs, taken, rare } = this;
    return [paths, runs, shapes, rows, values, refSlots, refs, taken, rare];
  }

  /** The path of the message at this index. */
  private pathOf(index: number): string {
    let run = 0;
    for (let end = this.runs[2]!; end <= index; end += this.runs[run + 2]!) run += RUN_NUMBERS;
    return this.paths[this.runs[run]!]!;
  }

  private addValues(shape: number, message: unknown, encode: (value: unknown) => unknown): void {
    if (shape === ONE_VALUE) return this.addValue(message, encode);
    for (const key of this.shapes[shape]!) this.addValue((message as Fields)[key], encode);
  }

  private addValue(value: unknown, encode: (value: unknown) => unknown): void {
    const encoded = encode(value);
    if (encoded !== value) this.refSlots.push(this.values.length);
    this.values.push(encoded);
  }

  private shapeOf(message: Fields): number {
    const { shapes } = this;
    for (let i = shapes.length - 1; i >= 0; i--) if (hasShape(message, shapes[i]!)) return i;
    const shape = Object.keys(message);
    // Assigning it would set the prototype of the copy.
    if (shape.includes("__proto__")) return ONE_VALUE;
    return shapes.push(shape) - 1;
  }

  private indexOf(path: string): number {
    // Most frames are about one or two actors, and the one of the last message is asked for most.
    const index = this.paths.lastIndexOf(path);
    return index >= 0 ? index : this.paths.push(path) - 1;
  }
}

/** The messages of a frame whose references are back in their slots. */
export function messagesOf([, , shapes, rows, values]: PostedFrame): unknown[] {
  const messages: unknown[] = [];
  eachRow(shapes, rows, (shape, from) => {
    if (shape === undefined) {
      messages.push(values[from]);
      return;
    }
    const message: Record<string, unknown> = {};
    for (let i = 0; i < shape.length; i++) message[shape[i]!] = values[from + i];
    messages.push(message);
  });
  return messages;
}

/** Visits each message: its shape, none for one value, and where its values are. */
function eachRow(
  shapes: readonly Shape[],
  rows: readonly number[],
  visit: (shape: Shape | undefined, from: number, to: number) => void,
): void {
  let from = 0;
  for (let run = 0; run < rows.length; run += ROW_NUMBERS) {
    const shape = shapes[rows[run]!];
    const width = shape?.length ?? 1;
    for (let left = rows[run + 1]!; left > 0; left--, from += width) {
      visit(shape, from, from + width);
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isPlain(message: unknown): message is Fields {
  return (
    typeof message === "object" &&
    message !== null &&
    Object.getPrototypeOf(message) === Object.prototype
  );
}

function hasShape(message: Fields, shape: Shape): boolean {
  let i = 0;
  for (const key in message) if (shape[i++] !== key) return false;
  return i === shape.length;
}
