// A growable ring buffer: the queue under mailboxes, ready queues and links. Constant time at both
// ends, no allocation per item, and memory only for what was once queued.

const CAPACITY_MIN = 4;
/** Of every ring that was never used; a length of 0 is full, so nothing is ever put into it. */
const NO_SLOTS: undefined[] = [];

export class Ring<T> {
  private slots: (T | undefined)[] = NO_SLOTS;
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = item;
    this.count++;
  }

  /** The oldest item, which stays; undefined when empty. */
  peek(): T | undefined {
    return this.slots[this.head];
  }

  /** The oldest item, taken out; undefined when empty. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.slots[this.head];
    // A kept reference would keep the message alive until the ring comes round again.
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count--;
    return item;
  }

  /** From the oldest on, all of which stay. */
  *items(): Iterable<T> {
    const { slots, head } = this;
    for (let i = 0; i < this.count; i++) yield slots[(head + i) & (slots.length - 1)] as T;
  }

  clear(): void {
    this.slots = NO_SLOTS;
    this.head = 0;
    this.count = 0;
  }

  private grow(): void {
    const { slots, head } = this;
    // The length stays a power of two, so that positions wrap with a mask.
    // Made to measure: an array that is filled one by one takes room for 17.
    const grown = new Array<T | undefined>(Math.max(CAPACITY_MIN, slots.length * 2));
    for (let i = 0; i < this.count; i++) grown[i] = slots[(head + i) & (slots.length - 1)];
    this.slots = grown;
    this.head = 0;
  }
}
