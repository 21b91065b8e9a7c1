// How often the other side may send one-way messages, by kind, in items and bytes. What comes above
// that is dropped unread; what comes above it by far breaks a rule. Pure; owned by a session.

import type { OwnRule } from "../kinds/own.js";
import type { KindRule } from "../types/message.js";
import { violation, type Violation } from "../violation.js";
import { Allowance } from "./allowance.js";
import type { GroupShare } from "./group-limits.js";
import { leastQuotaOf, ownRateOf, quotaOf, type QuotaSettings } from "./quotas.js";
import { itemsWithin } from "./request-items.js";

/** What was sent evenly may come bunched together. */
const BURST_IN = 2;
/** Who sends so many times as much again as it may, and as often, is no longer just fast. */
const EXCESS = 4;

/** Of one kind. */
interface Inflow {
  readonly due: Allowance;
  /** What the peers of its address group may send together, if they are counted. */
  readonly ofGroup: Allowance | undefined;
  /** Counts what was dropped. */
  readonly excess: Allowance;
}

/** Why it is dropped: above the peer's own rate, or that of all peers of its address group. */
export type DropReason = "rate" | "group";

export class OneWayRates {
  #settings: QuotaSettings;
  readonly #group: GroupShare | undefined;
  /** By code; made when the first message of the kind comes. */
  #inflows: (Inflow | undefined)[] = [];
  #isTold = false;

  constructor(settings: QuotaSettings, group: GroupShare | undefined) {
    this.#settings = settings;
    this.#group = group;
  }

  /** The other side was told these, and so can keep to them: from now on all count anew. */
  told(settings: QuotaSettings): void {
    this.#isTold = true;
    this.#settings = settings;
    this.#inflows = [];
  }

  /** Undefined: it is to be read. */
  judge(
    kind: string,
    rule: KindRule | OwnRule,
    payload: Uint8Array,
    nowMs: number,
  ): DropReason | Violation | undefined {
    if (rule.quota === undefined && !("rate" in rule)) return undefined;
    const items = rule.counts === undefined ? 1 : itemsWithin(rule, payload);
    const bytes = payload.length;
    const inflow = (this.#inflows[rule.code] ??= this.#inflowOf(rule));
    if (inflow.due.take(items, bytes, nowMs)) {
      const { ofGroup } = inflow;
      // The excess may be its neighbours'.
      return ofGroup?.take(items, bytes, nowMs) === false ? "group" : undefined;
    }
    if (inflow.excess.take(items, bytes, nowMs)) return "rate";
    return violation("flood", `too many messages of kind ${kind}`);
  }

  #inflowOf(rule: KindRule | OwnRule): Inflow {
    const quota = this.#isTold ? quotaOf(rule, this.#settings) : leastQuotaOf(rule, this.#settings);
    const rate = quota ?? ownRateOf(rule as OwnRule)!;
    return {
      due: new Allowance(rate, 1, BURST_IN),
      ofGroup: this.#group?.received(rule),
      excess: new Allowance(rate, EXCESS),
    };
  }
}
