// A queue that runs empty many times a second. An array that is emptied gives its memory back and
// takes new memory for the next item; this one keeps a few slots.

const SLOTS_KEPT = 64;
/** So many taken slots before the waiting ones are worth moving. */
const TAKEN_MAX = 1_024;

export class Fifo<T extends object> {
  #slots: (T | undefined)[] = [];
  /** The waiting ones are in [head, tail). */
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  /** The oldest, which stays; undefined when empty. */
  get first(): T | undefined {
    return this.#head === this.#tail ? undefined : this.#slots[this.#head];
  }

  push(item: T): void {
    // Made to measure for one, which is all that most ever hold: filled one by one it takes 17.
    if (this.#slots.length === 0) this.#slots = [item];
    else this.#slots[this.#tail] = item;
    this.#tail++;
  }

  /** In front of all that wait. */
  unshift(item: T): void {
    if (this.#head > 0) this.#slots[--this.#head] = item;
    else {
      this.#slots.unshift(item);
      this.#tail++;
    }
  }

  /** The oldest, taken out; undefined when empty. */
  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head++] = undefined;
    if (this.#head === this.#tail) this.clear();
    else if (this.#head >= TAKEN_MAX && 2 * this.#head >= this.#tail) {
      this.#slots.splice(0, this.#head);
      this.#tail -= this.#head;
      this.#head = 0;
    }
    return item;
  }

  some(test: (item: T) => boolean): boolean {
    for (let at = this.#head; at < this.#tail; at++) if (test(this.#slots[at]!)) return true;
    return false;
  }

  /** From the oldest on, all of which stay. */
  *items(): Iterable<T> {
    for (let at = this.#head; at < this.#tail; at++) yield this.#slots[at]!;
  }

  clear(): void {
    if (this.#slots.length > SLOTS_KEPT) this.#slots = [];
    else this.#slots.fill(undefined, this.#head, this.#tail);
    this.#head = 0;
    this.#tail = 0;
  }
}
