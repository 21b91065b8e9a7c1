// Sees which pool thread does not come to an end with its task. Each thread notes in shared memory
// what it is at; the main side looks now and then whether that changes. Time counts only while
// this process sees it pass: looks that come late are one look.

/** Looks within the longest time that a task may take. */
export const LOOKS_PER_TASK = 4;

/** Words of a row: the thread's id (0: free), and a count that is odd while it is at work. */
const ROW_WORDS = 2;
const ID = 0;
const WORK = 1;
/** Loading the rules is work too. */
const LOADING = 1;

/** Room for so many threads and those that replace them while they end. */
export function allocateThreadRows(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * 2 * ROW_WORDS * Int32Array.BYTES_PER_ELEMENT);
}

/** The row of the calling thread. */
export class ThreadRow {
  private readonly words: Int32Array;
  private readonly at: number;
  private work = LOADING;

  constructor(memory: SharedArrayBuffer, threadId: number) {
    this.words = new Int32Array(memory);
    let at = 0;
    while (at < this.words.length && !this.claim(at, threadId)) at += ROW_WORDS;
    // Without a row it is not watched: more threads ended at once than were counted on.
    this.at = at < this.words.length ? at : -1;
  }

  /** Called when the rules are loaded, and between any two calls: work begins or ends. */
  turn(): void {
    this.work = (this.work + 1) & 0x7fff_ffff;
    if (this.at >= 0) Atomics.store(this.words, this.at + WORK, this.work);
  }

  private claim(at: number, threadId: number): boolean {
    if (Atomics.compareExchange(this.words, at + ID, 0, threadId) !== 0) return false;
    Atomics.store(this.words, at + WORK, LOADING);
    return true;
  }
}

/** The main side's view of all rows. */
export class ThreadWatch {
  private readonly words: Int32Array;
  /** By row: what the thread was at, and how many looks found it so. */
  private readonly seen = new Map<number, { work: number; looks: number }>();

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  /**
   * The ids of threads that were at the same work in LOOKS_PER_TASK looks. `alive` are the ids of
   * all threads there are; the rows of others become free.
   */
  look(alive: ReadonlySet<number>): number[] {
    const stuck: number[] = [];
    for (let at = 0; at < this.words.length; at += ROW_WORDS) {
      const id = Atomics.load(this.words, at + ID);
      const work = Atomics.load(this.words, at + WORK);
      const before = this.seen.get(at);
      const same = id !== 0 && before?.work === work && work % 2 === 1;
      const looks = same ? before.looks + 1 : 0;
      this.seen.set(at, { work, looks });
      if (id !== 0 && !alive.has(id)) {
        this.seen.delete(at);
        Atomics.store(this.words, at + ID, 0);
      } else if (looks >= LOOKS_PER_TASK) {
        stuck.push(id);
      }
    }
    return stuck;
  }
}
