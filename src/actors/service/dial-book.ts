// The addresses that the dialer knows and when each may be tried again: exponential backoff with
// full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). Pure.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";

export interface DialTarget {
  readonly address: string;
  /** Known once a connection to it succeeded. */
  peerId: PeerId | undefined;
  state: "idle" | "dialing" | "connected";
  failures: number;
  /** Monotonic time before which it is left alone. */
  notBeforeMs: number;
  /** Why the last dial failed. */
  reason?: string;
}

type Settings = NetworkConfig["dial"];

export class DialBook {
  readonly #settings: Settings;
  readonly #float: () => number;
  readonly #targets = new Map<string, DialTarget>();

  /** `float` answers uniformly in [0, 1). */
  constructor(settings: Settings, float: () => number) {
    this.#settings = settings;
    this.#float = float;
  }

  /** The target of an address, which is added unless the book is full. */
  add(address: string): DialTarget | undefined {
    const known = this.#targets.get(address);
    if (known !== undefined || this.#targets.size >= this.#settings.candidatesMax) return known;
    const target: DialTarget = {
      address,
      peerId: undefined,
      state: "idle",
      failures: 0,
      notBeforeMs: 0,
    };
    this.#targets.set(address, target);
    return target;
  }

  /** Somebody wants it now: its past does not count, and it is the first that is due. */
  want(target: DialTarget): void {
    target.failures = 0;
    target.notBeforeMs = Number.NEGATIVE_INFINITY;
  }

  get(address: string): DialTarget | undefined {
    return this.#targets.get(address);
  }

  remove(address: string): void {
    this.#targets.delete(address);
  }

  /** Dialing and connected targets. */
  get open(): number {
    let count = 0;
    for (const { state } of this.#targets.values()) if (state !== "idle") count++;
    return count;
  }

  /**
   * At most `count` targets that may be dialed now, those that wait longest first, so that many dead
   * ones cannot keep out the others; the caller marks them.
   */
  due(nowMs: number, count: number, isConnected: (peerId: PeerId) => boolean): DialTarget[] {
    if (count <= 0) return [];
    const due: DialTarget[] = [];
    for (const target of this.#targets.values()) {
      if (target.state !== "idle" || target.notBeforeMs > nowMs) continue;
      if (target.peerId !== undefined && isConnected(target.peerId)) continue;
      due.push(target);
    }
    return due.sort((left, right) => left.notBeforeMs - right.notBeforeMs).slice(0, count);
  }

  /** The idle target that becomes due next; undefined: none is waiting. */
  next(): DialTarget | undefined {
    let next: DialTarget | undefined;
    for (const target of this.#targets.values()) {
      if (target.state !== "idle") continue;
      if (next === undefined || target.notBeforeMs < next.notBeforeMs) next = target;
    }
    return next;
  }

  /** The last peer has gone: nobody is left alone for long. */
  hurry(nowMs: number): void {
    for (const target of this.#targets.values()) {
      if (target.state !== "idle") continue;
      target.notBeforeMs = Math.min(target.notBeforeMs, nowMs + this.#pauseMs(target, true));
    }
  }

  /** Any → Connected; an address that is not in the book is added. */
  connected(address: string, peerId: PeerId): void {
    const target = this.add(address);
    if (target === undefined) return;
    target.state = "connected";
    target.peerId = peerId;
  }

  /**
   * Dialing | Connected → Idle. `grows`: this failure lengthens the backoff; `alone`: there is no
   * peer, and it does not become long.
   */
  failed(target: DialTarget, nowMs: number, { grows = true, alone = false } = {}): void {
    if (grows) target.failures++;
    target.state = "idle";
    target.notBeforeMs = nowMs + this.#pauseMs(target, alone);
  }

  #pauseMs({ failures }: DialTarget, alone: boolean): number {
    const { backoffMinMs, backoffMaxMs, backoffAloneMaxMs } = this.#settings;
    const maxMs = alone ? Math.min(backoffMaxMs, backoffAloneMaxMs) : backoffMaxMs;
    const ceilingMs = Math.min(maxMs, backoffMinMs * 2 ** Math.min(failures, 32));
    return Math.max(backoffMinMs, this.#float() * ceilingMs);
  }

  invariants(): void {
    invariant(this.#targets.size <= this.#settings.candidatesMax, `${this.#targets.size} targets`);
  }
}
