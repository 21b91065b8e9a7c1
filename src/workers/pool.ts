// The worker pool on piscina: bounds the queue, moves bytes to threads, and turns whatever happens
// to a thread into coded errors. Constructed by compose.ts; benches take `threadPoolOptions`.

import { availableParallelism } from "node:os";
import { SHARE_ENV, type Worker } from "node:worker_threads";
import { FixedQueue, Piscina } from "piscina";
import type { ChainRules, RulesModule } from "../types/chain.js";
import { CodedError, errorText, isCoded } from "../errors.js";
import type {
  BlocksVerdict,
  Clock,
  Timer,
  TransactionsVerdict,
  ValidateBlocksJob,
} from "../ports.js";
import { threadModule } from "../thread-module.js";
import { poolMethods, queueFull, stopped, workerLost } from "./jobs.js";
import type { JobKind, Jobs, PoolTask, StartingPool, Task, Verdicts } from "./jobs.js";
import { isLarge, validateLargeBlocks } from "./large-blocks.js";
import type { LargeBlockSteps } from "./large-blocks.js";
import type { UnsignedVerdict } from "./executor.js";
import { checkCloneable, loadRules, rulesIn } from "./rules-loader.js";
import { sendable } from "./sendable.js";
import { allocateThreadRows, LOOKS_PER_TASK, ThreadWatch } from "./thread-watch.js";
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
  /** How long a thread may be at one task, or at loading the rules, before it is ended. */
  readonly taskMsMax: number;
  /** So many threads may end by themselves, plus one for every 1,000 tasks done; then `broken`. */
  readonly threadEndsMax: number;
  readonly clock: Clock;
  /** Called for each task that was lost and each thread that ended; for the log. */
  readonly onTrouble?: (what: string, fields: PoolTrouble) => void;
}

export interface PoolTrouble {
  /** The module of the rules. */
  readonly rules: string;
  readonly error: string;
  /** The kind of the task that was lost. */
  readonly task?: string;
  /** How many threads have ended by themselves so far. */
  readonly threadsEnded?: number;
}

/** Starts the threads; what they are given meanwhile waits. Rejects with RULES_UNLOADABLE. */
export async function openWorkerPool(options: WorkerPoolOptions): Promise<StartingPool> {
  const entry = threadModule("./worker-entry.js", import.meta.url);
  checkCloneable(options.rulesModule);
  const pool = new ThreadPool(options, entry, await loadWithin(options));
  const started = pool.start();
  started.catch(() => undefined);
  return {
    ...poolMethods((kind, job) => pool.submit(kind, job)),
    started,
    broken: pool.broken,
    load: () => pool.load(),
    close: () => pool.close(),
  };
}

/** A module whose loading never settles must not hold a start for ever. */
async function loadWithin({ rulesModule, taskMsMax, clock }: WorkerPoolOptions) {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    const sentence = `${rulesIn(rulesModule)} do not finish loading within ${taskMsMax} ms`;
    const error = new CodedError("RULES_UNLOADABLE", sentence);
    const timer = clock.setTimer(taskMsMax, () => reject(error));
    cancel = () => timer.cancel();
  });
  return Promise.race([loadRules(rulesModule), late]).finally(cancel);
}

/** Tasks that outweigh the end of a thread. */
const TASKS_PER_END = 1_000;

class ThreadPool {
  readonly #options: WorkerPoolOptions;
  /** The rules on this side only split large blocks. */
  readonly #rules: ChainRules;
  readonly #runningMax: number;
  readonly #threads: Piscina<ThreadTask, unknown>;
  /** The rejections of tasks that wait or run: emptied when they settle or the pool gives up. */
  readonly #unsettled = new Set<(error: CodedError) => void>();
  readonly broken: Promise<CodedError>;
  #onBroken!: (error: CodedError) => void;
  #failure: CodedError | undefined;
  readonly #watch: ThreadWatch;
  /** Until the next look at the threads; only while there are tasks. */
  #nextLook: Timer | undefined;
  #threadsEnded = 0;
  /** How many more may end. */
  #endsLeft: number;
  #tasksDone = 0;
  /** Threads that were ended for that, and how many of them are not counted yet. */
  readonly #ending = new WeakSet<Worker>();
  #stuck = 0;
  #lastError = "it ended by itself";
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkerPoolOptions, entry: URL, rules: ChainRules) {
    const { rulesModule, signatureCache, nice } = options;
    const rows = allocateThreadRows(threadCount(options.threads));
    const workerData: ThreadData = { rulesModule, signatureCache, nice, rows };
    this.broken = new Promise((resolve) => (this.#onBroken = resolve));
    this.#watch = new ThreadWatch(rows);
    this.#endsLeft = options.threadEndsMax;
    this.#options = options;
    this.#rules = rules;
    this.#runningMax = threadCount(options.threads) * TASKS_PER_THREAD;
    this.#threads = new Piscina(
      threadPoolOptions({
        moduleUrl: entry,
        exportName: "execute",
        workerData,
        threads: options.threads,
        queueMax: options.queueMax,
        heapMiB: options.heapMiB,
      }),
    );
    // Without a listener an error of an idle thread would end the process.
    this.#threads.on("error", (error: Error) => (this.#lastError = error.message));
    this.#threads.on("workerDestroy", () => {
      queueMicrotask(() => this.#failWithoutThreads());
      // By then it is known from its tasks, or from piscina, why it ended.
      setImmediate(() => this.#countEnd());
    });
  }

  async start(): Promise<void> {
    const problem = (await this.#run({ kind: "start" }, [])) as string | undefined;
    if (problem !== undefined) throw new CodedError("RULES_UNLOADABLE", problem);
  }

  submit<K extends JobKind>(kind: K, job: Jobs[K]): Promise<Verdicts[K]>;
  submit(kind: JobKind, job: Jobs[JobKind]): Promise<unknown> {
    const { queueMax } = this.#options;
    if (this.#unsettled.size >= this.#runningMax + queueMax) {
      return Promise.reject(queueFull(kind, queueMax));
    }
    const task = { kind, job } as Task;
    if (task.kind !== "validateBlocks" || !this.#isLarge(task.job)) return this.#send(task);
    return this.#validateLargeBlocks(task.job).catch((error: unknown) => {
      throw isCoded(error) ? error : workerLost(kind, error);
    });
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
    this.#nextLook?.cancel();
    await this.#threads.destroy();
  }

  #rest(): void {
    this.#nextLook?.cancel();
    this.#nextLook = undefined;
    this.#onIdle?.();
  }

  #lookLater(): void {
    const { clock, taskMsMax } = this.#options;
    this.#nextLook ??= clock.setTimer(taskMsMax / LOOKS_PER_TASK, () => this.#look());
  }

  /** Ends threads that do not end their task; what was given to them is lost with them. */
  #look(): void {
    this.#nextLook = undefined;
    const { threads } = this.#threads;
    const alive = new Set(threads.map((thread) => thread.threadId));
    const stuck = new Set(this.#watch.look(alive));
    for (const thread of threads) {
      if (!stuck.has(thread.threadId) || this.#ending.has(thread)) continue;
      this.#ending.add(thread);
      this.#stuck += 1;
      void thread.terminate();
    }
    if (this.#unsettled.size > 0) this.#lookLater();
  }

  #tellLost(task: string, cause: unknown): void {
    const { taskMsMax } = this.#options;
    const stuck = `a thread was at one task for more than ${taskMsMax} ms and was ended`;
    this.#lastError = this.#stuck > 0 ? stuck : errorText(cause);
    const rules = this.#options.rulesModule.moduleUrl;
    this.#options.onTrouble?.("a pool task was lost", { rules, task, error: this.#lastError });
  }

  /** A thread that ended by itself, or was ended for being stuck, was replaced. */
  #countEnd(): void {
    if (this.#closing !== undefined || this.#failure !== undefined) return;
    this.#threadsEnded += 1;
    this.#endsLeft -= 1;
    this.#stuck = Math.max(0, this.#stuck - 1);
    const { onTrouble, rulesModule } = this.#options;
    const trouble = { rules: rulesModule.moduleUrl, error: this.#lastError };
    onTrouble?.("a pool thread ended", { ...trouble, threadsEnded: this.#threadsEnded });
    if (this.#endsLeft >= 0) return;
    const sentence =
      `${this.#threadsEnded} threads of the worker pool ended, the last for: ${this.#lastError}; ` +
      `${rulesIn(rulesModule)} are not to be relied on`;
    this.#failure = new CodedError("WORKER_LOST", sentence);
    this.#rejectAll(this.#failure);
    this.#onBroken(this.#failure);
  }

  /** Nobody submitted it: its sentence is all that whoever started the network reads. */
  #startLost(reason: string): CodedError {
    const sentence = `no thread could be started with ${rulesIn(this.#options.rulesModule)}: ${reason}`;
    return new CodedError("WORKER_LOST", sentence);
  }

  #forgiveEnd(): void {
    this.#endsLeft = Math.min(this.#endsLeft + 1, this.#options.threadEndsMax);
  }

  /** What the rules throw here they throw in a thread, whose task is lost for it. */
  #isLarge(job: ValidateBlocksJob): boolean {
    try {
      return isLarge(this.#rules, job);
    } catch {
      return false;
    }
  }

  /** The parts of a job that was let in are not held against the queue's bound again. */
  #validateLargeBlocks(job: ValidateBlocksJob): Promise<BlocksVerdict> {
    const steps: LargeBlockSteps = {
      validateUnsigned: (part) =>
        this.#send({ kind: "validateUnsigned", job: part }) as Promise<UnsignedVerdict>,
      validateSignatures: (part) =>
        this.#send({ kind: "validateSignatures", job: part }) as Promise<TransactionsVerdict>,
      validateBlocks: (part) =>
        this.#send({ kind: "validateBlocks", job: part }) as Promise<BlocksVerdict>,
    };
    return validateLargeBlocks(steps, this.#rules, job, this.#runningMax);
  }

  #send(task: PoolTask): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(stopped());
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { task: sent, transfer } = sendable(task);
    return this.#run(sent, transfer);
  }

  #run(task: ThreadTask, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#unsettled.add(reject);
      this.#lookLater();
      // False for a task that the pool gave up on before its thread did.
      const settle = (): boolean => {
        const due = this.#unsettled.delete(reject);
        if (this.#unsettled.size === 0) this.#rest();
        return due;
      };
      this.#threads.run(task, { transferList: [...transfer] }).then(
        (verdict) => {
          if (++this.#tasksDone % TASKS_PER_END === 0) this.#forgiveEnd();
          if (settle()) resolve(verdict);
        },
        (error: unknown) => {
          if (!settle()) return;
          this.#tellLost(task.kind, error);
          reject(
            task.kind === "start"
              ? this.#startLost(this.#lastError)
              : workerLost(task.kind, this.#lastError),
          );
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
