// The actor system: the root of a tree of actors that share one environment, one clock and one
// scheduler. Everything else of the kernel hangs below it.

import type {
  ActorFigures,
  ActorInsight,
  ActorRef,
  ActorType,
  AskOutcome,
  SpawnOptions,
} from "./actor.js";
import type { Clock, Random } from "../ports.js";
import type { Scheduler } from "./scheduler.js";
import type {
  AnyType,
  Child,
  FaultReport,
  Kernel,
  Parent,
  SpawnRequest,
  ThreadChild,
  ThreadPlacement,
} from "./kernel.js";
import type { LocatedRef, Observer } from "./located-ref.js";
import type { Asker } from "./question.js";
import type { Unanswered } from "./obligation.js";
import { Ask } from "./ask.js";
import { Cell } from "./cell.js";
import { Question } from "./question.js";
import { Questions } from "./questions.js";
import { CodedError, invariant } from "../errors.js";

export type { FaultReport, ThreadPlacement } from "./kernel.js";

export interface ActorSystemOptions<E> {
  readonly env: E;
  readonly clock: Clock;
  /** For the jitter of restarts. */
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** The first segment of every path; default "system". */
  readonly name?: string;
  /** Told of every fault; default: a process warning. Must not throw. */
  readonly onFault?: (report: FaultReport) => void;
  /** Where actors with `at: "thread"` go, see `workerThreads`; without it they cannot spawn. */
  readonly threads?: ThreadPlacement;
}

export interface ActorSystem<E> {
  readonly path: string;
  /** Throws when the name is taken or malformed. */
  spawn<A, M, S>(type: ActorType<A, M, S, E>, args: A, options: SpawnOptions): ActorRef<M>;
  /**
   * Asks from outside of any actor. Rejects with TIMEOUT, QUEUE_FULL (refused or dropped), STOPPED
   * or CRASHED.
   */
  ask<Q, R>(to: ActorRef<Q>, question: (replyTo: ActorRef<R>) => Q, timeoutMs: number): Promise<R>;
  /** Stops every actor, the youngest first; resolves when the last one is gone. */
  stop(): Promise<void>;
  /**
   * Ends every actor of this thread at once, as the end of a process does: no signal, no last
   * message, no timer that still fires. For simulations of a crash.
   */
  kill(): void;
  /** The actors of this thread, parents before children. */
  figures(): ActorFigures[];
  /** Those in other threads too. */
  allFigures(): Promise<ActorFigures[]>;
  /** Messages that reached nobody: their actor had stopped, or the reply came too late. */
  readonly deadLetters: number;
  /** What the actors whose last name begins so have and wait for: for simulations. */
  insights(name: string): ActorInsight[];
  /** Throws when the kernel or the state of an actor breaks a rule of its own. */
  invariants(): void;
  /** Throws when an actor holds a place for something; nothing is under way any more. */
  atRest(): void;
}

export function createActorSystem<E>(options: ActorSystemOptions<E>): ActorSystem<E> {
  return new System(options) as unknown as ActorSystem<E>;
}

const NAME_PATTERN = /^[A-Za-z0-9_-]+$/;

/** What a thread's host adds: the place of its tree in the parent's. */
export interface Grafting {
  /** The path of the one actor at the top of this tree. */
  readonly path: string;
  /** Finds the actors that are not in this tree. */
  locate(path: string, uid: number): LocatedRef | undefined;
  /** The top actor stopped for good; `escalated`: its parent must answer for the error. */
  ended(error: unknown, escalated: boolean): void;
}

/** Internal: the thread host constructs one too, as the continuation of its parent's tree. */
export class System implements Kernel, Parent, Asker {
  readonly env: unknown;
  readonly clock: Clock;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly questions: Questions;
  readonly path: string;
  readonly children = new Map<string, Child>();
  readonly incarnation = 0;
  sender: Observer | undefined;
  deadLetters = 0;
  private readonly onFault: (report: FaultReport) => void;
  private readonly threads: ThreadPlacement | undefined;
  private readonly graft: Grafting | undefined;
  private uid = 0;
  private escalated = false;
  /** Stopped, and the last actor is gone. */
  private over = false;
  private stopped: Promise<void> | undefined;
  private lastGone: (() => void) | undefined;

  constructor(options: ActorSystemOptions<unknown>, graft?: Grafting) {
    const { name = "system" } = options;
    invariant(NAME_PATTERN.test(name), `"${name}" is a name of letters, digits, _ and -`);
    this.env = options.env;
    this.clock = options.clock;
    this.random = options.random;
    this.scheduler = options.scheduler;
    this.questions = new Questions(options.clock);
    this.path = graft?.path.slice(0, graft.path.lastIndexOf("/")) ?? `/${name}`;
    this.onFault = options.onFault ?? warn;
    this.threads = options.threads;
    this.graft = graft;
  }

  // ---- from outside ---------------------------------------------------------------------------

  spawn(type: AnyType, args: unknown, options: SpawnOptions): ActorRef<unknown> {
    invariant(this.stopped === undefined, `${this.path} spawns only before it stops`);
    return this.spawnChild(this, type, args, options).ref;
  }

  ask(
    to: ActorRef<never>,
    question: (replyTo: ActorRef<unknown>) => unknown,
    timeoutMs: number,
  ): Promise<unknown> {
    if (this.over) return Promise.reject(askError("stopped", to.path, timeoutMs));
    return new Promise((resolve, reject) => {
      const settle = (outcome: AskOutcome<unknown>): void => {
        if (outcome.ok) resolve(outcome.value);
        else reject(askError(outcome.reason, to.path, timeoutMs));
      };
      new Ask(this.questions, this, timeoutMs, settle).send(to, question);
    });
  }

  stop(): Promise<void> {
    this.stopped ??= new Promise<void>((resolve) => {
      this.lastGone = resolve;
      // Posted, for the caller may be one of the actors.
      this.scheduler.post(() => {
        for (const child of [...this.children.values()].reverse()) child.stop();
        this.endIfEmpty();
      });
    });
    return this.stopped;
  }

  kill(): void {
    this.stopped ??= new Promise(() => undefined);
    this.lastGone = undefined;
    for (const child of this.nodes()) if (child instanceof Cell) child.kill();
    this.children.clear();
    this.questions.close();
  }

  figures(): ActorFigures[] {
    return this.nodes().flatMap((child) => (child instanceof Cell ? [child.figures()] : []));
  }

  async allFigures(): Promise<ActorFigures[]> {
    const threads = this.nodes().filter((child): child is ThreadChild => !(child instanceof Cell));
    const remote = await Promise.all(threads.map((thread) => thread.figures()));
    return [...this.figures(), ...remote.flat()];
  }

  invariants(): void {
    const nodes = this.nodes();
    const cells = nodes.filter((child) => child instanceof Cell);
    for (const cell of cells) cell.invariants();
    // A link owes too, and another thread's actors are not seen from here.
    if (cells.length === nodes.length) checkOwed(cells, this.questions);
  }

  insights(name: string): ActorInsight[] {
    const cells = this.nodes().filter((child) => child instanceof Cell);
    const open = [...this.questions.open()].filter((question) => question instanceof Question);
    const named = cells.filter((cell) => cell.name.startsWith(name));
    return named.map((cell) => cell.insight(open)).filter((insight) => insight !== undefined);
  }

  atRest(): void {
    for (const child of this.nodes()) if (child instanceof Cell) child.atRest();
  }

  // ---- for the actors -------------------------------------------------------------------------

  nextUid(): number {
    return ++this.uid;
  }

  report(report: FaultReport): void {
    this.onFault(report);
  }

  spawnChild(parent: Parent, type: AnyType, args: unknown, request: SpawnRequest): Child {
    const { name, at = "here", uid = this.nextUid() } = request;
    invariant(NAME_PATTERN.test(name), `"${name}" is a name of letters, digits, _ and -`);
    invariant(!parent.children.has(name), `the name ${parent.path}/${name} is free`);
    const child =
      at === "here"
        ? new Cell({ kernel: this, parent, type, args, name, uid })
        : this.spawnThread(parent, type, args, name, uid);
    parent.adopt(child);
    return child;
  }

  adopt(child: Child): void {
    this.children.set(child.name, child);
  }

  childGone(child: Child, error: unknown): void {
    this.children.delete(child.name);
    this.graft?.ended(error, this.escalated);
    this.endIfEmpty();
  }

  childEscalated(child: Child, error: unknown): void {
    if (this.graft === undefined) this.report({ path: child.path, error, action: "unhandled" });
    this.escalated = true;
    child.stop(error);
  }

  questionEnded(question: Question): void {
    question.message();
  }

  lateReply(): void {
    this.deadLetters++;
  }

  // ---- for links to other threads -------------------------------------------------------------

  resolve(path: string, uid: number): LocatedRef | undefined {
    const ownPath = this.graft?.path ?? this.path;
    if (path !== ownPath && !path.startsWith(`${ownPath}/`)) return this.graft?.locate(path, uid);
    let { children }: Parent = this;
    let found: Cell | undefined;
    for (const name of path.slice(this.path.length + 1).split("/")) {
      const child = children.get(name);
      if (child === undefined) return undefined;
      if (!(child instanceof Cell)) return (child as ThreadChild).locate(path, uid);
      found = child;
      children = child.children;
    }
    return found?.uid === uid ? found : undefined;
  }

  private spawnThread(
    parent: Parent,
    type: AnyType,
    args: unknown,
    name: string,
    uid: number,
  ): ThreadChild {
    invariant(this.threads !== undefined, `the system of ${name} was created with threads`);
    return this.threads.spawn({ kernel: this, parent, type, args, name, uid });
  }

  private endIfEmpty(): void {
    if (this.lastGone === undefined || this.children.size > 0) return;
    this.over = true;
    this.questions.close();
    this.lastGone();
  }

  /** The tree below, parents before children. */
  private nodes(): Child[] {
    const nodes: Child[] = [...this.children.values()];
    for (const node of nodes) if (node instanceof Cell) nodes.push(...node.children.values());
    return nodes;
  }
}

/** Each answer that somebody waits for is owed by an actor that lives. */
function checkOwed(cells: readonly Cell[], questions: Questions): void {
  const owed = new Map<Asker, number>();
  for (const cell of cells) {
    const owned = questions.ownedBy(cell.owned);
    const count = `${cell.path} owes ${cell.owned.count} answers, and ${owned.length} are open`;
    invariant(owned.length === cell.owned.count, count);
    for (const question of owned) {
      const asker = question instanceof Question ? question.askedBy : undefined;
      if (asker !== undefined) owed.set(asker, (owed.get(asker) ?? 0) + 1);
    }
  }
  for (const cell of cells) {
    const answers = owed.get(cell) ?? 0;
    const said = `${cell.path} waits for ${cell.pendingAsks} answers, of which ${answers} are owed`;
    invariant(cell.pendingAsks === answers, said);
  }
}

function askError(reason: Unanswered["reason"], path: string, timeoutMs: number): CodedError {
  switch (reason) {
    case "timeout":
      return new CodedError("TIMEOUT", `${path} did not answer within ${timeoutMs} ms`);
    case "refused":
    case "dropped":
      return new CodedError("QUEUE_FULL", `the mailbox of ${path} is full`);
    case "crashed":
      return new CodedError("CRASHED", `${path}, or who it told it to, crashed with the question`);
    case "stopped":
      return new CodedError("STOPPED", `${path} is stopped`);
  }
}

function warn({ path, error, action }: FaultReport): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`actor ${path} faulted (${action}): ${detail}`, "ActorFault");
}
