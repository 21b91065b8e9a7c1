// The pings of this side that are not answered yet, and the round trip that they measure. Pure;
// owned by a session.

import { LateMap } from "../late-map.js";

/** RFC 6298's gain. */
const GAIN = 1 / 8;
const OPEN_MAX = 1_024;

export interface OpenPing<A> {
  readonly sentMs: number;
  /** Absent: the session's own. */
  readonly asker: A | undefined;
}

export class Pings<A> {
  readonly #open = new LateMap<bigint, OpenPing<A>>();
  #roundTripMs: number | undefined;

  get isFull(): boolean {
    return this.#open.size >= OPEN_MAX;
  }

  /** Smoothed; undefined until the first answer. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  sent(nonce: bigint, ping: OpenPing<A>): void {
    this.#open.set(nonce, ping);
  }

  /** Undefined: no open ping has this nonce. */
  answered(nonce: bigint, nowMs: number): OpenPing<A> | undefined {
    const ping = this.#open.get(nonce);
    if (ping === undefined) return undefined;
    this.#open.delete(nonce);
    const elapsedMs = nowMs - ping.sentMs;
    const before = this.#roundTripMs;
    this.#roundTripMs = before === undefined ? elapsedMs : before + GAIN * (elapsedMs - before);
    return ping;
  }

  /** Takes out all of them: the connection ends. */
  drain(): readonly OpenPing<A>[] {
    const open = [...this.#open.values()];
    this.#open.clear();
    return open;
  }
}
