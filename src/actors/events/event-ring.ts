// The events of late, by which readers go on from the last one that they had: a shelf for each topic, so
// that a flood of transactions takes no block from anybody. Bounded in bytes; what a shelf let go it
// remembers by its number, so that a reader is told. Pure; owned by the event bus.

import { invariant } from "../../errors.js";
import { TOPICS, topicOf, type Topic } from "./event-table.js";
import type { NetworkEvent, NetworkEventType } from "./event-types.js";

export interface EventEntry {
  readonly type: "EventTold";
  readonly run: string;
  readonly seq: number;
  readonly event: NetworkEvent;
}

export interface RingRead {
  readonly entries: readonly EventEntry[];
  /** Up to this number some were let go that the reader may have asked for. */
  readonly lostSeq: number | undefined;
  /** Of the last one that was looked at: no other one up to it is what the reader asks for. */
  readonly seq: number;
}

/** An event with its ids, its entry and its place: measured. */
const ENTRY_BYTES = 400;
const POINT_BYTES = 160;
/** There are several for each transaction, and few for anything else. */
const PARTS: Readonly<Record<Topic, number>> = {
  transaction: 4,
  block: 2,
  peer: 1,
  chain: 1,
  listener: 0.5,
  sync: 0.5,
};
const PARTS_SUM = Object.values(PARTS).reduce((sum, part) => sum + part, 0);

export class EventRing {
  readonly #run: string;
  readonly #shelves: ReadonlyMap<Topic, Shelf>;
  #seq = 0;

  constructor(run: string, bytesMax: number) {
    this.#run = run;
    const shelfOf = (topic: Topic): Shelf => new Shelf((bytesMax * PARTS[topic]) / PARTS_SUM);
    this.#shelves = new Map(TOPICS.map((topic) => [topic, shelfOf(topic)]));
  }

  /** Of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  get bytes(): number {
    let sum = 0;
    for (const shelf of this.#shelves.values()) sum += shelf.bytes;
    return sum;
  }

  push(event: NetworkEvent): EventEntry {
    const entry: EventEntry = { type: "EventTold", run: this.#run, seq: ++this.#seq, event };
    const topic = topicOf(event.type);
    if (topic !== undefined) this.#shelves.get(topic)!.push(entry);
    return entry;
  }

  /** So many events of any type, which nobody can have: their numbers are skipped. */
  skip(count: number): void {
    this.#seq += count;
    for (const shelf of this.#shelves.values()) shelf.lostSeq = this.#seq;
  }

  /** A number that no event has: whoever asks from an earlier one is known to. */
  mark(): number {
    return ++this.#seq;
  }

  /** The first ones after `after`, at most so many and so large. */
  read(
    after: number,
    types: ReadonlySet<NetworkEventType>,
    limits: { readonly countMax: number; readonly bytesMax: number },
  ): RingRead {
    const topics = new Set([...types].map(topicOf));
    const shelves = [...this.#shelves].filter(([topic]) => topics.has(topic)).map(([, s]) => s);
    const lostSeq = shelves.reduce((most, shelf) => Math.max(most, shelf.lostSeq), 0);
    const from = Math.max(after, lostSeq);
    const cursors = shelves.map((shelf) => shelf.after(from));
    const entries: EventEntry[] = [];
    let bytes = 0;
    for (;;) {
      const next = nextOf(cursors);
      if (next === undefined) break;
      if (!types.has(next.event.type)) continue;
      bytes += bytesOf(next.event);
      if (entries.length === limits.countMax || (entries.length > 0 && bytes > limits.bytesMax)) {
        return this.#answer(entries, after, lostSeq, entries.at(-1)!.seq);
      }
      entries.push(next);
    }
    return this.#answer(entries, after, lostSeq, Math.max(this.#seq, after));
  }

  invariants(): void {
    for (const shelf of this.#shelves.values()) shelf.invariants();
  }

  #answer(entries: readonly EventEntry[], after: number, lostSeq: number, seq: number): RingRead {
    return { entries, lostSeq: lostSeq > after ? lostSeq : undefined, seq };
  }
}

/** Takes the oldest entry that any cursor is at. */
function nextOf(cursors: readonly Cursor[]): EventEntry | undefined {
  let first: Cursor | undefined;
  for (const cursor of cursors) {
    const entry = cursor.entry;
    if (entry !== undefined && (first?.entry === undefined || entry.seq < first.entry.seq)) {
      first = cursor;
    }
  }
  const entry = first?.entry;
  first?.step();
  return entry;
}

/** Of what an event holds beside its fixed part: lists, and the words of peers. */
export function bytesOf(event: NetworkEvent): number {
  if (event.type === "ChainReorganised") {
    return ENTRY_BYTES + POINT_BYTES * (event.disconnected.length + event.connected.length);
  }
  const { detail = "", agent = "" } = event as {
    readonly detail?: string;
    readonly agent?: string;
  };
  return ENTRY_BYTES + 2 * (detail.length + agent.length);
}

interface Cursor {
  readonly entry: EventEntry | undefined;
  step(): void;
}

/** The entries of one topic, oldest first. */
class Shelf {
  /** The number of the newest one that was let go; 0: none was. */
  lostSeq = 0;
  bytes = 0;
  readonly #bytesMax: number;
  readonly #entries: EventEntry[] = [];
  /** Where the oldest is: those before are gone, and are cut off now and then. */
  #head = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(entry: EventEntry): void {
    this.#entries.push(entry);
    this.bytes += bytesOf(entry.event);
    while (this.bytes > this.#bytesMax) this.#letGo();
  }

  /** The entries after this number. */
  after(seq: number): Cursor {
    const entries = this.#entries;
    let low = this.#head;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return {
      get entry() {
        return entries[low];
      },
      step: () => void low++,
    };
  }

  invariants(): void {
    const held = this.#entries.slice(this.#head);
    const bytes = held.reduce((sum, { event }) => sum + bytesOf(event), 0);
    invariant(bytes === this.bytes && bytes <= this.#bytesMax, `${bytes} bytes of events are kept`);
  }

  #letGo(): void {
    const entry = this.#entries[this.#head]!;
    // Kept places must not keep events.
    this.#entries[this.#head++] = undefined as never;
    this.bytes -= bytesOf(entry.event);
    this.lostSeq = entry.seq;
    if (2 * this.#head < this.#entries.length || this.#head < 64) return;
    this.#entries.splice(0, this.#head);
    this.#head = 0;
  }
}
