// Messages between two threads: batches over one MessagePort, with credit. Each side has a Link,
// which stands for the actors of the other side and delivers what they send. A message that was
// accepted is not lost: if its target's mailbox is full it is held (link-inbox.ts), keeps its credit,
// and so slows those down who tell this target, and nobody else, until it has room.

import type { MessagePort } from "node:worker_threads";
import type { AskOutcome, Signal } from "./actor.js";
import type { FaultReport, Kernel } from "./kernel.js";
import type { Address, CarriedEnd, Extras, PostedFrame, ThreadEnd } from "./link-frame.js";
import type { Lifeline, Observer } from "./located-ref.js";
import { receiveMessageOnPort } from "node:worker_threads";
import { CodedError } from "../errors.js";
import { LocatedRef, Observers } from "./located-ref.js";
import { Frame, messagesOf, RUN_NUMBERS, TAKEN_NUMBERS } from "./link-frame.js";
import { LinkInbox } from "./link-inbox.js";
import { DROPPED, Obligation, REFUSED, STOPPED, type Unanswered } from "./obligation.js";
import {
  isOfReceiver,
  ofReceiver,
  ofSender,
  RemoteQuestion,
  ticketOf,
  TicketOwner,
  type Homeward,
} from "./remote-question.js";
import { GoneRef, RemoteRef, type Carrier } from "./remote-ref.js";
import { RemoteWatches } from "./remote-watches.js";
import { carry, revive } from "./thread-outcome.js";
import { decodeRefs, encodeRefs } from "./wire-refs.js";

export interface LinkLimits {
  /** Messages to one actor that its mailbox has not taken yet; beyond it tell refuses. */
  readonly creditMax: number;
  /** Messages in one batch. */
  readonly batchMax: number;
}

/** What is on its way to one actor, and who was refused for it. */
interface Target {
  inFlight: number;
  readonly waiters: Observers;
}

export class Link implements Observer, Homeward, Carrier {
  readonly incarnation = 0;
  /** Called once, when the other side says that its top actor is gone. */
  onEnd: ((end: ThreadEnd) => void) | undefined;
  /** A batch could not be read: what was in it is lost, so nothing of this link can be relied on. */
  onBroken: ((error: CodedError) => void) | undefined;
  /** Messages refused for want of credit. */
  refusedCount = 0;
  private readonly kernel: Kernel;
  private readonly port: MessagePort;
  private readonly limits: LinkLimits;
  private frame = new Frame();
  private flushPosted = false;
  private creditWaited = false;
  private closed = false;
  /** Questions of this side that the other side holds. */
  private readonly questions = new TicketOwner();
  /** Actors of the other side that were told something which their mailbox has not taken, by path. */
  private readonly targets = new Map<string, Target>();
  private readonly watches: RemoteWatches;
  private readonly inbox: LinkInbox;
  private readonly taken = (path: string): void => {
    this.frame.addTaken(path);
    this.postFlush();
  };
  private readonly flushNow = (): void => this.flush();
  private readonly addRef = (ref: LocatedRef): number =>
    this.frame.addRef(ref.path, this.uidOf(ref));
  /** A value that is a reference becomes its number; one that holds some gets markers. */
  private readonly encodeValue = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    return isLocated(value) ? this.addRef(value) : encodeRefs(value, isLocated, this.addRef);
  };

  constructor(kernel: Kernel, port: MessagePort, limits: LinkLimits) {
    this.kernel = kernel;
    this.port = port;
    this.limits = limits;
    const extras = (): Extras => {
      this.postFlush();
      return this.frame.extras;
    };
    this.inbox = new LinkInbox(kernel, this, this.taken);
    this.watches = new RemoteWatches({ kernel, observer: this, extras });
  }

  /** Starts to receive; what came earlier waits in the port. */
  open(): void {
    this.port.on("message", (frame: PostedFrame) => this.receive(frame));
    this.port.on("messageerror", (cause) => {
      const text = "messages between two threads could not be read";
      this.onBroken?.(new CodedError("WORKER_LOST", text, { cause }));
    });
  }

  get isClosed(): boolean {
    return this.closed;
  }

  // ---- outward --------------------------------------------------------------------------------

  locate(path: string, uid: number): RemoteRef {
    return new RemoteRef(this, path, uid);
  }

  send(ref: RemoteRef, message: unknown): boolean {
    if (this.closed) {
      this.kernel.deadLetters++;
      return false;
    }
    let target = this.targets.get(ref.path);
    if (target === undefined) {
      target = { inFlight: 0, waiters: new Observers() };
      this.targets.set(ref.path, target);
    }
    if (target.inFlight >= this.limits.creditMax) {
      if (this.kernel.sender !== undefined) target.waiters.add(this.kernel.sender);
      this.refusedCount++;
      return false;
    }
    this.add(ref.path, ref.uid, message);
    target.inFlight++;
    return true;
  }

  /** Needs no credit: what the other side asked for, it has room for. */
  settleAtHome({ path, number: ticket }: RemoteQuestion, outcome: AskOutcome<unknown>): boolean {
    if (this.closed) {
      this.kernel.deadLetters++;
      return false;
    }
    if (outcome.ok) {
      try {
        this.add(path, ofReceiver(ticket), outcome.value);
      } catch (error) {
        this.unanswered(ticket, "dropped");
        throw error;
      }
    } else this.unanswered(ticket, outcome.reason);
    return true;
  }

  private unanswered(ticket: number, reason: Unanswered["reason"]): void {
    this.frame.extras.unanswered.push({ ticket, reason });
    this.postFlush();
  }

  private add(path: string, uid: number, message: unknown): void {
    const { frame } = this;
    try {
      frame.add(path, uid, message, this.encodeValue);
    } catch (error) {
      this.giveUp(frame.questionsOf(frame.messageCount), REFUSED);
      throw error;
    }
    if (frame.messageCount >= this.limits.batchMax) this.flush();
    else this.postFlush();
  }

  /** A question that leaves this thread is this link's from here on, or back at home. */
  private uidOf(ref: LocatedRef): number {
    if (!(ref instanceof Obligation)) return ref.uid;
    if (ref instanceof RemoteQuestion && ref.home === this) {
      ref.leave();
      return ofReceiver(ref.number);
    }
    ref.handTo(this.questions);
    return ofSender(this.questions.ticketOf(ref));
  }

  /** Questions of a message that does not leave. */
  private giveUp(uids: readonly number[], outcome: Unanswered): void {
    for (const uid of uids) {
      if (isOfReceiver(uid)) this.unanswered(ticketOf(uid), outcome.reason);
      else this.questions.find(ticketOf(uid))?.settle(outcome);
    }
  }

  watch(ref: RemoteRef): Lifeline | undefined {
    return this.closed ? undefined : this.watches.watch(ref);
  }

  unwatch(ref: RemoteRef, observer: Observer): void {
    this.watches.unwatch(ref, observer);
  }

  report(report: FaultReport): void {
    this.frame.extras.faults.push({ ...report, error: carry(report.error) });
    this.postFlush();
  }

  /** The last word of a thread. */
  sendEnd(end: ThreadEnd): void {
    const { error, escalated } = end;
    this.frame.extras.end = { error: error === undefined ? undefined : carry(error), escalated };
    this.flush();
  }

  /** For what goes another way than in a frame: addresses stand where the references were. */
  encode(value: unknown): unknown {
    return encodeRefs(value, isLocated, (ref) => [ref.path, this.uidOf(ref)] satisfies Address);
  }

  decode(value: unknown): unknown {
    return decodeRefs(value, (encoded) => {
      const [path, uid] = encoded as Address;
      return this.refTo(path, uid);
    });
  }

  private refTo(path: string, uid: number): LocatedRef {
    if (uid < 0) {
      if (!isOfReceiver(uid))
        return new RemoteQuestion(this, path, ticketOf(uid), this.kernel.questions.endless);
      return this.questions.find(ticketOf(uid)) ?? new GoneRef(this.kernel, path, uid);
    }
    return this.kernel.resolve(path, uid) ?? new GoneRef(this.kernel, path, uid);
  }

  private postFlush(): void {
    if (this.flushPosted) return;
    this.flushPosted = true;
    this.kernel.scheduler.post(this.flushNow);
  }

  private flush(): void {
    this.flushPosted = false;
    if (this.closed) return;
    const { frame } = this;
    // Credit alone waits for one more slice, whose messages it can travel with.
    if (!this.creditWaited && frame.isCreditOnly) {
      this.creditWaited = true;
      this.postFlush();
      return;
    }
    this.creditWaited = false;
    this.frame = new Frame();
    try {
      this.port.postMessage(frame.posted());
    } catch {
      // A message that cannot be cloned is its sender's mistake and must not take others along.
      frame.emptyUncloneable((path, error, message) => {
        this.giveUp(frame.questionsOf(message), DROPPED);
        this.kernel.report({ path, error, action: "ignored" });
        this.kernel.deadLetters++;
      });
      this.port.postMessage(frame.posted());
    }
  }

  // ---- inward ---------------------------------------------------------------------------------

  private receive(frame: PostedFrame): void {
    if (this.closed) return;
    const [, runs, , , , , , taken, extras] = frame;
    if (extras !== undefined) {
      for (const address of extras.watch) this.watches.observe(address);
      for (const address of extras.unwatch) {
        this.watches.unobserve(address, this.inbox.holds(address[0]));
      }
    }
    if (runs.length > 0) this.receiveMessages(frame);
    if (extras !== undefined) {
      for (const report of extras.faults) {
        this.kernel.report({ ...report, error: revive(report.error) });
      }
      for (const { ticket, reason } of extras.unanswered) {
        this.questions.find(ticket)?.settle({ ok: false, reason });
      }
      for (const address of extras.gone) this.watches.gone(address);
    }
    for (let run = 0; run < taken.length; run += TAKEN_NUMBERS) {
      this.credit(frame[0][taken[run]!]!, taken[run + 1]!);
    }
    if (extras?.end !== undefined) this.onEnd?.(endOf(extras.end));
  }

  private receiveMessages(frame: PostedFrame): void {
    const [paths, runs, , , values, refSlots, refs, , extras] = frame;
    const decode = (encoded: unknown): LocatedRef => {
      const at = 2 * (encoded as number);
      return this.refTo(paths[refs[at]!]!, refs[at + 1]!);
    };
    for (const slot of refSlots) {
      const value = values[slot];
      values[slot] = typeof value === "number" ? decode(value) : decodeRefs(value, decode);
    }
    const messages = messagesOf(frame);
    const unsent = extras?.unsent ?? [];
    this.inbox.asSender(() => {
      let i = 0;
      for (let run = 0; run < runs.length; run += RUN_NUMBERS) {
        const path = paths[runs[run]!]!;
        const uid = runs[run + 1]!;
        const target = uid < 0 ? undefined : this.kernel.resolve(path, uid);
        for (let left = runs[run + 2]!; left > 0; left--, i++) {
          const isEmpty = unsent.length > 0 && unsent.includes(i);
          if (uid < 0)
            this.answered(ticketOf(uid), isEmpty ? DROPPED : { ok: true, value: messages[i] });
          else if (isEmpty) this.taken(path);
          else this.inbox.deliver(path, target, messages[i]);
        }
      }
    });
  }

  private answered(ticket: number, outcome: AskOutcome<unknown>): void {
    const question = this.questions.find(ticket);
    if (question === undefined) this.kernel.deadLetters++;
    else question.settle(outcome);
  }

  /** It ends with its thread: lists need not forget it. */
  waitsIn(): void {}

  waitsNoMore(): void {}

  notify(signal: Signal): void {
    const { type } = signal;
    if (type === "writable") this.inbox.writable(signal.path);
    if (type !== "terminated") return;
    this.inbox.ended(signal.path);
    this.watches.ended(signal.path);
  }

  private credit(path: string, taken: number): void {
    const target = this.targets.get(path);
    if (target === undefined) return;
    target.inFlight -= taken;
    if (target.inFlight > this.limits.creditMax >> 1) return;
    if (target.inFlight === 0) this.targets.delete(path);
    if (target.waiters.size > 0) target.waiters.tell({ type: "writable", path });
  }

  // ---- the end --------------------------------------------------------------------------------

  /** Reads what a thread that is gone still had said. */
  drain(): void {
    for (;;) {
      const last = this.closed ? undefined : receiveMessageOnPort(this.port);
      if (last === undefined) return;
      this.receive(last.message as PostedFrame);
    }
  }

  /** Settles every pending thing: nothing comes from the other side any more. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.port.close();
    this.inbox.close();
    for (const { waiters } of this.targets.values()) waiters.clear();
    this.targets.clear();
    this.watches.close();
    this.questions.settle(STOPPED);
  }
}

function isLocated(value: object): value is LocatedRef {
  return value instanceof LocatedRef;
}

function endOf({ error, escalated }: CarriedEnd): ThreadEnd {
  return { error: error && revive(error), escalated };
}
