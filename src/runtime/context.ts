// What an actor can do: the Context handed to its functions. One per cell, for all incarnations.

import type {
  ActorRef,
  ActorType,
  AskOutcome,
  Context,
  PipeOutcome,
  Releasable,
  SpawnOptions,
} from "./actor.js";
import { Ask, type Adapt } from "./ask.js";
import type { AnyType, Kernel, Parent } from "./kernel.js";
import { LocatedRef, type Observer } from "./located-ref.js";
import type { Note } from "./notes.js";
import { Obligation, REFUSED, type Owner } from "./obligation.js";
import { Question, type Asker } from "./question.js";
import type { Shares } from "./shares.js";
import { invariant } from "../errors.js";

/** Questions of one actor that wait for their outcome; beyond it they are refused. */
const PENDING_ASKS_MAX = 65_536;

/** The part of a cell by which its actor acts. */
export interface ActingCell extends ActorRef<unknown>, Asker, Observer, Parent {
  readonly path: string;
  readonly incarnation: number;
  readonly kernel: Kernel;
  readonly active: boolean;
  readonly owned: Owner;
  readonly shares: Shares;
  pendingAsks: number;
  requestStop(): void;
  startTimer(key: string, delayMs: number, message: unknown): void;
  cancelTimer(key: string): void;
  accept(note: Note): void;
}

export class CellContext implements Context<unknown, unknown> {
  readonly self: ActorRef<unknown>;
  readonly env: unknown;
  private readonly cell: ActingCell;

  constructor(cell: ActingCell) {
    this.self = cell;
    this.env = cell.kernel.env;
    this.cell = cell;
  }

  spawn<A, N, S>(type: ActorType<A, N, S, unknown>, args: A, options: SpawnOptions): ActorRef<N> {
    invariant(this.cell.active, `${this.cell.path} spawns only while it runs`);
    return this.cell.kernel.spawnChild(this.cell, type as AnyType, args, options).ref;
  }

  stop(child?: ActorRef<never>): void {
    if (child === undefined || child === this.cell) {
      this.cell.requestStop();
      return;
    }
    for (const candidate of this.cell.children.values()) {
      if (candidate.ref === child) {
        candidate.stop();
        return;
      }
    }
    // It may have stopped by itself meanwhile, but somebody else's child is a mistake.
    invariant(
      child.path.startsWith(`${this.cell.path}/`),
      `${this.cell.path} stops only its own children, not ${child.path}`,
    );
  }

  owns<T extends Releasable>(held: T): T {
    this.cell.shares.add(held);
    return held;
  }

  watch(target: ActorRef<never>): void {
    invariant(target instanceof LocatedRef, `${target.path} is an actor and can be watched`);
    const { cell } = this;
    const lifeline = target.lifeline();
    if (lifeline === undefined) {
      cell.notify({ type: "terminated", path: target.path }, cell.incarnation);
    } else {
      lifeline.watchers.add(cell);
    }
  }

  unwatch(target: ActorRef<never>): void {
    if (target instanceof LocatedRef) target.unwatch(this.cell);
  }

  startTimer(key: string, delayMs: number, message: unknown): void {
    this.cell.startTimer(key, delayMs, message);
  }

  cancelTimer(key: string): void {
    this.cell.cancelTimer(key);
  }

  ask<Q, R>(
    to: ActorRef<Q>,
    question: (replyTo: ActorRef<R>) => Q,
    timeoutMs: number,
    adapt: (outcome: AskOutcome<R>) => unknown,
  ): void {
    const { cell } = this;
    const ask = new Ask(cell.kernel.questions, cell, timeoutMs, adapt as Adapt);
    if (++cell.pendingAsks <= PENDING_ASKS_MAX) ask.send(to, question);
    else ask.settle(REFUSED);
  }

  expect(question: Question): void {
    const { cell } = this;
    question.begin(cell, cell.kernel.questions.endless);
    if (++cell.pendingAsks <= PENDING_ASKS_MAX) cell.owned.take(question);
    else question.settle(REFUSED);
  }

  get nowMs(): number {
    return this.cell.kernel.questions.nowMs();
  }

  forward<Q>(to: ActorRef<Q>, question: Q, replyTo: ActorRef<never>): void {
    if (!to.tell(question)) this.refuse(replyTo);
  }

  refuse(replyTo: ActorRef<never>): void {
    if (replyTo instanceof Obligation) replyTo.settle(REFUSED);
  }

  follow(replyTo: ActorRef<never>, adapt: (outcome: AskOutcome<unknown>) => unknown): boolean {
    if (!(replyTo instanceof Question) || replyTo.isSettled) return false;
    const { cell } = this;
    const { incarnation } = cell;
    replyTo.follower = (value) =>
      cell.accept({ kind: "pipe", incarnation, outcome: { ok: true, value }, adapt: told });
    const told = (ended: PipeOutcome<unknown>): unknown =>
      adapt((ended as { readonly value: AskOutcome<unknown> }).value);
    return true;
  }

  pipe<T>(promise: Promise<T>, adapt: (outcome: PipeOutcome<T>) => unknown): void {
    const { cell } = this;
    const { incarnation } = cell;
    const untyped = adapt as (outcome: PipeOutcome<unknown>) => unknown;
    const arrive = (outcome: PipeOutcome<unknown>): void =>
      cell.kernel.scheduler.post(() =>
        cell.accept({ kind: "pipe", incarnation, outcome, adapt: untyped }),
      );
    // A caller's port may answer what only looks like a promise, or none; of one this is itself.
    Promise.resolve(promise).then(
      (value) => arrive({ ok: true, value }),
      (error: unknown) => arrive({ ok: false, error }),
    );
  }
}
