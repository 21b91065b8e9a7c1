// Who reads events at its own pace, by their ids: nothing waits for a reader but a question, which is
// answered as soon as there is something to read. Owned by the event bus.

import type { ActorRef } from "../../runtime/actor.js";
import { GATED_TYPES, PUBLISHED_TYPES } from "./event-table.js";
import { eventId, type EventPlace } from "./event-ids.js";
import type { EventRing, RingRead } from "./event-ring.js";
import type { EventPage, EventsMissed, NetworkEventType } from "./event-types.js";

export interface ReadEvents {
  readonly type: "ReadEvents";
  /** Absent: every type. */
  readonly types?: readonly NetworkEventType[];
  /** The last one that was had. Absent: from now on, and the answer says where that is. */
  readonly after?: EventPlace;
  readonly countMax: number;
  /** After this long the answer is an empty page. */
  readonly waitMs: number;
  readonly replyTo: ActorRef<EventPage>;
}

interface Waiting {
  readonly question: ReadEvents;
  readonly types: ReadonlySet<NetworkEventType>;
  readonly after: number;
  readonly deadlineMs: number;
}

/** Questions that wait: beyond, the oldest is answered by an empty page, and asks again. */
const WAITING_MAX = 4_096;
const COUNT_MAX = 256;
/** Of one page, as the ring counts it. */
const PAGE_BYTES_MAX = 128 * 1_024;
/** For whoever comes back for its events: they are kept so long after it last asked. */
const LINGER_MS = 600_000;

export class EventReaders {
  readonly #run: string;
  readonly #ring: EventRing;
  #waiting: Waiting[] = [];
  /** When a type that is gated was last asked for. */
  readonly #asked = new Map<NetworkEventType, number>();
  /** Since which number they are kept. */
  readonly #since = new Map<NetworkEventType, number>();

  constructor(run: string, ring: EventRing) {
    this.#run = run;
    this.#ring = ring;
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Types that are kept for readers. */
  get types(): Iterable<NetworkEventType> {
    return this.#asked.keys();
  }

  /** Answers whether types are kept that were not. */
  ask(question: ReadEvents, nowMs: number): boolean {
    const types = new Set(question.types ?? PUBLISHED_TYPES);
    const isNew = this.#keep(types, nowMs);
    const deadlineMs = nowMs + question.waitMs;
    const { after } = question;
    if (after === undefined) {
      question.replyTo.tell({ events: [], next: eventId(this.#run, this.#ring.seq) });
      return isNew;
    }
    const isOfRun = after.run === this.#run && after.seq <= this.#ring.seq;
    const waiting = { question, types, after: isOfRun ? after.seq : 0, deadlineMs };
    if (!isOfRun) this.#answer(waiting, this.#read(waiting), "restarted");
    else if (this.#tryAnswer(waiting)) return isNew;
    else if (question.waitMs <= 0) this.#answerEmpty(waiting);
    else {
      this.#waiting.push(waiting);
      if (this.#waiting.length > WAITING_MAX) this.#answerEmpty(this.#waiting.shift()!);
    }
    return isNew;
  }

  /** Answers whom these events are for, and whose time is over. */
  look(nowMs: number): void {
    this.#waiting = this.#waiting.filter((waiting) => {
      if (this.#tryAnswer(waiting)) return false;
      if (waiting.deadlineMs > nowMs) return true;
      this.#answerEmpty(waiting);
      return false;
    });
  }

  /** Lets go of the types that nobody asked for in a long while. Answers whether there were any. */
  forget(nowMs: number): boolean {
    let any = false;
    for (const [type, askedMs] of this.#asked) {
      if (nowMs - askedMs < LINGER_MS) continue;
      this.#asked.delete(type);
      this.#since.delete(type);
      any = true;
    }
    return any;
  }

  #keep(types: ReadonlySet<NetworkEventType>, nowMs: number): boolean {
    const gated = [...types].filter((type) => GATED_TYPES.has(type));
    const fresh = gated.filter((type) => !this.#asked.has(type));
    const since = fresh.length > 0 ? this.#ring.mark() : 0;
    for (const type of fresh) this.#since.set(type, since);
    for (const type of gated) this.#asked.set(type, nowMs);
    return fresh.length > 0;
  }

  #read({ after, types, question }: Waiting): RingRead {
    const countMax = Math.min(question.countMax, COUNT_MAX);
    let since = 0;
    for (const type of types) since = Math.max(since, this.#since.get(type) ?? 0);
    const limits = { countMax, bytesMax: PAGE_BYTES_MAX };
    const read = this.#ring.read(after, types, limits);
    // Before that nobody kept them, and nobody knows whether there were any.
    return since > after ? { ...read, lostSeq: Math.max(read.lostSeq ?? 0, since) } : read;
  }

  #tryAnswer(waiting: Waiting): boolean {
    const read = this.#read(waiting);
    if (read.entries.length === 0 && read.lostSeq === undefined) return false;
    this.#answer(waiting, read, "forgotten");
    return true;
  }

  #answerEmpty({ question }: Waiting): void {
    question.replyTo.tell({ events: [], next: eventId(this.#run, this.#ring.seq) });
  }

  #answer({ question, after }: Waiting, read: RingRead, reason: "forgotten" | "restarted"): void {
    const run = this.#run;
    const { entries, lostSeq } = read;
    const events = entries.map(({ seq, event }) => ({ id: eventId(run, seq), event }));
    const isWhole = reason === "forgotten" && lostSeq === undefined;
    const missed = isWhole
      ? {}
      : { missed: { id: eventId(run, lostSeq ?? 0), event: this.#missed(after, lostSeq, reason) } };
    question.replyTo.tell({ events, ...missed, next: eventId(run, read.seq) });
  }

  #missed(
    after: number,
    lostSeq: number | undefined,
    reason: "forgotten" | "restarted",
  ): EventsMissed {
    const run = this.#run;
    const lastId = lostSeq === undefined ? null : eventId(run, lostSeq);
    if (reason === "restarted") {
      return { type: "EventsMissed", reason, count: null, firstId: null, lastId };
    }
    const count = lostSeq! - after;
    return { type: "EventsMissed", reason, count, firstId: eventId(run, after + 1), lastId };
  }
}
