// Several queues before one consumer that may refuse: each has its turn, in which it may hand on what
// its weight earns, and what it did not use it keeps while it has more (deficit round robin, Shreedhar
// and Varghese 1995). So a flood in one queue takes what others leave, and no queue starves. Where the
// consumer refused in the middle of a turn, the same turn goes on. Pure.

import { invariant } from "../../errors.js";
import { Ring } from "../../runtime/ring.js";

/** What a weight of 1 earns in a turn: twenty small transactions. */
const QUANTUM = 16_384;
/** Of a queue that always goes first, and however much it holds. */
export const URGENT = Number.POSITIVE_INFINITY;

export class WeightedQueue<T> {
  readonly name: string;
  readonly weight: number;
  readonly items = new Ring<T>();
  deficit = 0;

  constructor(name: string, weight: number) {
    this.name = name;
    this.weight = weight;
  }
}

export class DeficitRoundRobin<T> {
  /** The most urgent first. */
  readonly #queues: WeightedQueue<T>[] = [];
  readonly #costOf: (item: T) => number;
  #count = 0;
  /** Whose turn it is. */
  #at = 0;
  /** It has had what the turn earns. */
  #hasEarned = false;

  constructor(costOf: (item: T) => number) {
    this.#costOf = costOf;
  }

  get count(): number {
    return this.#count;
  }

  /** The heaviest queue there is; 0: there is none. */
  get weight(): number {
    return this.#queues[0]?.weight ?? 0;
  }

  /** The queue of this name, which is made for the first one that asks. */
  queue(name: string, weight: number): WeightedQueue<T> {
    const known = this.#queues.find((one) => one.name === name);
    if (known !== undefined) return known;
    const queue = new WeightedQueue<T>(name, weight);
    this.#queues.push(queue);
    this.#queues.sort((one, other) => other.weight - one.weight);
    // Turns begin anew: places have moved.
    this.#nextTurn(0);
    return queue;
  }

  push(queue: WeightedQueue<T>, item: T): void {
    queue.items.push(item);
    this.#count++;
  }

  /** Hands on until all is gone; false: `take` refused, and what is left waits. */
  serve(take: (item: T) => boolean): boolean {
    for (const queue of this.#queues) {
      if (queue.weight !== URGENT) break;
      if (queue.items.length > 0 && !this.#serveOf(queue, URGENT, take)) return false;
    }
    while (this.#count > 0) {
      const queue = this.#queues[this.#at]!;
      if (queue.items.length > 0) {
        if (!this.#hasEarned) queue.deficit += queue.weight * QUANTUM;
        this.#hasEarned = true;
        if (!this.#serveOf(queue, queue.deficit, take)) return false;
      }
      this.#nextTurn(this.#at + 1);
    }
    this.#nextTurn(0);
    return true;
  }

  /** Takes out all that waits, in no order that counts. */
  clear(): readonly T[] {
    const all = this.#queues.flatMap(({ items }) => [...items.items()]);
    for (const queue of this.#queues) {
      queue.items.clear();
      queue.deficit = 0;
    }
    this.#count = 0;
    this.#nextTurn(0);
    return all;
  }

  /** False: refused. What is left of `deficit` is kept where more waits. */
  #serveOf(queue: WeightedQueue<T>, deficit: number, take: (item: T) => boolean): boolean {
    const { items } = queue;
    let left = deficit;
    let isTaken = true;
    for (let item = items.peek(); item !== undefined; item = items.peek()) {
      const cost = this.#costOf(item);
      if (cost > left || !(isTaken = take(item))) break;
      left -= cost;
      items.shift();
      this.#count--;
    }
    queue.deficit = items.length === 0 ? 0 : left;
    return isTaken;
  }

  #nextTurn(at: number): void {
    this.#at = at < this.#queues.length ? at : 0;
    this.#hasEarned = false;
  }

  invariants(): void {
    const held = this.#queues.reduce((sum, { items }) => sum + items.length, 0);
    invariant(held === this.#count, `${held} messages wait, and ${this.#count} are counted`);
  }
}
