// A closed loop of requests: so many are in flight, and each answer makes the next one due. The load
// of the reqresp bench, for every contender.

import { ProcessMeter, type ProcessFigures } from "./meter.js";
import { percentiles } from "../../src/drill/measure/percentiles.js";

export interface ClosedLoop {
  readonly inFlight: number;
  readonly seconds: number;
}

export interface ClosedLoopFigures extends ProcessFigures {
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly latencyMaxMs: number;
}

/** `ask` calls `done` once, when the answer is there, and not before it returned. */
export async function runClosedLoop(
  { inFlight, seconds }: ClosedLoop,
  ask: (done: () => void) => void,
): Promise<ClosedLoopFigures> {
  const latenciesMs: number[] = [];
  const meter = new ProcessMeter();
  const endMs = performance.now() + seconds * 1_000;
  await new Promise<void>((resolve) => {
    let open = inFlight;
    const next = (): void => {
      const dueMs = performance.now();
      if (dueMs >= endMs) {
        if (--open === 0) resolve();
        return;
      }
      ask(() => {
        latenciesMs.push(performance.now() - dueMs);
        next();
      });
    };
    for (let i = 0; i < inFlight; i++) next();
  });
  const figures = meter.stop();
  const [p50Ms, p99Ms, latencyMaxMs] = percentiles(latenciesMs, [0.5, 0.99, 1]);
  return {
    ...figures,
    answered: latenciesMs.length,
    p50Ms: p50Ms!,
    p99Ms: p99Ms!,
    latencyMaxMs: latencyMaxMs!,
  };
}
