// What came from the other side of a link for actors of this one. What a full mailbox does not take
// waits here, in order, and is no more than the credit of its target.

import type { Kernel } from "./kernel.js";
import type { LocatedRef, Observer } from "./located-ref.js";
import { Obligation, STOPPED } from "./obligation.js";
import { Ring } from "./ring.js";
import { eachRef } from "./wire-refs.js";

export class LinkInbox {
  private readonly kernel: Kernel;
  /** The link: told when a mailbox has room, or its actor is gone. */
  private readonly observer: Observer;
  /** The credit of a message to the actor of this path goes back. */
  private readonly taken: (path: string) => void;
  /** By path. */
  private readonly held = new Map<string, { ref: LocatedRef; messages: Ring<unknown> }>();

  constructor(kernel: Kernel, observer: Observer, taken: (path: string) => void) {
    this.kernel = kernel;
    this.observer = observer;
    this.taken = taken;
  }

  /** Something waits for this actor, whose end must be heard of. */
  holds(path: string): boolean {
    return this.held.has(path);
  }

  deliver(path: string, ref: LocatedRef | undefined, message: unknown): void {
    if (ref === undefined) {
      this.undeliverable(path, message);
      return;
    }
    const held = this.held.size === 0 ? undefined : this.held.get(path);
    if (held?.ref === ref) {
      held.messages.push(message);
      return;
    }
    if (ref.tell(message)) {
      this.taken(path);
      return;
    }
    const lifeline = ref.lifeline();
    if (lifeline === undefined) {
      this.undeliverable(path, message);
      return;
    }
    const messages = new Ring<unknown>();
    messages.push(message);
    this.held.set(path, { ref, messages });
    lifeline.watchers.add(this.observer);
  }

  /** Its mailbox has room. */
  writable(path: string): void {
    const held = this.held.get(path);
    if (held === undefined) return;
    const { ref, messages } = held;
    this.asSender(() => {
      while (messages.length > 0 && ref.tell(messages.peek())) {
        messages.shift();
        this.taken(path);
      }
    });
    if (messages.length === 0) this.held.delete(path);
  }

  /** It stopped for good. */
  ended(path: string): void {
    const left = this.held.get(path)?.messages;
    this.held.delete(path);
    while (left !== undefined && left.length > 0) this.undeliverable(path, left.shift());
  }

  close(): void {
    for (const { messages } of this.held.values()) this.kernel.deadLetters += messages.length;
    this.held.clear();
  }

  /** So that a mailbox that refuses tells the link when it has room. */
  asSender(deliver: () => void): void {
    const before = this.kernel.sender;
    this.kernel.sender = this.observer;
    try {
      deliver();
    } finally {
      this.kernel.sender = before;
    }
  }

  /** Its actor is gone: what it asked hears of it. */
  private undeliverable(path: string, message: unknown): void {
    this.kernel.deadLetters++;
    this.taken(path);
    eachRef(message, isQuestion, (question) => void question.settle(STOPPED));
  }
}

function isQuestion(value: object): value is Obligation {
  return value instanceof Obligation;
}
