// A timer for deadlines that end a connection: see protocol/fair-wait.ts for what is fair about it.

import type { Clock, Timer } from "../ports.js";
import { FairWait } from "../protocol/fair-wait.js";

/** Calls `onOver` once, when `waitMs` have passed while this process was awake. */
export function startFairTimer(
  clock: Pick<Clock, "monotonicMs" | "setTimer">,
  waitMs: number,
  onOver: () => void,
): Timer {
  const wait = new FairWait(waitMs, clock.monotonicMs());
  const look = (): void => {
    const againMs = wait.look(clock.monotonicMs());
    if (againMs === undefined) onOver();
    else timer = clock.setTimer(againMs, look);
  };
  let timer = clock.setTimer(wait.begin(clock.monotonicMs()), look);
  return { cancel: () => timer.cancel() };
}
