// Who told of the last blocks how much later than the first: what edges of the tree of blocks are chosen
// by. Judged when a block has proved valid and its slow tellers had their time. Pure; owned by the
// broadcaster.

import { invariant } from "../../errors.js";
import type { HashHex } from "../../types/chain.js";
import type { Slot } from "./who-has.js";

interface News {
  readonly firstBy: Slot;
  readonly firstMs: number;
  readonly delaysMs: Map<Slot, number>;
  /** Whole copies that came. */
  copies: number;
  isProven: boolean;
}

/** Blocks of which that is known. */
const NEWS_MAX = 256;
/** Of which one peer told first and that are not proven: inventing blocks takes no places of others. */
const UNPROVEN_MAX = 4;

export class BlockNews {
  readonly #judgedAfterMs: number;
  /** In order of time. */
  readonly #news = new Map<HashHex, News>();

  constructor(judgedAfterMs: number) {
    this.#judgedAfterMs = judgedAfterMs;
  }

  get size(): number {
    return this.#news.size;
  }

  /** Answers how many copies came before, where this is one. */
  told(hash: HashHex, by: Slot, isCopy: boolean, nowMs: number): number {
    const news = this.#news.get(hash) ?? this.#begin(hash, by, nowMs);
    if (news === undefined) return 0;
    if (!news.delaysMs.has(by)) news.delaysMs.set(by, nowMs - news.firstMs);
    return isCopy ? news.copies++ : news.copies;
  }

  proven(hash: HashHex): void {
    const news = this.#news.get(hash);
    if (news !== undefined) news.isProven = true;
  }

  gone(slot: Slot): void {
    for (const [hash, news] of this.#news) {
      news.delaysMs.delete(slot);
      if (news.firstBy === slot && !news.isProven) this.#news.delete(hash);
    }
  }

  /** Those whose time is over; of what did not prove valid nothing follows. */
  takeJudged(nowMs: number): readonly ReadonlyMap<Slot, number>[] {
    const judged: ReadonlyMap<Slot, number>[] = [];
    for (const [hash, { firstMs, delaysMs, isProven }] of this.#news) {
      if (nowMs - firstMs < this.#judgedAfterMs) break;
      this.#news.delete(hash);
      if (isProven) judged.push(delaysMs);
    }
    return judged;
  }

  invariants(): void {
    invariant(this.#news.size <= NEWS_MAX, `news of ${this.#news.size} blocks`);
  }

  #begin(hash: HashHex, by: Slot, nowMs: number): News | undefined {
    let unproven = 0;
    for (const { firstBy, isProven } of this.#news.values()) {
      if (firstBy === by && !isProven) unproven++;
    }
    if (unproven >= UNPROVEN_MAX || this.#news.size >= NEWS_MAX) return undefined;
    const news: News = {
      firstBy: by,
      firstMs: nowMs,
      delaysMs: new Map(),
      copies: 0,
      isProven: false,
    };
    this.#news.set(hash, news);
    return news;
  }
}
