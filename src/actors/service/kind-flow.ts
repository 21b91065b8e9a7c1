// What became of the messages of one kind between the peer handlers and whoever deals with them. The
// router owns it; a message that was handed on carries it along, and is noted when it comes back.

import type { Random } from "../../ports.js";
import { EarlyDrop, type DropSettings } from "./early-drop.js";
import { TimeHistogram, type TimesTaken } from "./time-histogram.js";

/** Since the start, but for `open` and `dropPart`. Structured-cloneable. */
export interface KindFigures {
  /** Handed on to their handler, and the bytes that they took on the wire. */
  readonly messages: number;
  readonly bytes: number;
  /** They wait, or are worked on. */
  readonly open: number;
  readonly dropped: {
    /** Because too many of its kind were open. */
    readonly overload: number;
    /** Nobody handles the kind any more. */
    readonly unhandled: number;
  };
  /** Of those that came in about the last second, how many were dropped for overload: 0 to 1. */
  readonly dropPart: number;
  /** From when they were whole to when they were handed on. */
  readonly queued: TimesTaken;
  /** From then on to when they were dealt with. */
  readonly handled: TimesTaken;
}

export class KindFlow {
  messages = 0;
  bytes = 0;
  open = 0;
  unhandled = 0;
  overload = 0;
  readonly #drop: EarlyDrop | undefined;
  readonly queued = new TimeHistogram();
  readonly handled = new TimeHistogram();

  /** Undefined: none of this kind is ever dropped. */
  constructor(drop: DropSettings | undefined) {
    this.#drop = drop && new EarlyDrop(drop);
  }

  get mayBeLost(): boolean {
    return this.#drop !== undefined;
  }

  /** One more came. True: it is dropped. */
  drops(random: Random): boolean {
    if (this.#drop?.drops(this.open, random) !== true) return false;
    this.overload++;
    return true;
  }

  look(nowMs: number): void {
    this.#drop?.look(this.open, nowMs);
  }

  read(nowMs: number): KindFigures {
    return {
      messages: this.messages,
      bytes: this.bytes,
      open: this.open,
      dropped: { overload: this.overload, unhandled: this.unhandled },
      dropPart: this.#drop?.droppedPart(nowMs) ?? 0,
      queued: this.queued.read(),
      handled: this.handled.read(),
    };
  }
}
