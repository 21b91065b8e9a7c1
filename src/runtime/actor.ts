// The actor kernel's vocabulary: what an actor is and what it can do. Hardly more than types.
// Semantics follow Akka/Pekko typed: one message at a time, synchronous, bounded
// mailboxes, supervision by the parent, location transparency through paths.

import type { Question } from "./question.js";
import type { ActorRef, AskOutcome, Signal } from "./ref.js";

export { NO_DEADLINE, type ActorRef, type AskOutcome, type Signal } from "./ref.js";

/** Two bounded lanes; control drains first and is never dropped: a full control lane is a fault. */
export interface MailboxSpec<M> {
  readonly dataMax: number;
  readonly controlMax: number;
  readonly overflow: "reject" | "dropOldest" | "dropNewest";
  isControl?(message: M): boolean;
  /**
   * The reply reference that a message carries, if it carries one. Whoever is asked declares it: a
   * question that is lost with its message (a crash, a stop, an overflow) is settled at once.
   */
  replyOf?(message: M): ActorRef<never> | undefined;
  /**
   * Releases what a message owns (a socket, a file) that this actor will never deal with: it was
   * dropped, it was in hand at a crash or waited at a stop, or it is a result or the end of a
   * question that came too late.
   */
  dispose?(message: M): void;
  /** Called for each message that `overflow` drops. Must not throw. */
  readonly onDropped?: () => void;
}

/** What the parent does when this actor throws. */
export type OnFault =
  | { readonly kind: "stop" }
  | { readonly kind: "escalate" }
  | {
      readonly kind: "restart";
      /** More restarts than this within `withinMs` stop the actor. */
      readonly restartsMax: number;
      readonly withinMs: number;
      readonly backoffMinMs: number;
      readonly backoffMaxMs: number;
    };

export type PipeOutcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

export type Placement = "here" | "thread";

export interface SpawnOptions {
  /** Unique among the living children of the parent; [A-Za-z0-9_-]+ */
  readonly name: string;
  /** "thread" needs `source` on the type, and args and messages that survive structured cloning. */
  readonly at?: Placement;
}

/** What an actor has of something that others have a share in. */
export interface Releasable {
  release(): void;
}

export interface Context<M, E> {
  readonly self: ActorRef<M>;
  readonly env: E;
  spawn<A, N, S>(type: ActorType<A, N, S, E>, args: A, options: SpawnOptions): ActorRef<N>;
  /** Stops a child (by ref) or, without an argument, this actor after the current message. */
  stop(child?: ActorRef<never>): void;
  /** Released when this incarnation ends, by a stop, a restart or a crash. Answers its argument. */
  owns<T extends Releasable>(held: T): T;
  watch(target: ActorRef<never>): void;
  /** Takes it back, unless the target has stopped already. What watches and ends takes its own back. */
  unwatch(target: ActorRef<never>): void;
  /** Starts or replaces the timer of this key; it dies with the actor and with each restart. */
  startTimer(key: string, delayMs: number, message: M): void;
  cancelTimer(key: string): void;
  /**
   * Settles exactly once, as a message to self. The question is owned by who holds its message:
   * telling a message with its reply reference hands it on, and must be accepted to do so.
   */
  ask<Q, R>(
    to: ActorRef<Q>,
    question: (replyTo: ActorRef<R>) => Q,
    timeoutMs: number,
    adapt: (outcome: AskOutcome<R>) => M,
  ): void;
  /**
   * A new question without a deadline, which is the reply reference of messages that this actor tells
   * by itself, once or again after a refusal: until then it is its own. Settles like `ask`, and is
   * then the message to self: one object for a question of the hot path.
   */
  expect(question: Question & M): void;
  /** Monotonic time when this batch of messages began: 64 of them, or one that takes long. */
  readonly nowMs: number;
  /**
   * Tells a question on. If it is not taken there, it ends as `refused`, so that nobody need answer
   * for it; who would rather tell it again later tells it by itself.
   */
  forward<Q>(to: ActorRef<Q>, question: Q, replyTo: ActorRef<never>): void;
  /** Ends a question that this actor owes, and that nobody will answer, as `refused`. */
  refuse(replyTo: ActorRef<never>): void;
  /**
   * How a question ends that this actor tells on comes back as a message too. False: it does not,
   * for the question has ended or is another thread's. At most one actor follows a question.
   */
  follow(replyTo: ActorRef<never>, adapt: (outcome: AskOutcome<unknown>) => M): boolean;
  /** The promise's result comes back as a message; disposed of if this incarnation is gone. */
  pipe<T>(promise: Promise<T>, adapt: (outcome: PipeOutcome<T>) => M): void;
}

/**
 * An actor: its mailbox, its fault policy and its functions. `init` runs at every (re)start, so
 * state is always fresh; `receive` is synchronous, runs to completion and is total over M.
 */
export interface ActorType<A, M, S, E> {
  readonly name: string;
  /** Where a thread can import this type from; needed for placement "thread". */
  readonly source?: { readonly moduleUrl: string; readonly exportName: string };
  readonly mailbox: MailboxSpec<M> | ((args: A) => MailboxSpec<M>);
  readonly onFault: OnFault;
  init(context: Context<M, E>, args: A): S;
  receive(state: S, message: M, context: Context<M, E>): void;
  signal?(state: S, signal: Signal, context: Context<M, E>): void;
  /** Runs once after each drain slice in which this actor received: the place to flush batches. */
  afterBatch?(state: S, context: Context<M, E>): void;
  /** Throws when the state breaks a rule of its own or a bound; called by the simulator. */
  invariants?(state: S, context: Context<M, E>): void;
  /**
   * Throws when the state holds a place for something: called by the simulator when nothing is under
   * way, so that what is held then was never given back.
   */
  atRest?(state: S): void;
}

/** For whoever adds up what is out; not to be changed. */
export interface ActorInsight {
  readonly path: string;
  readonly state: unknown;
  /** Those that it asked and has not heard the end of. */
  readonly questions: readonly unknown[];
}

/** `replyOf` for messages that carry their reply reference, where they carry one, as `replyTo`. */
export function replyToOf(message: object): ActorRef<never> | undefined {
  return (message as { readonly replyTo?: ActorRef<never> }).replyTo;
}

/** Identity with inference: keeps A, M, S and E tied together without spelling them out. */
export function defineActor<A, M, S, E>(type: ActorType<A, M, S, E>): ActorType<A, M, S, E> {
  return type;
}

/** Figures of one actor since its start; counts, unless the name says otherwise. */
export interface ActorFigures {
  readonly path: string;
  readonly dataDepth: number;
  readonly controlDepth: number;
  readonly handled: number;
  readonly refused: { readonly full: number; readonly stopped: number; readonly dropped: number };
  /** Messages that crashed the actor; replies and results that came for an earlier incarnation. */
  readonly lost: { readonly crashed: number; readonly late: number };
  readonly restarts: number;
  readonly faults: number;
  /** Time spent in drain slices: the sum, and the longest one of the last half to whole minute. */
  readonly busyMs: number;
  readonly sliceMaxMs: number;
}
