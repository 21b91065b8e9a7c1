// When a faulty actor may start again: bounded exponential backoff with jitter, and a bound on how
// often. One per actor; pure but for the random it is given.

import type { OnFault } from "./actor.js";
import type { Random } from "../ports.js";

type RestartPolicy = Extract<OnFault, { kind: "restart" }>;

export class RestartHistory {
  /** Monotonic times of the restarts that are not older than the policy's window. */
  private timesMs: number[] = [];

  /**
   * The delay until the next restart, in ms; undefined when there were too many. Doubles with
   * each restart within the window, and half of it is random so that siblings which fell together
   * do not come back together.
   */
  next(policy: RestartPolicy, nowMs: number, random: Pick<Random, "float">): number | undefined {
    this.timesMs = this.timesMs.filter((timeMs) => timeMs > nowMs - policy.withinMs);
    if (this.timesMs.length >= policy.restartsMax) return undefined;
    const doubled = policy.backoffMinMs * 2 ** this.timesMs.length;
    this.timesMs.push(nowMs);
    return Math.min(doubled, policy.backoffMaxMs) * (0.5 + 0.5 * random.float());
  }
}
