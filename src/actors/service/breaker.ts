// Whether a subsystem is asked: closed while it answers, open when too many answers in a row failed,
// half-open while one question tries whether it does again. Each try that fails doubles the rest
// before the next one. Pure: the time is passed in.

export interface BreakerSettings {
  readonly failuresMax: number;
  readonly restMinMs: number;
  readonly restMaxMs: number;
}

type State =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly restMs: number; readonly untilMs: number }
  /** Its one question is out. */
  | { readonly kind: "half-open"; readonly restMs: number };

export type BreakerState = State["kind"];

/** `try`: it is told, and how it ends decides; `refuse`: it is not to be told. */
export type Admission = "pass" | "try" | "refuse";

const CLOSED: State = { kind: "closed", failures: 0 };

export class Breaker {
  readonly #settings: BreakerSettings;
  #state: State = CLOSED;
  /** Counts openings, so that answers from before one are told apart. */
  #epoch = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get state(): BreakerState {
    return this.#state.kind;
  }

  /** To be told with the end of a question that was admitted now. */
  get epoch(): number {
    return this.#epoch;
  }

  /** How long it rests when it has just opened; 0 while it is closed. */
  get restMs(): number {
    return this.#state.kind === "closed" ? 0 : this.#state.restMs;
  }

  /** open → half-open, when its rest is over. */
  admit(nowMs: number): Admission {
    const state = this.#state;
    if (state.kind === "closed") return "pass";
    if (state.kind === "half-open" || nowMs < state.untilMs) return "refuse";
    this.#state = { kind: "half-open", restMs: state.restMs };
    return "try";
  }

  /** half-open → closed. */
  succeeded(epoch: number): void {
    if (epoch === this.#epoch && this.#state.kind !== "open") this.#state = CLOSED;
  }

  /** closed → open, at the last of too many; half-open → open. */
  failed(epoch: number, nowMs: number): void {
    const { failuresMax, restMinMs, restMaxMs } = this.#settings;
    const state = this.#state;
    if (epoch !== this.#epoch || state.kind === "open") return;
    if (state.kind === "half-open") this.#open(Math.min(2 * state.restMs, restMaxMs), nowMs);
    else if (state.failures + 1 >= failuresMax) this.#open(restMinMs, nowMs);
    else this.#state = { kind: "closed", failures: state.failures + 1 };
  }

  /** closed | half-open → open. */
  #open(restMs: number, nowMs: number): void {
    this.#epoch++;
    this.#state = { kind: "open", restMs, untilMs: nowMs + restMs };
  }
}
