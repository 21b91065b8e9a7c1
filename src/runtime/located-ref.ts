// References that the kernel issued, and who is told when what is behind one ends.

import type { ActorRef, Signal } from "./ref.js";

/** A reference that the kernel issued, so that it can watch its actor and send it to a thread. */
export abstract class LocatedRef implements ActorRef<unknown> {
  abstract readonly path: string;
  /** Tells apart the actors that had this path one after the other; 0: a question of that actor. */
  abstract readonly uid: number;
  abstract tell(message: unknown): boolean;
  /** It takes nothing any more. */
  abstract get isGone(): boolean;
  /** Undefined: the actor is gone. */
  abstract lifeline(): Lifeline | undefined;

  /** This observer is not told of its end. */
  unwatch(observer: Observer): void {
    this.lifeline()?.watchers.remove(observer);
  }
}

/** Who can be signalled: an actor, or a link on behalf of a remote one. */
export interface Observer {
  /** What was asked for by an earlier incarnation is not delivered to a later one. */
  readonly incarnation: number;
  notify(signal: Signal, incarnation: number): void;
  /** It stands in this list, from which it must be removed when it ends before it was told. */
  waitsIn(list: Observers): void;
  waitsNoMore(list: Observers): void;
}

/** Who will be told of one thing, once each. */
export class Observers {
  /** With their incarnation at that time; most actors have none, so no map either. */
  private waiting: Map<Observer, number> | undefined;

  get size(): number {
    return this.waiting?.size ?? 0;
  }

  add(observer: Observer): void {
    this.waiting ??= new Map();
    this.waiting.set(observer, observer.incarnation);
    observer.waitsIn(this);
  }

  remove(observer: Observer): void {
    if (this.waiting?.delete(observer) === true) observer.waitsNoMore(this);
  }

  tell(signal: Signal): void {
    for (const [observer, incarnation] of this.takeAll()) observer.notify(signal, incarnation);
  }

  clear(): void {
    this.takeAll();
  }

  private takeAll(): Iterable<[Observer, number]> {
    const waiting = this.waiting ?? [];
    this.waiting = undefined;
    for (const [observer] of waiting) observer.waitsNoMore(this);
    return waiting;
  }
}

/** Everybody who must learn that one actor stopped for good. */
export class Lifeline {
  readonly watchers: Observers = new Observers();
  ended = false;

  end(path: string): void {
    this.ended = true;
    this.watchers.tell({ type: "terminated", path });
  }
}
