// The WorkerPool without threads: `createInlineExecutor` does the work in the call (small embedders
// and tests), `createScheduledExecutor` on timers of an injected clock (the simulator, in which a
// pool must take virtual time and its completions must be scheduled events).

import { invariant } from "../errors.js";
import type { Clock, Timer, WorkerPool } from "../ports.js";
import { createExecutor } from "./executor.js";
import type { Executor, ExecutorParts } from "./executor.js";
import { poolMethods, queueFull, stopped, workerLost } from "./jobs.js";
import type { JobKind, Jobs, Task, Verdicts } from "./jobs.js";

export function createInlineExecutor(parts: ExecutorParts): WorkerPool {
  const execute = executeWith(parts);
  let closed = false;
  return {
    ...poolMethods((kind, job) => {
      if (closed) return Promise.reject(stopped());
      try {
        return Promise.resolve(execute(kind, job));
      } catch (error) {
        return Promise.reject(workerLost(kind, error));
      }
    }),
    // Nothing ever waits.
    load: () => ({ queued: 0, running: 0, queueMax: 0 }),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

export interface ScheduledExecutorOptions extends ExecutorParts {
  readonly clock: Pick<Clock, "setTimer">;
  /** Virtual threads: so many tasks run at a time. */
  readonly threads: number;
  /** Tasks that may wait for a thread. */
  readonly queueMax: number;
  /** How long a thread is busy with this task; drawn when it starts to run. */
  delayMs(task: Task): number;
}

interface ScheduledTask {
  readonly task: Task;
  run(): void;
  reject(error: Error): void;
}

/** Work is done when its time is up, so a pool that is closed has done nothing more. */
export function createScheduledExecutor(options: ScheduledExecutorOptions): WorkerPool {
  invariant(options.threads >= 1, "a pool has a thread");
  const execute = executeWith(options);
  const waiting: ScheduledTask[] = [];
  const running = new Map<ScheduledTask, Timer>();
  let closed = false;

  const startNext = (): void => {
    while (running.size < options.threads) {
      const next = waiting.shift();
      if (next === undefined) return;
      const timer = options.clock.setTimer(options.delayMs(next.task), () => {
        running.delete(next);
        next.run();
        startNext();
      });
      running.set(next, timer);
    }
  };
  const submit = <K extends JobKind>(kind: K, job: Jobs[K]): Promise<Verdicts[K]> => {
    if (closed) return Promise.reject(stopped());
    if (waiting.length >= options.queueMax && running.size >= options.threads) {
      return Promise.reject(queueFull(kind, options.queueMax));
    }
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(execute(kind, job));
        } catch (error) {
          reject(workerLost(kind, error));
        }
      };
      waiting.push({ task: { kind, job } as Task, run, reject });
      startNext();
    });
  };
  return {
    ...poolMethods(submit),
    load: () => ({ queued: waiting.length, running: running.size, queueMax: options.queueMax }),
    close() {
      closed = true;
      for (const timer of running.values()) timer.cancel();
      for (const task of [...running.keys(), ...waiting]) task.reject(stopped());
      running.clear();
      waiting.length = 0;
      return Promise.resolve();
    },
  };
}

function executeWith(
  parts: ExecutorParts,
): <K extends JobKind>(kind: K, job: Jobs[K]) => Verdicts[K] {
  const executor: Executor = createExecutor(parts);
  return (kind, job) => executor[kind](job);
}
