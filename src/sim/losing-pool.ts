// A pool whose threads die with their tasks while it is told to lose them: what a crash in a native
// library, or an exhausted heap, does to a node.

import type { Clock, Random, WorkerPool } from "../ports.js";
import {
  poolMethods,
  workerLost,
  type JobKind,
  type Jobs,
  type Verdicts,
} from "../workers/jobs.js";

export interface Losses {
  /** Of all tasks, the part that is lost now. */
  readonly fraction: () => number;
  readonly random: Random;
  readonly clock: Pick<Clock, "setTimer">;
}

/** A task had been at work for so long when its thread died, at most. */
const LOST_AFTER_MS = 20;

export function losingPool(inner: WorkerPool, { fraction, random, clock }: Losses): WorkerPool {
  /** What ends each task that is at work and lost. */
  const atWork = new Set<() => void>();
  const submit = <K extends JobKind>(kind: K, job: Jobs[K]): Promise<Verdicts[K]> => {
    const part = fraction();
    if (part === 0 || random.float() >= part) {
      return (inner[kind] as (job: Jobs[K]) => Promise<Verdicts[K]>)(job);
    }
    return new Promise((_resolve, reject) => {
      const lose = (): void => {
        atWork.delete(lose);
        reject(workerLost(kind, new Error("its thread died")));
      };
      atWork.add(lose);
      clock.setTimer(LOST_AFTER_MS * random.float(), lose);
    });
  };
  return {
    ...poolMethods(submit),
    load: () => inner.load(),
    close() {
      // Whoever closes a pool is answered for all that it had.
      for (const lose of atWork) lose();
      return inner.close();
    },
  };
}
