// HistoryBudget: how many bytes of old blocks this node serves in a day, after Bitcoin Core's
// `-maxuploadtarget`. Counted from the first that was served; a restart begins anew. Pure: the time
// is passed in.

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Blocks from here on are history. What is younger is part of following the chain. */
export const HISTORY_AGE_MS = DAY_MS;

export interface HistoryReport {
  /** 0: no limit. */
  readonly bytesPerDay: number;
  /** Of old blocks that were served in the present day. */
  readonly usedBytes: number;
  /** Until the next day begins; null: it has not begun. */
  readonly resetsInMs: number | null;
}

export class HistoryBudget {
  bytesPerDay: number;
  #usedBytes = 0;
  #sinceMs: number | undefined;

  constructor(bytesPerDay: number) {
    this.bytesPerDay = bytesPerDay;
  }

  /** No more old blocks are served to those that it counts for. */
  isUsedUp(nowMs: number): boolean {
    this.#renew(nowMs);
    return this.bytesPerDay > 0 && this.#usedBytes >= this.bytesPerDay;
  }

  /** Old blocks leave for somebody. */
  used(bytes: number, nowMs: number): void {
    this.#renew(nowMs);
    this.#sinceMs ??= nowMs;
    this.#usedBytes += bytes;
  }

  report(nowMs: number): HistoryReport {
    this.#renew(nowMs);
    const sinceMs = this.#sinceMs;
    const resetsInMs = sinceMs === undefined ? null : sinceMs + DAY_MS - nowMs;
    return { bytesPerDay: this.bytesPerDay, usedBytes: this.#usedBytes, resetsInMs };
  }

  #renew(nowMs: number): void {
    if (this.#sinceMs === undefined || nowMs - this.#sinceMs < DAY_MS) return;
    this.#sinceMs = undefined;
    this.#usedBytes = 0;
  }
}
