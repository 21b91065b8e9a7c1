// Who gives way in a full mempool: of all senders the one whose last transaction is worth least, and
// before all others those who hold more than their share. Owned by the mempool.

import { invariant } from "../errors.js";
import { Heap } from "./heap.js";
import type { SenderQueue } from "./sender-queue.js";

export interface Shares {
  readonly countMax: number;
  readonly bytesMax: number;
  /** So many senders at least have room in a full mempool. */
  readonly sendersMin: number;
}

/** Where a queue stands; it has a new one after each change. */
export interface Mark {
  readonly queue: SenderQueue;
  /** Of its cheapest: what its last one is worth. */
  readonly worth: bigint;
  /** Of its last one. */
  readonly order: number;
}

/** What is worth less, and of two alike the later. */
function before(left: Mark, right: Mark): boolean {
  if (left.worth !== right.worth) return left.worth < right.worth;
  return left.order > right.order;
}

export class GivingWay {
  readonly #shares: Shares;
  /** Those that hold more than their share: no more than twice as many as have one. */
  readonly #crowding = new Set<SenderQueue>();
  readonly #marks = new Map<SenderQueue, Mark>();
  /** Some are marks of before a change. */
  readonly #heap = new Heap<Mark>(before);

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  /** A transaction came into this queue, or left it. */
  changed(queue: SenderQueue): void {
    const { last, worth, count, bytes } = queue;
    if (last === undefined) this.#marks.delete(queue);
    else {
      const mark = { queue, worth, order: last.order };
      this.#marks.set(queue, mark);
      this.#heap.push(mark);
    }
    if (this.exceeds(count, bytes)) this.#crowding.add(queue);
    else this.#crowding.delete(queue);
    if (this.#heap.size <= 2 * this.#marks.size + 64) return;
    this.#heap.filter((mark) => this.#marks.get(mark.queue) === mark);
  }

  /** Whether a sender with so much holds more than its share. One transaction is nobody's crowd. */
  exceeds(count: number, bytes: number): boolean {
    const { countMax, bytesMax, sendersMin } = this.#shares;
    if (sendersMin === 1 || count < 2) return false;
    return count * sendersMin > countMax || bytes * sendersMin > bytesMax;
  }

  first(): Mark | undefined {
    for (;;) {
      const mark = this.#heap.peek();
      if (mark === undefined || this.#marks.get(mark.queue) === mark) return mark;
      this.#heap.pop();
    }
  }

  /** The first of those that hold too much. */
  firstCrowding(): Mark | undefined {
    let first: Mark | undefined;
    for (const queue of this.#crowding) {
      const mark = this.#marks.get(queue)!;
      if (first === undefined || before(mark, first)) first = mark;
    }
    return first;
  }

  invariants(queues: Iterable<SenderQueue>): void {
    let size = 0;
    for (const queue of queues) {
      size++;
      const { count, bytes } = queue;
      invariant(
        this.#marks.get(queue)?.worth === queue.worth,
        "it is known what a sender is worth",
      );
      const crowds = this.exceeds(count, bytes);
      invariant(crowds === this.#crowding.has(queue), "it is known who holds too much");
    }
    invariant(size === this.#marks.size && size <= this.#heap.size, "each sender may give way");
  }
}
