// What a node says while it has no peer: since when, and which endpoint it tries next. Pure.

import type { KnownEndpoints } from "./known-endpoints.js";

/** What has failed last, and how many addresses the book has. */
export interface LastDial {
  readonly address: string;
  readonly reason: string;
  readonly addresses: number;
}

export class Loneliness {
  /** Monotonic time since when there is no peer; undefined while there is one. */
  #sinceMs: number | undefined;
  /** When the log said so last. */
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  get alone(): boolean {
    return this.#sinceMs !== undefined;
  }

  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  end(): void {
    this.#sinceMs = undefined;
  }

  /** A phrase for people: which peer is waited for, since when and until when; null: there is one. */
  waitingFor(endpoints: KnownEndpoints, nowMs: number): string | null {
    if (this.#sinceMs === undefined) return null;
    const since = `none for ${secondsUntil(nowMs, this.#sinceMs)} s`;
    const { taken } = endpoints;
    if (taken > 0) return `a peer (${since}; ${taken} being dialed)`;
    const next = endpoints.next();
    if (next === undefined) return `a peer (${since}; no address to dial)`;
    const inSeconds = secondsUntil(next.notBeforeMs, nowMs);
    const tried = `${next.address} failed ${next.failures} times, next try in ${inSeconds} s`;
    return `a peer (${since}; ${tried})`;
  }

  /**
   * Once all that can be dialed has failed, and then every so often: fields for the log, for this node
   * does nothing until it ends. `last`: what has failed now, and how many addresses peers told of.
   */
  warning(
    endpoints: KnownEndpoints,
    nowMs: number,
    everyMs: number,
    last: LastDial,
  ): object | undefined {
    if (this.#sinceMs === undefined || endpoints.taken > 0) return undefined;
    if (nowMs - this.#warnedMs < everyMs) return undefined;
    const next = endpoints.next();
    // Of addresses that peers told of it has more to try, at first.
    if (next === undefined && nowMs - this.#sinceMs < everyMs) return undefined;
    this.#warnedMs = nowMs;
    const sinceSeconds = secondsUntil(nowMs, this.#sinceMs);
    if (next === undefined) return { sinceSeconds, ...last };
    return {
      sinceSeconds,
      next: next.address,
      nextTrySeconds: secondsUntil(next.notBeforeMs, nowMs),
      failures: next.failures,
      reason: next.end ?? "not dialed yet",
    };
  }
}

function secondsUntil(toMs: number, fromMs: number): number {
  return Math.max(0, Math.round((toMs - fromMs) / 1_000));
}
