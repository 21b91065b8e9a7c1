// Events at their reader's pace: an async iterator over pages that the node keeps. Whoever is slow holds
// nothing here but the page in hand, and is told what it missed.

import { CodedError, isCoded } from "../errors.js";
import { readEventId } from "../actors/events/event-ids.js";
import { isEventType } from "../actors/events/event-table.js";
import type {
  EventId,
  EventPage,
  NetworkEventType,
  ToldEvent,
} from "../actors/events/event-types.js";

export interface ReadEventsOptions<T extends NetworkEventType = NetworkEventType> {
  /** Default: every type. */
  readonly types?: readonly T[] | undefined;
  /** Events that follow this one. Default: those from now on, and the answer says where that is. */
  readonly after?: EventId | undefined;
  /** Of a page; at most, and by default, 256. */
  readonly countMax?: number | undefined;
  /** Milliseconds to wait for the first one; at most, and by default, 5,000. */
  readonly waitMs?: number | undefined;
}

export interface EventStreamOptions {
  /** Go on after this event. Default: from now on. */
  readonly after?: EventId | undefined;
  /** Ends the stream. */
  readonly signal?: AbortSignal | undefined;
}

export const READ_WAIT_MAX_MS = 5_000;
export const READ_COUNT_MAX = 256;

/** Throws ARGUMENT_INVALID for what TypeScript forbids, and for an id that is none. */
export function checkedRead(options: unknown): ReadEventsOptions {
  if (typeof options !== "object" || options === null) throw invalid("The options", "be an object");
  const { types, after, countMax, waitMs } = options as ReadEventsOptions;
  if (types !== undefined && !(Array.isArray(types) && types.every(isEventType))) {
    throw invalid("types", "be a list of types of events");
  }
  if (after !== undefined && (typeof after !== "string" || readEventId(after) === undefined)) {
    throw invalid("after", "be the id of an event");
  }
  within("countMax", countMax, 1, READ_COUNT_MAX);
  within("waitMs", waitMs, 0, READ_WAIT_MAX_MS);
  return { types, after, countMax, waitMs };
}

function within(name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (typeof value === "number" && value >= min && value <= max) return;
  throw invalid(name, `be a number from ${min} to ${max}`);
}

function invalid(what: string, must: string): CodedError {
  return new CodedError("ARGUMENT_INVALID", `${what} must ${must}.`);
}

/** The type of what comes: what was asked for, and word of what was missed. */
export type Streamed<T extends NetworkEventType> = ToldEvent<T> | ToldEvent<"EventsMissed">;

/**
 * An endless stream; one reader. It begins when it is made, whenever the first event is asked for.
 * Rejects as `read` does, but for an overloaded network, which it asks again.
 */
export function eventStream<T extends NetworkEventType>(
  read: (options: ReadEventsOptions<T>) => Promise<EventPage<T>>,
  types: readonly T[],
  { after, signal }: EventStreamOptions = {},
): AsyncIterableIterator<Streamed<T>> {
  const ahead: Streamed<T>[] = [];
  let over = signal?.aborted === true;
  const aborted = new Promise<undefined>((resolve) => {
    signal?.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const pageAfter = (id: EventId | undefined): Promise<EventPage<T>> => {
    const page = read({ types, after: id }).catch((error: unknown) => {
      if (!over && isCoded(error, "TIMEOUT")) return pageAfter(id);
      throw error;
    });
    page.catch(() => undefined);
    return page;
  };
  let page = over ? undefined : pageAfter(after);

  const next = async (): Promise<IteratorResult<Streamed<T>>> => {
    for (;;) {
      const told = over ? undefined : ahead.shift();
      if (told !== undefined) return { done: false, value: told };
      const come = over || page === undefined ? undefined : await Promise.race([page, aborted]);
      if (come === undefined || over) {
        over = true;
        return { done: true, value: undefined };
      }
      if (come.missed !== undefined) ahead.push(come.missed);
      ahead.push(...come.events);
      page = pageAfter(come.next);
    }
  };
  return {
    // One after the other, as a generator's: the next page follows from this one.
    next: inTurn(async () => {
      try {
        return await next();
      } catch (error) {
        over = true;
        throw error;
      }
    }),
    async return() {
      over = true;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function inTurn<R>(call: () => Promise<R>): () => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const answer = last.then(call, call);
    last = answer;
    return answer;
  };
}
