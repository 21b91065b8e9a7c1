// Notes are what an actor itself asked for (timers, answers, results) and signals. They are bounded
// by its own doing, so they wait in a lane of their own that refuses nothing and is drained before
// the mailbox. A note of an earlier incarnation is not delivered.

import type { PipeOutcome, Signal } from "./actor.js";
import type { Clock, Timer } from "../ports.js";
import type { Question } from "./question.js";

export interface TimerNote {
  readonly kind: "timer";
  readonly incarnation: number;
  readonly key: string;
  readonly message: unknown;
}

export interface PipeNote {
  readonly kind: "pipe";
  readonly incarnation: number;
  readonly outcome: PipeOutcome<unknown>;
  readonly adapt: (outcome: PipeOutcome<unknown>) => unknown;
}

export interface SignalNote {
  readonly kind: "signal";
  readonly incarnation: number;
  readonly signal: Signal;
}

export type Note = Question | TimerNote | PipeNote | SignalNote;

/** The message that the note becomes; may throw, for `adapt` is the actor's own function. */
export function messageOf(note: Exclude<Note, SignalNote>): unknown {
  switch (note.kind) {
    case "timer":
      return note.message;
    case "pipe":
      return note.adapt(note.outcome);
    case "question":
      return note.message();
  }
}

/** True for an answer or a result, whose loss is worth counting. */
export function carriesReply(note: Note): note is PipeNote | Question {
  return note.kind === "pipe" || (note.kind === "question" && note.outcome?.ok === true);
}

/** The timers of one actor: at most one for each key. */
export class KeyedTimers {
  private readonly timers = new Map<string, { readonly timer: Timer; readonly note: TimerNote }>();

  start(clock: Clock, delayMs: number, note: TimerNote, fire: (note: TimerNote) => void): void {
    this.cancel(note.key);
    const timer = clock.setTimer(delayMs, () => fire(note));
    this.timers.set(note.key, { timer, note });
  }

  cancel(key: string): void {
    this.timers.get(key)?.timer.cancel();
    this.timers.delete(key);
  }

  /** False: it was cancelled or replaced between firing and delivery. */
  take(note: TimerNote): boolean {
    return this.timers.get(note.key)?.note === note && this.timers.delete(note.key);
  }

  clear(): void {
    for (const { timer } of this.timers.values()) timer.cancel();
    this.timers.clear();
  }
}
