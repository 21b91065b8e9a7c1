// What a peer may send on the control lane, which has no window: a Pong for each Ping and a
// WindowUpdate for each frame of a data lane are its due; all else is counted. Pure; owned by a
// session.

import type { NetworkConfig } from "../../config.js";
import { violation, type Violation } from "../violation.js";
import { RateLimit, type Rate } from "./rate-limit.js";

/** A node tells its limits when it is ready, and when its operator changes them. */
const LIMITS_RATE: Rate = { itemsPerSecond: 1, burstItems: 64 };

export class ControlLimits {
  readonly #unansweredMax: number;
  readonly #rate: Rate;
  readonly #pings: RateLimit;
  // Made for the first one: of most connections nothing of the kind comes.
  #pongs: RateLimit | undefined;
  #updates: RateLimit | undefined;
  #limits: RateLimit | undefined;
  /** Updates that a frame of ours allowed. */
  #updatesDue = 0;

  constructor({ pingsPerSecondMax }: NetworkConfig["liveness"]) {
    this.#unansweredMax = pingsPerSecondMax;
    this.#rate = { itemsPerSecond: pingsPerSecondMax, burstItems: pingsPerSecondMax };
    this.#pings = new RateLimit(this.#rate);
  }

  /** `unsent`: Pongs that have not left: whoever reads none of them could have any number made. */
  ping(unsent: number, nowMs: number): Violation | undefined {
    const isDue = unsent < this.#unansweredMax && this.#pings.take(1, nowMs);
    return isDue ? undefined : violation("flood", "too many pings");
  }

  /** A Pong that no Ping asked for. */
  pong(nowMs: number): Violation | undefined {
    this.#pongs ??= new RateLimit(this.#rate);
    return this.#pongs.take(1, nowMs) ? undefined : violation("flood", "too many pongs");
  }

  limits(nowMs: number): Violation | undefined {
    this.#limits ??= new RateLimit(LIMITS_RATE);
    return this.#limits.take(1, nowMs) ? undefined : violation("flood", "too many limits");
  }

  /** `framesOut`: those of data lanes that the peer was sent so far. */
  update(framesOut: number, nowMs: number): Violation | undefined {
    if (this.#updatesDue < framesOut) {
      this.#updatesDue++;
      return undefined;
    }
    this.#updates ??= new RateLimit(this.#rate);
    if (this.#updates.take(1, nowMs)) return undefined;
    return violation("flood", "too many window updates");
  }
}
