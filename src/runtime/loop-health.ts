// How late the event loop runs, from Node's own histogram: the adapter behind the Health port.

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock, Health } from "../ports.js";

/** At 10 ms sampling costs next to nothing; at 1 ms it takes about 2.4% of a core (measured). */
const RESOLUTION_MS = 10;
const WINDOW_MS = 5_000;

export interface LoopHealth extends Health {
  stop(): void;
}

/** The worst delay of the last one to two windows. */
export function createLoopHealth(clock: Pick<Clock, "setTimer">): LoopHealth {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let previousMs = 0;
  const current = (): number => Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
  const rotate = (): void => {
    previousMs = current();
    histogram.reset();
    timer = clock.setTimer(WINDOW_MS, rotate);
  };
  let timer = clock.setTimer(WINDOW_MS, rotate);
  return {
    loopDelayMs: () => Math.max(previousMs, current()),
    stop() {
      timer.cancel();
      histogram.disable();
    },
  };
}
