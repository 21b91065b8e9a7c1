// Waits that end a peer. A timer that fires late says that this process slept (a long turn, a
// stopped process, a suspended machine), not that the peer was silent: what it sent meanwhile is
// still unread. Pure, the time is passed in; used by the peer handler and the transports.

/** Later than this a timer proves that nobody was awake: the peer gets its whole wait again. */
const STALLED_MS = 500;
/** Later than this, what arrived may be unread: it is read first, and the wait looked at again. */
const UNREAD_MS = 20;
/** Long enough for the event loop to read its sockets once. */
export const READ_FIRST_MS = 100;
/** A wait is looked at so often, so that a stall within it does not go unseen. */
const LOOKS = 4;

/** `stalled`: begin anew. `unread`: look again after `READ_FIRST_MS`. `sound`: judge. */
export type Look = "stalled" | "unread" | "sound";

/** The timer of one who judges: set by `next`, judged by `look` when it fires. */
export class FairTimer {
  #dueMs = Number.POSITIVE_INFINITY;
  #lookedAgain = false;

  /** Answers the delay to give to the timer: `delayMs`, no longer than a part of `waitMs`. */
  next(nowMs: number, delayMs: number, waitMs = Number.POSITIVE_INFINITY): number {
    const shortMs = Math.max(1, Math.min(delayMs, waitMs / LOOKS));
    this.#dueMs = nowMs + shortMs;
    return shortMs;
  }

  /** The timer has fired. */
  look(nowMs: number): Look {
    const lateMs = nowMs - this.#dueMs;
    const look = lateMs > STALLED_MS ? "stalled" : lateMs > UNREAD_MS ? "unread" : "sound";
    const again = look === "unread" && this.#lookedAgain;
    this.#lookedAgain = look === "unread" && !again;
    return again ? "sound" : look;
  }
}

/** One wait with one end. */
export class FairWait {
  readonly #waitMs: number;
  readonly #timer = new FairTimer();
  #sinceMs: number;

  constructor(waitMs: number, sinceMs: number) {
    this.#waitMs = waitMs;
    this.#sinceMs = sinceMs;
  }

  /** The delay of the first timer. */
  begin(nowMs: number): number {
    return this.#timer.next(nowMs, this.#sinceMs + this.#waitMs - nowMs, this.#waitMs);
  }

  /** The timer has fired: the delay of the next one, or undefined when the wait is over. */
  look(nowMs: number): number | undefined {
    const look = this.#timer.look(nowMs);
    if (look === "stalled") this.#sinceMs = nowMs;
    const leftMs = this.#sinceMs + this.#waitMs - nowMs;
    if (leftMs > 0) return this.#timer.next(nowMs, leftMs, this.#waitMs);
    return look === "unread" ? this.#timer.next(nowMs, READ_FIRST_MS) : undefined;
  }
}
