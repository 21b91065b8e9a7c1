// The feed: events and log lines of a network thread, in batches over one MessagePort, with
// credit. A slow owner slows nobody: what exceeds the queue is dropped, the oldest first, counted.

import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { Ring } from "../runtime/ring.js";
import type { CarriedError } from "../runtime/thread-outcome.js";

/** Items sent and not yet handled by the owner. */
const CREDIT_MAX = 2_048;
/** Items of one batch: its handling is one turn of the owner's loop. */
const BATCH_MAX = 256;
/** Items that wait for credit. */
const QUEUE_MAX = 8_192;

/** Whom it is for (a subscription, or LOG_ID), what, and how many before it were dropped, if any. */
export type FeedItem = readonly [id: number, value: unknown, dropped?: number];
export const LOG_ID = 0;

interface Batch {
  readonly items: readonly FeedItem[];
  /** Dropped so far. */
  readonly missed: number;
  /** Set in the last batch. */
  readonly end?: FeedEnd;
}

/** How a network ended by itself, or because it was asked to: then there is no error. */
export interface FeedEnd {
  readonly error?: CarriedError;
}

/** The thread's end. */
export class FeedSender {
  readonly #port: MessagePort;
  readonly #queue = new Ring<FeedItem>();
  #credit = CREDIT_MAX;
  /** Dropped before they came here. */
  missedBefore = (): number => 0;
  #missed = 0;
  /** By whom they were for, until the next item for them goes. */
  readonly #dropped = new Map<number, number>();
  #armed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (handled: number) => {
      this.#credit += handled;
      this.#flush();
    });
  }

  /** `value` must be cloneable. */
  push(id: number, value: unknown): void {
    if (this.#queue.length === QUEUE_MAX) {
      const [whose] = this.#queue.shift()!;
      this.#dropped.set(whose, (this.#dropped.get(whose) ?? 0) + 1);
      this.#missed++;
    }
    this.#queue.push([id, value]);
    if (this.#armed) return;
    this.#armed = true;
    // After the turn of the scheduler that published this: one batch carries all of the turn.
    queueMicrotask(() => {
      this.#armed = false;
      this.#flush();
    });
  }

  /** Sends all that waits, without regard to credit, and the last word. */
  end(end: FeedEnd): void {
    this.#port.postMessage({
      items: this.#take(this.#queue.length),
      missed: this.#missed + this.missedBefore(),
      end,
    } satisfies Batch);
  }

  #flush(): void {
    while (this.#credit > 0 && this.#queue.length > 0) {
      const items = this.#take(Math.min(this.#credit, this.#queue.length, BATCH_MAX));
      this.#credit -= items.length;
      const missed = this.#missed + this.missedBefore();
      this.#port.postMessage({ items, missed } satisfies Batch);
    }
  }

  #take(count: number): FeedItem[] {
    return Array.from({ length: count }, () => {
      const item = this.#queue.shift()!;
      if (this.#dropped.size === 0) return item;
      const [id, value] = item;
      const dropped = this.#dropped.get(id);
      if (dropped === undefined) return item;
      this.#dropped.delete(id);
      return [id, value, dropped];
    });
  }

  /** There will be no more for it. */
  forget(id: number): void {
    this.#dropped.delete(id);
  }
}

/** The owner's end. */
export class FeedReader {
  readonly #port: MessagePort;
  readonly #onItem: (item: FeedItem) => void;
  missed = 0;
  /** Known once the last batch was read. */
  end: FeedEnd | undefined;

  /** `onItem` must not throw. */
  constructor(port: MessagePort, onItem: (item: FeedItem) => void) {
    this.#port = port;
    this.#onItem = onItem;
    port.on("message", (batch: Batch) => this.#read(batch));
  }

  /** Reads what a thread that is gone had still sent, then closes. */
  close(): void {
    for (;;) {
      const last = receiveMessageOnPort(this.#port);
      if (last === undefined) break;
      this.#read(last.message as Batch);
    }
    this.#port.close();
  }

  #read({ items, missed, end }: Batch): void {
    this.missed = missed;
    this.end = end;
    for (const item of items) this.#onItem(item);
    this.#port.postMessage(items.length);
  }
}
