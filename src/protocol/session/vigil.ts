// The times at which a session must be woken: when a handshake or a goodbye has had its time, when
// the other side may be gone, and when deadlines are to be looked at. Pure; owned by a session.

import { FairTimer, FairWait, type Look } from "../fair-wait.js";
import { KeepAlive, type KeepAliveVerdict } from "./keep-alive.js";
import type { SessionSettings } from "./session-types.js";

/** Deadlines are looked at this often: fine enough for timeouts of seconds. */
const SWEEP_INTERVAL_MS = 250;
/** From the close of a connection that never was ready to its end. */
const STRANGER_DRAIN_MS = 400;
const NEVER = Number.POSITIVE_INFINITY;

/** `behind`: this side has not read for a while what came; else as it is for a timer. */
export type Sweep = Look | "behind";

/** How far the stream was read, and what has come of it besides. */
export interface Reading {
  readonly readBytes: number;
  readonly unreadBytes: number;
}

export class Vigil {
  readonly #drainMs: number;
  readonly #keepAlive: KeepAlive;
  readonly #sweepTimer = new FairTimer();
  /** What ends this phase. */
  #phaseWait: FairWait;
  #phaseDueMs: number;
  #keepAliveDueMs = NEVER;
  #sweepDueMs = NEVER;
  /** So many bytes of the stream must be read before deadlines are judged. */
  #readFirst: number | undefined;

  constructor(
    { handshake, liveness, shutdown }: SessionSettings,
    openedAtMs: number,
    nowMs: number,
  ) {
    this.#drainMs = shutdown.drainMs;
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
  closing(wasReady: boolean, nowMs: number): void {
    // A stranger gets no more time than a goodbye needs, or its silence would hold the socket open.
    const waitMs = wasReady ? this.#drainMs : Math.min(this.#drainMs, STRANGER_DRAIN_MS);
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

  /**
   * How deadlines may be judged now; undefined: they need no look. What had come when a look was due
   * is read before they are judged, for the answer may be in it, and what came since counts no more:
   * else whoever always sends something would have all the time in the world.
   */
  sweep(nowMs: number, { readBytes, unreadBytes }: Reading): Sweep | undefined {
    if (this.#sweepDueMs > nowMs) return undefined;
    this.#sweepDueMs = NEVER;
    const look = this.#sweepTimer.look(nowMs);
    const readFirst = this.#readFirst;
    const isRead = unreadBytes === 0 || (readFirst !== undefined && readBytes >= readFirst);
    this.#readFirst = isRead ? undefined : (readFirst ?? readBytes + unreadBytes);
    if (isRead || look === "stalled") return look;
    return readFirst === undefined ? "unread" : "behind";
  }
}
