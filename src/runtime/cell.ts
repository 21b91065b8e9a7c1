// One living actor: a life with a mailbox and notes, what it owes and is owed. It is the ActorRef that
// others tell, and the Runnable that a scheduler drains.

import type { ActorFigures, ActorInsight, MailboxSpec, Signal } from "./actor.js";
import type { Runnable } from "./scheduler.js";
import type { Asker, Question } from "./question.js";
import type { Note, TimerNote } from "./notes.js";
import { CellContext } from "./context.js";
import { Life, type LifeOptions } from "./life.js";
import { Observers } from "./located-ref.js";
import { ACCEPTED, CONTROL_FULL, Mailbox } from "./mailbox.js";
import { carriesReply, KeyedTimers, messageOf } from "./notes.js";
import { CRASHED, DROPPED, Obligation, Owner, STOPPED, type Unanswered } from "./obligation.js";
import { Ring } from "./ring.js";
import { Shares } from "./shares.js";
import { invariant } from "../errors.js";
import { WindowMax } from "./window-max.js";

const NOTHING = Symbol("nothing");

export class Cell extends Life implements Runnable, Asker {
  pendingAsks = 0;
  /** The questions that it has not answered, those in its mailbox among them. */
  readonly owned = new Owner();
  readonly shares = new Shares();
  private readonly context: CellContext;
  private readonly mailbox: Mailbox<unknown>;
  private readonly spec: MailboxSpec<unknown>;
  private readonly notes = new Ring<Note>();
  /** Senders that were refused, until there is room again. */
  private readonly waiters = new Observers();
  /** Where it waits to be told of something; made for the first one. */
  private lists: Set<Observers> | undefined;
  private readonly timers = new KeyedTimers();
  private readonly acceptTimer = (note: TimerNote): void => this.accept(note);
  private state: unknown;
  /** Queued at the scheduler, or in a slice. */
  private scheduled = false;
  /** The message that `receive` threw at; else NOTHING. */
  private inHand: unknown = NOTHING;
  private handledBefore = 0;
  /** `init` returned in this incarnation, so there is a state to release. */
  private started = false;
  /** A fault found outside of its slices: the control lane overflowed. */
  private overflow: Error | undefined;
  private handled = 0;
  private refusedStopped = 0;
  private crashed = 0;
  private late = 0;
  private busyMs = 0;
  private readonly sliceMax = new WindowMax();

  constructor(options: LifeOptions) {
    super(options);
    const { type, args } = options;
    const spec = typeof type.mailbox === "function" ? type.mailbox(args) : type.mailbox;
    this.spec = spec;
    this.mailbox = new Mailbox(spec, (message) => this.lost(message, DROPPED));
    this.context = new CellContext(this);
    this.wake();
  }

  // ---- what others do to it -------------------------------------------------------------------

  tell(message: unknown): boolean {
    if (this.isGone) {
      this.refusedStopped++;
      this.kernel.deadLetters++;
      return false;
    }
    const offer = this.mailbox.offer(message);
    if (offer === ACCEPTED) {
      this.obligationOf(message)?.handTo(this.owned);
      if (!this.scheduled) this.wake();
      return true;
    }
    // Code outside of every actor has no mailbox to be told in.
    if (this.kernel.sender !== undefined) this.waiters.add(this.kernel.sender);
    if (offer === CONTROL_FULL && this.phase === "running" && this.overflow === undefined) {
      this.overflow = new Error(`the control lane of ${this.path} is full`);
      this.wake();
    }
    return false;
  }

  notify(signal: Signal, incarnation: number): void {
    this.accept({ kind: "signal", incarnation, signal });
  }

  waitsIn(list: Observers): void {
    this.lists ??= new Set();
    this.lists.add(list);
  }

  waitsNoMore(list: Observers): void {
    this.lists?.delete(list);
  }

  questionEnded(question: Question): void {
    this.pendingAsks--;
    this.accept(question);
  }

  lateReply(): void {
    this.late++;
    this.kernel.deadLetters++;
  }

  accept(note: Note): void {
    if (note.incarnation !== this.incarnation || this.isGone) {
      this.discard(note);
      return;
    }
    this.notes.push(note);
    this.wake();
  }

  // ---- slices ---------------------------------------------------------------------------------

  drain(messagesMax: number, nowMs = this.kernel.clock.monotonicMs()): boolean {
    if (!this.active) return false;
    const { kernel } = this;
    const before = kernel.sender;
    kernel.sender = this;
    kernel.questions.beginBatch(nowMs);
    try {
      this.deliver(messagesMax);
    } catch (error) {
      this.fault(error);
    } finally {
      kernel.questions.endBatch();
      kernel.sender = before;
    }
    if (this.stopRequested) this.stop();
    if (this.waiters.size > 0 && this.mailbox.writable)
      this.waiters.tell({ type: "writable", path: this.path });
    return this.ready;
  }

  endSlice(): boolean {
    if (this.handled !== this.handledBefore && this.phase === "running") this.flush();
    this.handledBefore = this.handled;
    this.scheduled = this.ready;
    return this.scheduled;
  }

  charge(elapsedMs: number, nowMs: number): void {
    this.busyMs += elapsedMs;
    this.sliceMax.add(elapsedMs, nowMs);
  }

  private get ready(): boolean {
    if (this.phase === "running") {
      return this.mailbox.depth > 0 || this.notes.length > 0 || this.overflow !== undefined;
    }
    return this.phase === "new";
  }

  protected wake(): void {
    if (this.scheduled || !this.ready) return;
    this.scheduled = true;
    this.kernel.scheduler.schedule(this);
  }

  private deliver(messagesMax: number): void {
    let left = messagesMax;
    if (this.phase === "new") {
      this.state = this.type.init(this.context, this.args);
      this.started = true;
      this.phase = "running";
      left--;
    }
    const { notes, mailbox, type, context } = this;
    const { onDeliver } = this.kernel.scheduler;
    for (; left > 0 && !this.stopRequested; left--) {
      if (this.overflow !== undefined) throw this.overflow;
      if (notes.length > 0) {
        this.deliverNote(notes.shift() as Note);
        continue;
      }
      const message = mailbox.take();
      if (message === undefined) return;
      try {
        if (onDeliver !== undefined) onDeliver(this.path, message);
        type.receive(this.state, message, context);
      } catch (error) {
        this.inHand = message;
        throw error;
      }
      this.handled++;
    }
  }

  private deliverNote(note: Note): void {
    if (note.incarnation !== this.incarnation) {
      this.discard(note);
      return;
    }
    const { onDeliver } = this.kernel.scheduler;
    if (note.kind === "signal") {
      onDeliver?.(this.path, note.signal);
      this.type.signal?.(this.state, note.signal, this.context);
      return;
    }
    if (note.kind === "timer" && !this.timers.take(note)) return;
    const message = messageOf(note);
    try {
      onDeliver?.(this.path, message);
      this.type.receive(this.state, message, this.context);
    } catch (error) {
      this.inHand = message;
      throw error;
    }
    this.handled++;
  }

  private flush(): void {
    const { kernel } = this;
    if (this.type.afterBatch === undefined) return;
    kernel.sender = this;
    try {
      this.type.afterBatch(this.state, this.context);
    } catch (error) {
      this.fault(error);
    } finally {
      kernel.sender = undefined;
    }
    if (this.stopRequested) this.stop();
  }

  private discard(note: Note): void {
    if (note.kind !== "pipe" && note.kind !== "question") return;
    if (carriesReply(note)) this.lateReply();
    this.tried(() => this.spec.dispose?.(messageOf(note)));
  }

  /** It leaves the mailbox for nobody. */
  private lost(message: unknown, outcome: Unanswered): void {
    this.obligationOf(message)?.settle(outcome);
    this.dispose(message);
  }

  private dispose(message: unknown): void {
    this.tried(() => this.spec.dispose?.(message));
  }

  private tried(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.kernel.report({ path: this.path, error, action: "ignored" });
    }
  }

  private obligationOf(message: unknown): Obligation | undefined {
    const { spec } = this;
    if (spec.replyOf === undefined) return undefined;
    const reply = spec.replyOf(message);
    return reply !== undefined && reply instanceof Obligation ? reply : undefined;
  }

  /** The questions whose messages it has not taken from its mailbox. */
  private waitingObligations(): ReadonlySet<Obligation> {
    const waiting = new Set<Obligation>();
    if (this.owned.count === 0) return waiting;
    for (const message of this.mailbox.waiting()) {
      const obligation = this.obligationOf(message);
      if (obligation !== undefined) waiting.add(obligation);
    }
    return waiting;
  }

  // ---- timers ---------------------------------------------------------------------------------

  startTimer(key: string, delayMs: number, message: unknown): void {
    // A timer set while stopping would outlive its actor.
    if (!this.active) return;
    const note = { kind: "timer", incarnation: this.incarnation, key, message } as const;
    this.timers.start(this.kernel.clock, delayMs, note, this.acceptTimer);
  }

  cancelTimer(key: string): void {
    this.timers.cancel(key);
  }

  // ---- the end of what it held ----------------------------------------------------------------

  protected loseInHand(): void {
    if (this.inHand !== NOTHING) {
      this.crashed++;
      this.dispose(this.inHand);
    }
    this.inHand = NOTHING;
    this.overflow = undefined;
    // Its mailbox outlives a crash, and what waits there is not lost.
    if (this.owned.count > 0)
      this.kernel.questions.lose(this.owned, CRASHED, this.waitingObligations());
  }

  protected loseWaiting(): void {
    for (const message of this.mailbox.waiting()) this.lost(message, STOPPED);
    this.kernel.deadLetters += this.mailbox.clear();
  }

  protected leave(isTold: boolean): void {
    this.mailbox.clear();
    this.waiters.clear();
    if (isTold) this.kernel.questions.lose(this.owned, STOPPED);
  }

  protected signalStopping(restarting: boolean): void {
    if (!this.started) return;
    const { kernel } = this;
    const before = kernel.sender;
    kernel.sender = this;
    this.tried(() =>
      this.type.signal?.(this.state, { type: "stopping", restarting }, this.context),
    );
    kernel.sender = before;
  }

  protected forget(): void {
    this.incarnation++;
    this.started = false;
    this.state = undefined;
    this.timers.clear();
    this.shares.release();
    for (const list of this.lists ?? []) list.remove(this);
    for (let note = this.notes.shift(); note !== undefined; note = this.notes.shift()) {
      this.discard(note);
    }
  }

  // ---- figures --------------------------------------------------------------------------------

  figures(): ActorFigures {
    const { mailbox } = this;
    return {
      path: this.path,
      dataDepth: mailbox.dataDepth,
      controlDepth: mailbox.controlDepth,
      handled: this.handled,
      refused: {
        full: mailbox.refusedCount,
        stopped: this.refusedStopped,
        dropped: mailbox.droppedCount,
      },
      lost: { crashed: this.crashed, late: this.late },
      restarts: this.restarts,
      faults: this.faults,
      busyMs: this.busyMs,
      sliceMaxMs: this.sliceMax.read(this.kernel.clock.monotonicMs()),
    };
  }

  invariants(): void {
    this.mailbox.invariants();
    for (const obligation of this.waitingObligations()) {
      const isOwn = obligation.isSettled || obligation.owner === this.owned;
      invariant(isOwn, `${this.path} owns the questions in its mailbox`);
    }
    invariant(this.phase !== "stopped" || this.owned.count === 0, `${this.path} owes nothing`);
    invariant(this.scheduled || !this.ready, `${this.path} is scheduled when it has work`);
    invariant(this.phase !== "stopped" || this.children.size === 0, `${this.path} left no orphan`);
    if (this.phase === "running") this.type.invariants?.(this.state, this.context);
  }

  /** Undefined unless it runs. */
  insight(open: readonly Question[]): ActorInsight | undefined {
    if (this.phase !== "running") return undefined;
    const own = open.filter(({ askedBy }) => askedBy === this);
    const unheard = [...this.notes.items()].filter(({ kind }) => kind === "question");
    return { path: this.path, state: this.state, questions: [...own, ...unheard] };
  }

  atRest(): void {
    const { count } = this.owned;
    invariant(count === 0, `${this.path} owes ${count} answers`);
    invariant(this.pendingAsks === 0, `${this.path} waits for ${this.pendingAsks} answers`);
    if (this.phase === "running") this.type.atRest?.(this.state);
  }
}
