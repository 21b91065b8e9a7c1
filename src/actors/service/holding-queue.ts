// Messages that their target could not take yet, in order, per target. A router owns one: it offers
// every message, and retries a target when the kernel says that it is writable. What can wait here
// is bounded by the credit windows of the peers that cause it.

import type { ActorRef } from "../../runtime/actor.js";

interface Waiting {
  readonly target: ActorRef<never>;
  readonly messages: unknown[];
}

export class HoldingQueue {
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  isHeld(target: ActorRef<never>): boolean {
    return this.#waiting.has(target.path);
  }

  /** Delivers, or holds behind what already waits for this target. */
  offer<M>(target: ActorRef<M>, message: M): void {
    const held = this.#waiting.get(target.path);
    if (held === undefined) {
      if (target.tell(message)) return;
      this.#waiting.set(target.path, { target, messages: [message] });
    } else {
      held.messages.push(message);
    }
    this.#count++;
  }

  /** The target of this path can take more. */
  retry(path: string): void {
    const held = this.#waiting.get(path);
    if (held === undefined) return;
    const target = held.target as ActorRef<unknown>;
    let sent = 0;
    while (sent < held.messages.length && target.tell(held.messages[sent])) sent++;
    held.messages.splice(0, sent);
    this.#count -= sent;
    if (held.messages.length === 0) this.#waiting.delete(path);
  }

  /** The target of this path stopped: its messages, which are answered, have nowhere to go. */
  forget(path: string): readonly unknown[] {
    const lost = this.#waiting.get(path)?.messages ?? [];
    this.#waiting.delete(path);
    this.#count -= lost.length;
    return lost;
  }
}
