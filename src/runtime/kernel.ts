// What the parts of the kernel know of one another: what they share, and the tree of supervision.
// Internal to src/runtime.

import type { ActorFigures, ActorType } from "./actor.js";
import type { LocatedRef, Observer } from "./located-ref.js";
import type { Clock, Random } from "../ports.js";
import type { Questions } from "./questions.js";
import type { Scheduler } from "./scheduler.js";

// The kernel does not know the types of the actors it runs; `spawn` ties them together.
export type AnyType = ActorType<unknown, unknown, unknown, unknown>;

/** A node of the tree as its parent sees it: an actor here, or one in its own thread. */
export interface Child {
  readonly name: string;
  readonly path: string;
  readonly ref: LocatedRef;
  /** Stops the subtree; ends in `parent.childGone`, at once if all of it is on this thread. */
  stop(error?: unknown): void;
}

export interface Parent {
  readonly path: string;
  readonly children: ReadonlyMap<string, Child>;
  adopt(child: Child): void;
  childGone(child: Child, error: unknown): void;
  /** A child's fault that its policy escalates; the parent must stop or restart. */
  childEscalated(child: Child, error: unknown): void;
}

export interface FaultReport {
  readonly path: string;
  readonly error: unknown;
  /**
   * `escalated`: the parent now faults too; `unhandled`: it was a top-level actor and is stopped.
   * `ignored`: thrown while stopping, or a message that could not be sent to another thread.
   */
  readonly action: "restarting" | "stopped" | "escalated" | "unhandled" | "ignored";
}

/** What all actors of one system share. */
export interface Kernel {
  readonly env: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly questions: Questions;
  /** Who is running now: the sender of every tell until it is done. */
  sender: Observer | undefined;
  /** Messages that reached no actor: it had stopped, or a reply came too late. */
  deadLetters: number;
  nextUid(): number;
  report(report: FaultReport): void;
  spawnChild(parent: Parent, type: AnyType, args: unknown, request: SpawnRequest): Child;
  /** The living actor behind a path that came from another thread. */
  resolve(path: string, uid: number): LocatedRef | undefined;
}

export interface SpawnRequest {
  readonly name: string;
  readonly at?: "here" | "thread";
  /** Given when the actor takes the place of its stand-in on another thread. */
  readonly uid?: number;
}

/** Starts actors in threads; given to the system, so that the kernel itself needs no threads. */
export interface ThreadPlacement {
  spawn(request: ThreadSpawn): ThreadChild;
}

export interface ThreadSpawn {
  readonly kernel: Kernel;
  readonly parent: Parent;
  readonly type: AnyType;
  readonly args: unknown;
  readonly name: string;
  readonly uid: number;
}

export interface ThreadChild extends Child {
  /** The reference of an actor at or below this child. */
  locate(path: string, uid: number): LocatedRef;
  /** Resolves to nothing for a thread that ends meanwhile. */
  figures(): Promise<readonly ActorFigures[]>;
}
