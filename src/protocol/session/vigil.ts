// The times at which a session must be woken: when a handshake or a goodbye has had its time, when
// the other side may be gone, and when deadlines are to be looked at. Pure; owned by a session.

import { FairTimer, FairWait, type Look } from "../fair-wait.js";
import { KeepAlive, type KeepAliveVerdict } from "./keep-alive.js";
import type { SessionSettings } from "./session-types.js";

/** Deadlines are looked at this often: fine enough for timeouts of seconds. */
const SWEEP_INTERVAL_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;

export class Vigil {
  readonly #keepAlive: KeepAlive;
  readonly #sweepTimer = new FairTimer();
  /** What ends this phase. */
  #phaseWait: FairWait;
  #phaseDueMs: number;
  #keepAliveDueMs = NEVER;
  #sweepDueMs = NEVER;

  constructor({ handshake, liveness }: SessionSettings, openedAtMs: number, nowMs: number) {
    this.#keepAlive = new KeepAlive(liveness, nowMs);
    this.#phaseWait = new FairWait(handshake.timeoutMs, openedAtMs);
    this.#phaseDueMs = nowMs + this.#phaseWait.begin(nowMs);
  }

  get nextMs(): number {
    return Math.min(this.#phaseDueMs, this.#keepAliveDueMs, this.#sweepDueMs);
  }

  heard(nowMs: number): void {
    this.#keepAlive.heard(nowMs);
  }

  took(nowMs: number): void {
    this.#keepAlive.took(nowMs);
  }

  /** Both sides have shaken hands. */
  ready(nowMs: number): void {
    this.#phaseDueMs = NEVER;
    this.#keepAliveDueMs = nowMs + this.#keepAlive.begin(nowMs);
  }

  /** Nothing is left to wait for but that the goodbye is taken. */
  closing(waitMs: number, nowMs: number): void {
    this.#keepAliveDueMs = NEVER;
    this.#sweepDueMs = NEVER;
    this.#phaseWait = new FairWait(waitMs, nowMs);
    this.#phaseDueMs = nowMs + this.#phaseWait.begin(nowMs);
  }

  /** Only ever earlier: put off by each request it would never come while requests do. */
  sweepLater(nowMs: number, delayMs: number): void {
    const shortMs = Math.min(SWEEP_INTERVAL_MS, delayMs);
    if (nowMs + shortMs >= this.#sweepDueMs) return;
    this.#sweepDueMs = nowMs + this.#sweepTimer.next(nowMs, shortMs);
  }

  /** The wait that ends this phase is over. */
  phaseIsOver(nowMs: number): boolean {
    if (this.#phaseDueMs > nowMs) return false;
    const againMs = this.#phaseWait.look(nowMs);
    this.#phaseDueMs = againMs === undefined ? NEVER : nowMs + againMs;
    return againMs === undefined;
  }

  /** `waits`: something waits for the other side to take it. */
  life(nowMs: number, waits: boolean): KeepAliveVerdict["act"] {
    if (this.#keepAliveDueMs > nowMs) return "wait";
    const { act, delayMs } = this.#keepAlive.look(nowMs, waits);
    this.#keepAliveDueMs = nowMs + delayMs;
    return act;
  }

  /** Undefined: deadlines need no look now. */
  sweep(nowMs: number): Look | undefined {
    if (this.#sweepDueMs > nowMs) return undefined;
    this.#sweepDueMs = NEVER;
    return this.#sweepTimer.look(nowMs);
  }
}
