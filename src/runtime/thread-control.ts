// What a thread that an actor was placed in is given, and the calls that its parent makes. Both
// sides (thread-link here, thread-host there) use it. Types only.

import type { ResourceLimits } from "node:worker_threads";
import type { Clock, Random } from "../ports.js";
import type { ActorFigures } from "./actor.js";
import type { Outcome } from "./thread-outcome.js";

/** An export of a module, by which a thread finds what cannot be cloned. */
export interface ModuleExport {
  readonly moduleUrl: string;
  readonly exportName: string;
}

/** What the environment of a thread is built from: `options` as given, and the thread's own. */
export type ThreadEnvFactory<E> = (
  options: unknown,
  thread: { readonly clock: Clock; readonly random: Random },
) => E | Promise<E>;

/** Structured-cloneable: a thread passes it on to the threads it starts. */
export interface WorkerThreadsOptions {
  /** Exports a `ThreadEnvFactory`, called with `options` in each thread. */
  readonly envModule: ModuleExport & { readonly options: unknown };
  /** Messages in flight to one actor of another thread. Default 4,096. */
  readonly creditMax?: number;
  /** Messages per batch. Default 512. */
  readonly batchMax?: number;
  /** How long a thread may take to start before it is ended and its actor lost. Default 60 s. */
  readonly startTimeoutMs?: number;
  /** A thread that has not told its figures by then is left out of them. Default 15 s. */
  readonly callTimeoutMs?: number;
  /** How long a thread may take to stop before it is killed. Default 5 s. */
  readonly stopTimeoutMs?: number;
  readonly resourceLimits?: ResourceLimits;
}

export interface ThreadStart {
  readonly source: ModuleExport;
  readonly path: string;
  readonly uid: number;
  /** References in it are encoded. */
  readonly args: unknown;
  readonly threads: WorkerThreadsOptions;
}

/** What the parent calls through comlink. */
export interface ThreadControl {
  /** Fails when a module cannot be loaded or the environment cannot be built. */
  start(start: ThreadStart): Promise<Outcome<void>>;
  stop(): void;
  figures(): Promise<Outcome<readonly ActorFigures[]>>;
}
