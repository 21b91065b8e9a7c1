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

  /** Adds an address unless it is known or the book is full. */
  add(address: string): void {
    if (this.#targets.size >= this.#settings.candidatesMax || this.#targets.has(address)) return;
    this.#targets.set(address, {
      address,
      peerId: undefined,
      state: "idle",
      failures: 0,
      notBeforeMs: 0,
    });
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

  /** At most `count` targets that may be dialed now; the caller marks them. */
  due(nowMs: number, count: number, isConnected: (peerId: PeerId) => boolean): DialTarget[] {
    const due: DialTarget[] = [];
    for (const target of this.#targets.values()) {
      if (due.length >= count) break;
      if (target.state !== "idle" || target.notBeforeMs > nowMs) continue;
      if (target.peerId !== undefined && isConnected(target.peerId)) continue;
      due.push(target);
    }
    return due;
  }

  /** When the next idle target becomes due; undefined: none is waiting. */
  nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { state, notBeforeMs } of this.#targets.values()) {
      if (state === "idle" && (next === undefined || notBeforeMs < next)) next = notBeforeMs;
    }
    return next;
  }

  /** Any → Connected; an address that is not in the book is added. */
  connected(address: string, peerId: PeerId): void {
    this.add(address);
    const target = this.#targets.get(address);
    if (target === undefined) return;
    target.state = "connected";
    target.peerId = peerId;
  }

  /** Dialing | Connected → Idle. `grows`: this failure lengthens the backoff. */
  failed(target: DialTarget, nowMs: number, grows: boolean): void {
    if (grows) target.failures++;
    target.state = "idle";
    const { backoffMinMs, backoffMaxMs } = this.#settings;
    const ceilingMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(target.failures, 32));
    target.notBeforeMs = nowMs + Math.max(backoffMinMs, this.#float() * ceilingMs);
  }

  invariants(): void {
    invariant(this.#targets.size <= this.#settings.candidatesMax, `${this.#targets.size} targets`);
  }
}
