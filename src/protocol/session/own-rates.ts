// How often each side may send one-way messages of services' own. Both know the rates: this side
// keeps to them, and what comes above them is not handed on. Pure; owned by a session.

import type { OwnRule } from "../kinds/own.js";
import type { WireKind } from "../types/message.js";
import { RateLimit } from "./rate-limit.js";

/** What was sent evenly may come bunched together. */
const BURST_IN = 2;

export class OwnRates {
  readonly #out = new Map<WireKind, RateLimit>();
  readonly #in = new Map<WireKind, RateLimit>();

  constructor(rules: Iterable<OwnRule> = []) {
    for (const { kind, role, rate } of rules) {
      if (role !== "oneWay" || rate === undefined) continue;
      this.#out.set(kind, new RateLimit(rate));
      this.#in.set(kind, new RateLimit({ ...rate, burstItems: BURST_IN * rate.burstItems }));
    }
  }

  /** False: it may not be sent now. */
  maySend(kind: WireKind, nowMs: number): boolean {
    return this.#out.size === 0 || (this.#out.get(kind)?.take(1, nowMs) ?? true);
  }

  /** False: it came above the rate. */
  mayCome(kind: WireKind, nowMs: number): boolean {
    return this.#in.size === 0 || (this.#in.get(kind)?.take(1, nowMs) ?? true);
  }
}
