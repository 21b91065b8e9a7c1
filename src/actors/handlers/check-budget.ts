// Whose transactions are checked: those of peers, or of address groups, whose earlier ones were good
// come before strangers' ones, and what proved invalid uses up what is checked for its bringer, and for
// all strangers together. Pure; owned by the transaction handler.

import type { NetworkConfig } from "../../config.js";
import { RateLimit } from "../../protocol/session/rate-limit.js";

export type Rank = "known" | "stranger";

interface Bringer {
  /** Good ones in a row. */
  good: number;
  /** Checks of invalid ones, and of those that are under way for a stranger. */
  readonly wasted: RateLimit;
}

/** So many good ones in a row make a bringer known. */
const KNOWN_MIN = 16;
/** An invalid one costs as much as so many checks: whoever brings them soon gets none. */
const INVALID_COST = 16;

type Settings = Pick<NetworkConfig, "checks">;

export class CheckBudget {
  readonly #settings: Settings["checks"];
  readonly #strangers: RateLimit;
  /** Those that were heard of lately last. */
  readonly #bringers = new Map<string, Bringer>();

  constructor({ checks }: Settings) {
    this.#settings = checks;
    this.#strangers = new RateLimit({
      itemsPerSecond: checks.strangersPerSecond,
      burstItems: checks.strangersBurst,
    });
  }

  /** How one more of this bringer is checked; undefined: not now. Each ends by `judged`. */
  admit(key: string, nowMs: number): Rank | undefined {
    const { good, wasted } = this.#bringer(key);
    if (good >= KNOWN_MIN) return wasted.roomInMs(1, nowMs) > 0 ? undefined : "known";
    if (!wasted.take(1, nowMs)) return undefined;
    if (this.#strangers.take(1, nowMs)) return "stranger";
    wasted.charge(-1);
    return undefined;
  }

  /** `unjudged`: its check was lost, or came to nothing that is its bringer's fault. */
  judged(key: string, rank: Rank, verdict: "good" | "bad" | "unjudged"): void {
    const bringer = this.#bringer(key);
    if (verdict === "bad") {
      bringer.good = 0;
      bringer.wasted.charge(INVALID_COST);
      return;
    }
    if (rank === "stranger") {
      bringer.wasted.charge(-1);
      this.#strangers.charge(-1);
    }
    if (verdict === "good") bringer.good = Math.min(KNOWN_MIN, bringer.good + 1);
  }

  #bringer(key: string): Bringer {
    const { perGroupPerSecond, perGroupBurst, groupsMax } = this.#settings;
    const bringer = this.#bringers.get(key) ?? {
      good: 0,
      wasted: new RateLimit({ itemsPerSecond: perGroupPerSecond, burstItems: perGroupBurst }),
    };
    this.#bringers.delete(key);
    this.#bringers.set(key, bringer);
    for (const [oldest] of this.#bringers) {
      if (this.#bringers.size <= groupsMax) break;
      this.#bringers.delete(oldest);
    }
    return bringer;
  }
}
