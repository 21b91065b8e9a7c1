// The parent's side of an actor in its own thread: starts and stops the thread through comlink,
// reaches the actor through a Link, and turns whatever ends the thread into the child's end.

import type { ActorFigures } from "./actor.js";
import type { Timer } from "../ports.js";
import type { RemoteRef } from "./remote-ref.js";
import type { ThreadEnd } from "./link-frame.js";
import type { ThreadChild, ThreadPlacement, ThreadSpawn } from "./kernel.js";
import type { LocatedRef } from "./located-ref.js";
import { threadModule } from "../thread-module.js";
import type {
  ModuleExport,
  ThreadControl,
  ThreadData,
  WorkerThreadsOptions,
} from "./thread-control.js";
import type { Remote } from "comlink";
import { MessageChannel, Worker } from "node:worker_threads";
import { wrap } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { CodedError, invariant } from "../errors.js";
import { Link } from "./link.js";

/** Gives an actor system the placement `at: "thread"`: one worker thread for each such actor. */
export function workerThreads(options: WorkerThreadsOptions): ThreadPlacement {
  return { spawn: (request) => new ThreadActor(request, options) };
}

class ThreadActor implements ThreadChild {
  readonly name: string;
  readonly path: string;
  readonly ref: RemoteRef;
  private readonly request: ThreadSpawn;
  private readonly stopTimeoutMs: number;
  private readonly link: Link;
  private readonly worker: Worker;
  private readonly control: Remote<ThreadControl>;
  private readonly exited: Promise<void>;
  private stopTimer: Timer | undefined;
  private stopping = false;
  private gone = false;
  /** Set once the end is known; the worker may still be winding down. */
  private end: ThreadEnd | undefined;

  constructor(request: ThreadSpawn, options: WorkerThreadsOptions) {
    const { kernel, parent, name, uid, type } = request;
    invariant(type.source !== undefined, `the actor type ${type.name} names its source`);
    this.request = request;
    this.name = name;
    this.path = `${parent.path}/${name}`;
    this.stopTimeoutMs = options.stopTimeoutMs ?? 5_000;
    const limits = { creditMax: options.creditMax ?? 4_096, batchMax: options.batchMax ?? 512 };
    const { port1, port2 } = new MessageChannel();
    this.link = new Link(kernel, port1, limits);
    this.ref = this.link.locate(this.path, uid);
    this.worker = new Worker(threadModule("./thread-host.js", import.meta.url), {
      name: this.path,
      workerData: { port: port2, limits } satisfies ThreadData,
      transferList: [port2],
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.control = wrap<ThreadControl>(nodeEndpoint(this.worker));
    this.exited = new Promise((resolve) => void this.worker.once("exit", () => resolve()));
    this.worker.once("error", (error) => this.setEnd({ error, escalated: false }));
    this.worker.once("exit", (code) => this.threadExited(code));
    this.link.onEnd = (end) => this.setEnd(end);
    this.link.onBroken = (error) => this.fail(error);
    this.link.open();
    this.start(type.source, uid, options);
  }

  locate(path: string, uid: number): LocatedRef {
    return path === this.path && uid === this.ref.uid ? this.ref : this.link.locate(path, uid);
  }

  async figures(): Promise<readonly ActorFigures[]> {
    // A call to a dead thread is never answered.
    const figures = (await Promise.race([this.control.figures(), this.exited])) ?? [];
    // What this side refused for want of credit was meant for the other.
    return figures.map((actor) => {
      if (actor.path !== this.path) return actor;
      const full = actor.refused.full + this.link.refusedCount;
      return { ...actor, refused: { ...actor.refused, full } };
    });
  }

  stop(error?: unknown): void {
    if (this.stopping) return;
    this.stopping = true;
    if (error !== undefined) this.setEnd({ error, escalated: false });
    if (this.gone) {
      this.finish();
      return;
    }
    const { clock } = this.request.kernel;
    this.stopTimer = clock.setTimer(this.stopTimeoutMs, () => void this.worker.terminate());
    // Never answered if the thread ends before: its exit is what counts.
    void this.control.stop();
  }

  private start(source: ModuleExport, uid: number, threads: WorkerThreadsOptions): void {
    const { path } = this;
    const args = this.link.encode(this.request.args);
    this.control.start({ source, path, uid, args, threads }).catch((cause: unknown) => {
      const error = new CodedError("WORKER_LOST", `${path} could not start in a thread`, { cause });
      this.fail(error);
    });
  }

  private fail(error: CodedError): void {
    this.setEnd({ error, escalated: false });
    void this.worker.terminate();
  }

  /** From here nobody waits for the actor any more. Its own last words count before `end`. */
  private setEnd(end: ThreadEnd): void {
    if (this.end !== undefined) return;
    this.link.onEnd = (own) => void (this.end ??= own);
    this.link.drain();
    this.end ??= end;
    this.link.close();
  }

  private threadExited(code: number): void {
    this.stopTimer?.cancel();
    const lost = `the thread of ${this.path} ended with code ${code}`;
    const error = this.stopping ? undefined : new CodedError("WORKER_LOST", lost);
    this.setEnd({ error, escalated: false });
    this.gone = true;
    const { parent } = this.request;
    // The parent faults, and stops this child like its others.
    if (this.end?.escalated === true && !this.stopping) {
      parent.childEscalated(this, this.end.error);
    } else {
      this.finish();
    }
  }

  private finish(): void {
    this.request.parent.childGone(this, this.end?.error);
  }
}
