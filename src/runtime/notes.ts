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

interface SetTimer {
  readonly timer: Timer;
  readonly note: TimerNote;
}

/** The timers of one actor: at most one for each key. Most actors have one: it needs no map. */
export class KeyedTimers {
  private first: SetTimer | undefined;
  private others: Map<string, SetTimer> | undefined;

  start(clock: Clock, delayMs: number, note: TimerNote, fire: (note: TimerNote) => void): void {
    this.cancel(note.key);
    const set = { timer: clock.setTimer(delayMs, () => fire(note)), note };
    if (this.first === undefined) this.first = set;
    else (this.others ??= new Map<string, SetTimer>()).set(note.key, set);
  }

  cancel(key: string): void {
    const set = this.find(key);
    if (set === undefined) return;
    set.timer.cancel();
    this.remove(set);
  }

  /** False: it was cancelled or replaced between firing and delivery. */
  take(note: TimerNote): boolean {
    const set = this.find(note.key);
    if (set?.note !== note) return false;
    this.remove(set);
    return true;
  }

  clear(): void {
    this.first?.timer.cancel();
    for (const { timer } of this.others?.values() ?? []) timer.cancel();
    this.first = undefined;
    this.others = undefined;
  }

  private find(key: string): SetTimer | undefined {
    return this.first?.note.key === key ? this.first : this.others?.get(key);
  }

  private remove(set: SetTimer): void {
    if (set === this.first) this.first = undefined;
    else this.others?.delete(set.note.key);
  }
}
