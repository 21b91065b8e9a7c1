// The worker pool on piscina: bounds the queue, moves bytes to threads, and turns whatever happens
// to a thread into coded errors. Constructed by compose.ts; benches take `threadPoolOptions`.

import { availableParallelism } from "node:os";
import { SHARE_ENV } from "node:worker_threads";
import { FixedQueue, Piscina } from "piscina";
import type { ChainRules, RulesModule } from "../chain/types.js";
import { CodedError } from "../errors.js";
import type { BlocksVerdict, Clock, ValidateBlocksJob } from "../ports.js";
import { poolMethods, queueFull, stopped, workerLost } from "./jobs.js";
import type { JobKind, Jobs, PoolTask, StartingPool, Task, Verdicts } from "./jobs.js";
import { isLarge, validateLargeBlocks } from "./large-blocks.js";
import type { LargeBlockSteps } from "./large-blocks.js";
import { loadRules } from "./rules-loader.js";
import { sendable } from "./sendable.js";
import type { ThreadData, ThreadTask } from "./worker-entry.js";

/** Two: while a thread's verdict waits for the event loop, the thread has its next task. */
const TASKS_PER_THREAD = 2;

export interface ThreadPoolOptions {
  /** The module that every thread runs, and the export that executes a task. */
  readonly moduleUrl: URL;
  readonly exportName: string;
  /** Structured-cloneable. */
  readonly workerData: unknown;
  /** 0: one a core. */
  readonly threads: number;
  readonly queueMax: number;
  readonly heapMiB: number;
}

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;

/** All options of piscina, so that a bench can build a pool of the same threads. */
export function threadPoolOptions(options: ThreadPoolOptions): PiscinaOptions {
  const threads = threadCount(options.threads);
  return {
    filename: options.moduleUrl.href,
    name: options.exportName,
    workerData: options.workerData,
    // A fixed number: a burst of work must not wait for a thread to load the rules.
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: TASKS_PER_THREAD,
    // The pool below counts for itself and refuses before piscina would.
    maxQueue: options.queueMax + threads * TASKS_PER_THREAD,
    taskQueue: new FixedQueue(),
    stricterFIFO: true,
    // A thread blocked in Atomics.wait gains nothing here (a round trip takes 0.11 ms either way)
    // and on Node 20 it cannot be ended after an uncaught error; nor could the process then.
    atomics: "disabled",
    resourceLimits: {
      maxOldGenerationSizeMb: options.heapMiB,
      maxYoungGenerationSizeMb: 32,
      codeRangeSizeMb: 16,
      stackSizeMb: 4,
    },
    argv: [],
    execArgv: [],
    env: SHARE_ENV,
    trackUnmanagedFds: true,
    // Threads lower their priority themselves (thread-priority.ts).
    niceIncrement: 0,
    // `close` of the pool below bounds the wait with the injected clock.
    closeTimeout: 0,
    recordTiming: false,
    workerHistogram: false,
  };
}

export interface WorkerPoolOptions extends Pick<
  ThreadPoolOptions,
  "threads" | "queueMax" | "heapMiB"
> {
  readonly rulesModule: RulesModule;
  /** From `allocateSignatureCache`; absent: every signature is verified. */
  readonly signatureCache?: SharedArrayBuffer;
  /** Added to the threads' niceness, on Linux. */
  readonly nice: number;
  /** How long `close` waits for tasks before it ends the threads under them. */
  readonly closeWaitMs: number;
  readonly clock: Clock;
  /** A thread failed while it had no task, and is replaced; for the log. */
  readonly onThreadError?: (error: Error) => void;
}

/** Starts the threads; what they are given meanwhile waits. Rejects with RULES_UNLOADABLE. */
export async function openWorkerPool(options: WorkerPoolOptions): Promise<StartingPool> {
  const pool = new ThreadPool(options, await loadRules(options.rulesModule));
  const started = pool.start();
  started.catch(() => undefined);
  return {
    ...poolMethods((kind, job) => pool.submit(kind, job)),
    started,
    load: () => pool.load(),
    close: () => pool.close(),
  };
}

class ThreadPool {
  readonly #options: WorkerPoolOptions;
  /** The rules on this side only split large blocks. */
  readonly #rules: ChainRules;
  readonly #runningMax: number;
  readonly #threads: Piscina<ThreadTask, unknown>;
  /** The rejections of tasks that wait or run: emptied when they settle or the pool gives up. */
  readonly #unsettled = new Set<(error: CodedError) => void>();
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkerPoolOptions, rules: ChainRules) {
    const { rulesModule, signatureCache, nice } = options;
    const workerData: ThreadData = { rulesModule, signatureCache, nice };
    this.#options = options;
    this.#rules = rules;
    this.#runningMax = threadCount(options.threads) * TASKS_PER_THREAD;
    this.#threads = new Piscina(
      threadPoolOptions({
        moduleUrl: new URL("./worker-entry.js", import.meta.url),
        exportName: "execute",
        workerData,
        threads: options.threads,
        queueMax: options.queueMax,
        heapMiB: options.heapMiB,
      }),
    );
    // Without a listener an error of an idle thread would end the process.
    this.#threads.on("error", (error: Error) => options.onThreadError?.(error));
    this.#threads.on("workerDestroy", () => queueMicrotask(() => this.#failWithoutThreads()));
  }

  async start(): Promise<void> {
    const problem = (await this.#run({ kind: "start" }, [])) as string | undefined;
    if (problem !== undefined) throw new CodedError("RULES_UNLOADABLE", problem);
  }

  submit<K extends JobKind>(kind: K, job: Jobs[K]): Promise<Verdicts[K]>;
  submit(kind: JobKind, job: Jobs[JobKind]): Promise<unknown> {
    const { queueMax, signatureCache } = this.#options;
    if (this.#unsettled.size >= this.#runningMax + queueMax) {
      return Promise.reject(queueFull(kind, queueMax));
    }
    const task = { kind, job } as Task;
    const splits = task.kind === "validateBlocks" && signatureCache !== undefined;
    if (splits && isLarge(this.#rules, task.job)) return this.#validateLargeBlocks(task.job);
    return this.#send(task);
  }

  load(): { queued: number; running: number; queueMax: number } {
    const running = Math.min(this.#unsettled.size, this.#runningMax);
    return { queued: this.#unsettled.size - running, running, queueMax: this.#options.queueMax };
  }

  /** Waits for the tasks at most `closeWaitMs`; what is left then rejects with STOPPED. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#unsettled.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.setTimer(this.#options.closeWaitMs, resolve);
        this.#onIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#rejectAll(stopped());
    await this.#threads.destroy();
  }

  /** The parts of a job that was let in are not held against the queue's bound again. */
  #validateLargeBlocks(job: ValidateBlocksJob): Promise<BlocksVerdict> {
    const steps: LargeBlockSteps = {
      validateUnsigned: (part) =>
        this.#send({ kind: "validateUnsigned", job: part }) as Promise<BlocksVerdict>,
      validateTransactions: (part) => this.#send({ kind: "validateTransactions", job: part }),
      validateBlocks: (part) =>
        this.#send({ kind: "validateBlocks", job: part }) as Promise<BlocksVerdict>,
    };
    return validateLargeBlocks(steps, this.#rules, job, this.#runningMax);
  }

  #send(task: PoolTask): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(stopped());
    const { task: sent, transfer } = sendable(task);
    return this.#run(sent, transfer);
  }

  #run(task: ThreadTask, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#unsettled.add(reject);
      // False for a task that the pool gave up on before its thread did.
      const settle = (): boolean => {
        const due = this.#unsettled.delete(reject);
        if (this.#unsettled.size === 0) this.#onIdle?.();
        return due;
      };
      this.#threads.run(task, { transferList: [...transfer] }).then(
        (verdict) => {
          if (settle()) resolve(verdict);
        },
        (error: unknown) => {
          if (settle()) reject(workerLost(task.kind, error));
        },
      );
    });
  }

  #rejectAll(error: CodedError): void {
    for (const reject of this.#unsettled) reject(error);
    this.#unsettled.clear();
  }

  /**
   * Piscina stops replacing threads once one died while it started, and what waits for them would
   * wait for ever. It tries again with the next task that it is given.
   */
  #failWithoutThreads(): void {
    if (this.#closing !== undefined || this.#threads.threads.length > 0) return;
    this.#rejectAll(new CodedError("WORKER_LOST", "no thread of the worker pool is left"));
  }
}

function threadCount(threads: number): number {
  return threads > 0 ? threads : availableParallelism();
}
