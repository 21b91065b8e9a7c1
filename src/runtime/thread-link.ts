// The parent's side of an actor in its own thread: reaches the actor through a Link, and turns
// whatever ends the thread (thread-life.ts) into the child's end.

import type { ActorFigures } from "./actor.js";
import type { RemoteRef } from "./remote-ref.js";
import type { ThreadEnd } from "./link-frame.js";
import type { ThreadChild, ThreadPlacement, ThreadSpawn } from "./kernel.js";
import type { LocatedRef } from "./located-ref.js";
import { threadModule } from "../thread-module.js";
import type { ModuleExport, ThreadControl, WorkerThreadsOptions } from "./thread-control.js";
import type { CodedError } from "../errors.js";
import { invariant } from "../errors.js";
import { Link, type LinkLimits } from "./link.js";
import { ThreadLife, type ThreadExit } from "./thread-life.js";

/** Gives an actor system the placement `at: "thread"`: one worker thread for each such actor. */
export function workerThreads(options: WorkerThreadsOptions): ThreadPlacement {
  return { spawn: (request) => new ThreadActor(request, options) };
}

class ThreadActor implements ThreadChild {
  readonly name: string;
  readonly path: string;
  readonly ref: RemoteRef;
  private readonly request: ThreadSpawn;
  private readonly options: WorkerThreadsOptions;
  private readonly link: Link;
  private readonly life: ThreadLife<ThreadControl>;
  private stopping = false;
  private gone = false;
  /** Set once the end is known; the worker may still be winding down. */
  private end: ThreadEnd | undefined;

  constructor(request: ThreadSpawn, options: WorkerThreadsOptions) {
    const { kernel, parent, name, uid, type } = request;
    invariant(type.source !== undefined, `the actor type ${type.name} names its source`);
    this.request = request;
    this.options = options;
    this.name = name;
    this.path = `${parent.path}/${name}`;
    const limits: LinkLimits = {
      creditMax: options.creditMax ?? 4_096,
      batchMax: options.batchMax ?? 512,
    };
    this.life = new ThreadLife<ThreadControl>({
      module: threadModule("./thread-host.js", import.meta.url),
      name: this.path,
      what: `the thread of ${this.path}`,
      lostCode: "WORKER_LOST",
      data: limits,
      clock: kernel.clock,
      resourceLimits: options.resourceLimits,
      lastWord: () => {
        this.link.drain();
        return this.end && { error: this.end.error as Error | undefined };
      },
    });
    this.link = new Link(kernel, this.life.port, limits);
    this.ref = this.link.locate(this.path, uid);
    void this.life.exited.then((exit) => this.threadExited(exit));
    this.link.onEnd = (end) => this.setEnd(end);
    this.link.onBroken = (error) => this.fail(error);
    this.link.open();
    this.start(type.source, uid);
  }

  locate(path: string, uid: number): LocatedRef {
    return path === this.path && uid === this.ref.uid ? this.ref : this.link.locate(path, uid);
  }

  async figures(): Promise<readonly ActorFigures[]> {
    const figures = await this.life
      .ask("figures", this.options.callTimeoutMs ?? 15_000, (control) => control.figures())
      .catch(() => []);
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
    void this.life.stop(this.options.stopTimeoutMs ?? 5_000);
  }

  private start(source: ModuleExport, uid: number): void {
    const { path, options: threads } = this;
    const args = this.link.encode(this.request.args);
    const starting = this.life.start(threads.startTimeoutMs ?? 60_000, (control) =>
      control.start({ source, path, uid, args, threads }),
    );
    // Its end says so.
    starting.catch(() => undefined);
  }

  private fail(error: CodedError): void {
    this.setEnd({ error, escalated: false });
    void this.life.end(error);
  }

  /** From here nobody waits for the actor any more. Its own last words count before `end`. */
  private setEnd(end: ThreadEnd): void {
    if (this.end !== undefined) return;
    this.link.onEnd = (own) => void (this.end ??= own);
    this.link.drain();
    this.end ??= end;
    this.link.close();
  }

  private threadExited({ error }: ThreadExit): void {
    // That it had to be ended when it was told to stop is no failure of its parent's.
    this.setEnd({ error: this.stopping ? undefined : error, escalated: false });
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
