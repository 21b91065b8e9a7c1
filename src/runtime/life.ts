// The life of an actor: its phases, its children, what a fault does to it and how it ends. A cell adds
// what makes it an actor: a mailbox, notes and slices.

import type { Signal } from "./actor.js";
import type { Timer } from "../ports.js";
import type { AnyType, Child, Kernel, Parent } from "./kernel.js";
import { Lifeline, LocatedRef, type Observer, type Observers } from "./located-ref.js";
import { RestartHistory } from "./supervision.js";

/**
 * new → running on its first slice; running → backoff → new on a restart; any → stopping →
 * stopped, where stopping waits for children on other threads.
 */
type Phase = "new" | "running" | "backoff" | "stopping" | "stopped";

const NO_CHILDREN: ReadonlyMap<string, Child> = new Map();

export interface LifeOptions {
  readonly kernel: Kernel;
  readonly parent: Parent;
  readonly type: AnyType;
  readonly args: unknown;
  readonly name: string;
  readonly uid: number;
}

export abstract class Life extends LocatedRef implements Observer, Parent, Child {
  readonly path: string;
  readonly uid: number;
  readonly name: string;
  readonly kernel: Kernel;
  incarnation = 0;
  protected readonly type: AnyType;
  protected readonly args: unknown;
  protected phase: Phase = "new";
  /** It stops when its slice ends. */
  protected stopRequested = false;
  protected restarts = 0;
  protected faults = 0;
  private readonly parent: Parent;
  private readonly ownLifeline = new Lifeline();
  private readonly history = new RestartHistory();
  /** Made for the first child: most actors have none. */
  private ownChildren: Map<string, Child> | undefined;
  private restartTimer: Timer | undefined;
  private stopError: unknown;

  constructor({ kernel, parent, type, args, name, uid }: LifeOptions) {
    super();
    this.path = `${parent.path}/${name}`;
    this.uid = uid;
    this.name = name;
    this.kernel = kernel;
    this.parent = parent;
    this.type = type;
    this.args = args;
  }

  abstract notify(signal: Signal, incarnation: number): void;
  abstract waitsIn(list: Observers): void;
  abstract waitsNoMore(list: Observers): void;
  /** It may have work. */
  protected abstract wake(): void;
  /** Tells it that it stops or restarts, if this incarnation has begun. */
  protected abstract signalStopping(restarting: boolean): void;
  /** What it dealt with when it threw is lost, and nothing of the fault is left. */
  protected abstract loseInHand(): void;
  /** What waits for it is lost. */
  protected abstract loseWaiting(): void;
  /** Ends an incarnation: nothing that it asked for reaches the next one. */
  protected abstract forget(): void;
  /** It is gone, so that nobody waits for it; `isTold`: those who asked it learn of that. */
  protected abstract leave(isTold: boolean): void;

  get children(): ReadonlyMap<string, Child> {
    return this.ownChildren ?? NO_CHILDREN;
  }

  get ref(): this {
    return this;
  }

  get active(): boolean {
    return this.phase === "running" || this.phase === "new";
  }

  get isGone(): boolean {
    return this.phase === "stopped" || this.phase === "stopping";
  }

  lifeline(): Lifeline | undefined {
    return this.isGone ? undefined : this.ownLifeline;
  }

  requestStop(): void {
    if (this.kernel.sender === this) this.stopRequested = true;
    else this.stop();
  }

  protected fault(error: unknown): void {
    if (this.phase === "stopped") return;
    this.faults++;
    this.loseInHand();
    const policy = this.type.onFault;
    const { kernel, path } = this;
    if (policy.kind === "escalate") {
      kernel.report({ path, error, action: "escalated" });
      this.parent.childEscalated(this, error);
      return;
    }
    if (policy.kind === "restart" && !this.stopRequested) {
      const delayMs = this.history.next(policy, kernel.clock.monotonicMs(), kernel.random);
      if (delayMs !== undefined) {
        kernel.report({ path, error, action: "restarting" });
        this.restart(delayMs);
        return;
      }
    }
    kernel.report({ path, error, action: "stopped" });
    // Without an error it would count as a stop that was asked for.
    this.stop(error ?? new Error(`${path} threw ${String(error)}`));
  }

  /** running → backoff: the children go, the mailbox stays. */
  private restart(delayMs: number): void {
    this.phase = "backoff";
    this.restartTimer = this.kernel.clock.setTimer(delayMs, () => {
      this.restartTimer = undefined;
      this.startAgain();
    });
    this.stopChildren();
    this.signalStopping(true);
    this.forget();
  }

  /** backoff → new, when the delay is over and the last child is gone. */
  private startAgain(): void {
    if (this.phase !== "backoff" || this.restartTimer !== undefined || this.children.size > 0) {
      return;
    }
    this.phase = "new";
    this.restarts++;
    this.wake();
  }

  /** Any → stopping, and → stopped with the last child. */
  stop(error?: unknown): void {
    if (this.isGone) return;
    this.phase = "stopping";
    this.stopError = error;
    this.restartTimer?.cancel();
    this.loseWaiting();
    this.stopChildren();
    if (this.children.size === 0) this.finish();
  }

  /** Any → stopped, without a word to anybody: the process of this actor is gone. */
  kill(): void {
    this.phase = "stopped";
    this.restartTimer?.cancel();
    this.ownChildren = undefined;
    this.forget();
    this.leave(false);
  }

  /** stopping → stopped. */
  private finish(): void {
    this.signalStopping(false);
    this.phase = "stopped";
    this.forget();
    this.leave(true);
    this.ownLifeline.end(this.path);
    this.parent.childGone(this, this.stopError);
  }

  adopt(child: Child): void {
    this.ownChildren ??= new Map();
    this.ownChildren.set(child.name, child);
  }

  childGone(child: Child, error: unknown): void {
    this.ownChildren?.delete(child.name);
    if (this.phase === "backoff") {
      this.startAgain();
    } else if (this.phase === "stopping") {
      if (this.children.size === 0) this.finish();
    } else {
      const { path } = child;
      const signal: Signal =
        error === undefined
          ? { type: "childStopped", path }
          : { type: "childStopped", path, error };
      this.notify(signal, this.incarnation);
    }
  }

  childEscalated(child: Child, error: unknown): void {
    if (this.active) this.fault(error);
    else child.stop(error);
  }

  private stopChildren(): void {
    // The youngest first: it may use its elder siblings, not the other way round.
    for (const child of [...this.children.values()].reverse()) child.stop();
  }
}
