// Keeps what waits in the mempool over a restart: what came is written a moment later, many at a time,
// by the store's own thread; at a start it is read page by page and goes the way of all transactions: its
// signatures to the pool, then to the mempool, which knows the chain as it is now. What became invalid is
// not taken, and leaves the store with its page. Part of the mempool integration.

import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import { packBytes, packedItem } from "../../bytes/packed.js";
import type { Context } from "../../runtime/actor.js";
import type { HashHex } from "../../types/chain.js";
import type { MempoolPage, TransactionsVerdict } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import { nextTurn } from "../next-turn.js";
import type { GuardedMempool } from "./guarded-mempool.js";
import { guardMempoolStore, type GuardedMempoolStore } from "./guarded-mempool-store.js";
import { decodeKeptPage, type KeptTransaction } from "./kept-page.js";
import { KeptTransactions } from "./kept-transactions.js";
import type { WaitingTransactions, WaitTimes } from "./waiting-transactions.js";

export type KeepingMessage =
  /** What came is to be written. */
  | { readonly type: "KeepDue" }
  | {
      readonly type: "KeepWritten";
      readonly pages: readonly MempoolPage[];
      readonly isDurable: boolean;
    }
  /** The next page of an earlier start is to be read. */
  | { readonly type: "RereadDue" }
  | { readonly type: "Reread"; readonly page: Uint8Array | undefined }
  | { readonly type: "RereadChecked"; readonly verdict: TransactionsVerdict | undefined };

export type KeepingEnv = Pick<NodeEnv, "clock" | "config" | "log" | "mempoolStore" | "workers">;

type Ctx = Context<KeepingMessage, KeepingEnv>;

/** A transaction that was kept, and whether the mempool took it. */
export interface Rereading extends KeptTransaction {
  readonly id: HashHex;
}

/** What the mempool integration does with one that is valid: true if it waits now. */
export type Readmit = (transaction: Rereading, times: WaitTimes) => boolean;

interface Page {
  readonly name: string;
  readonly bytes: number;
  readonly transactions: readonly Rereading[];
  /** Those that were given to the pool, in order. */
  readonly asked: readonly Rereading[];
}

/** Before a page that the pool had no room for is given to it again, and what could not be written. */
const AGAIN_MS = 1_000;
/** Of what has left the mempool pages may keep as much again, and a little. */
const DEAD_BYTES_MAX = 4 * 1024 * 1024;

export class MempoolKeeping {
  readonly #store: GuardedMempoolStore;
  readonly #kept: KeptTransactions;
  readonly #mempool: GuardedMempool;
  readonly #waiting: WaitingTransactions;
  /** Pages of an earlier start, the next one last. */
  readonly #unread: string[];
  #readBytes = 0;
  #reading: Page | undefined;
  #isTimed = false;
  #isWriting = false;
  #readmitted = 0;
  #refused = 0;

  /** Undefined where there is no store. */
  static open(
    mempool: GuardedMempool,
    waiting: WaitingTransactions,
    context: Ctx,
  ): MempoolKeeping | undefined {
    const { mempoolStore, log } = context.env;
    if (mempoolStore === undefined) return undefined;
    const keeping = new MempoolKeeping(mempool, waiting, guardMempoolStore(mempoolStore, log));
    nextTurn(context, { type: "RereadDue" });
    return keeping;
  }

  private constructor(
    mempool: GuardedMempool,
    waiting: WaitingTransactions,
    store: GuardedMempoolStore,
  ) {
    this.#mempool = mempool;
    this.#waiting = waiting;
    this.#store = store;
    this.#kept = new KeptTransactions(mempool);
    this.#unread = this.#kept.begin(store.names()).toReversed();
  }

  /** It waits now. */
  accepted(id: HashHex, context: Ctx): void {
    this.#kept.accepted(id);
    this.#keepLater(context, context.env.config.mempool.keepEveryMs);
  }

  /** The node stops: what came is given to the store at once, however much it is. */
  writeAll(context: Ctx): void {
    while (this.#kept.isBehind) this.#write(context);
  }

  /** Answers the ids that wait again. */
  about(message: KeepingMessage, readmit: Readmit, context: Ctx): readonly HashHex[] {
    switch (message.type) {
      case "KeepDue":
        this.#isTimed = false;
        this.#write(context);
        return [];
      case "KeepWritten": {
        const { isDurable, pages } = message;
        this.#isWriting = false;
        if (!isDurable) this.#kept.failed(pages);
        this.#keepLater(context, isDurable ? 0 : AGAIN_MS);
        return [];
      }
      case "RereadDue":
        this.#read(context);
        return [];
      case "Reread":
        this.#check(message.page, context);
        return [];
      case "RereadChecked":
        return this.#readmit(message.verdict, readmit, context);
    }
  }

  invariants(): void {
    this.#kept.invariants();
  }

  #keepLater(context: Ctx, waitMs: number): void {
    if (this.#isTimed || this.#isWriting || !this.#kept.isBehind) return;
    this.#isTimed = true;
    context.startTimer("keep", waitMs, { type: "KeepDue" });
  }

  #write(context: Ctx): void {
    const { clock } = context.env;
    const aheadMs = clock.wallMs() - clock.monotonicMs();
    const pages = this.#kept.take((id) => {
      const { own, sinceMs } = this.#waiting.factsOf(id, clock.monotonicMs());
      return { own, sinceWallMs: sinceMs + aheadMs };
    });
    if (pages.length === 0) return;
    this.#isWriting = true;
    context.pipe(this.#store.write(pages), (outcome) => ({
      type: "KeepWritten",
      pages,
      isDurable: outcome.ok && outcome.value,
    }));
  }

  #read(context: Ctx): void {
    const { bytesMax } = context.env.config.mempool;
    // The limits were higher then: the oldest that fit now do.
    const isMore = this.#readBytes > 2 * bytesMax + DEAD_BYTES_MAX;
    if (isMore) for (const rest of this.#unread.splice(0)) this.#kept.found(rest, [], 0);
    const name = this.#unread.at(-1);
    if (name === undefined) {
      this.#end(context);
      return;
    }
    context.pipe(this.#store.read(name), (outcome) => ({
      type: "Reread",
      page: outcome.ok ? outcome.value : undefined,
    }));
  }

  /** What an earlier life of the actor took still waits, and need not be checked again. */
  #check(page: Uint8Array | undefined, context: Ctx): void {
    this.#readBytes += page?.length ?? 0;
    const transactions = decodeKeptPage(page ?? new Uint8Array()).map((kept) => ({
      ...kept,
      id: toHex(sha256(kept.bytes)),
    }));
    const asked: Rereading[] = [];
    for (const kept of transactions) {
      if (!this.#mempool.has(kept.id)) asked.push(kept);
      else this.#waiting.accepted(kept.id, kept.own, this.#times(kept, context.env));
    }
    const name = this.#unread.at(-1)!;
    this.#reading = { name, bytes: page?.length ?? 0, transactions, asked };
    if (asked.length === 0) {
      this.#close(context);
      return;
    }
    const packed = packBytes(asked.map(({ bytes }) => bytes));
    context.pipe(context.env.workers.validateTransactions(packed), (outcome) => ({
      type: "RereadChecked",
      verdict: outcome.ok ? outcome.value : undefined,
    }));
  }

  #readmit(
    verdict: TransactionsVerdict | undefined,
    readmit: Readmit,
    context: Ctx,
  ): readonly HashHex[] {
    // The pool is busy, or lost it.
    if (verdict === undefined) {
      context.startTimer("reread", AGAIN_MS, { type: "RereadDue" });
      return [];
    }
    const faulty = new Set(verdict.faults.map(({ index }) => index));
    const ids: HashHex[] = [];
    for (const [index, kept] of this.#reading!.asked.entries()) {
      // A copy: a view would keep the whole page in memory for as long as one of it waits.
      const bytes = packedItem(verdict.transactions, index).slice();
      const isTaken =
        !faulty.has(index) && readmit({ ...kept, bytes }, this.#times(kept, context.env));
      if (isTaken) ids.push(kept.id);
    }
    this.#readmitted += ids.length;
    this.#refused += this.#reading!.asked.length - ids.length;
    this.#close(context);
    return ids;
  }

  /** A wall clock may have been set since. */
  #times({ sinceWallMs }: KeptTransaction, { clock, config }: KeepingEnv): WaitTimes {
    const nowMs = clock.monotonicMs();
    const ageMs = Math.min(Math.max(0, clock.wallMs() - sinceWallMs), config.mempool.expiryMs);
    return { nowMs, sinceMs: nowMs - ageMs };
  }

  #close(context: Ctx): void {
    const { name, bytes, transactions } = this.#reading!;
    this.#kept.found(
      name,
      transactions.map(({ id }) => id),
      bytes,
    );
    this.#reading = undefined;
    this.#unread.pop();
    nextTurn(context, { type: "RereadDue" });
  }

  /** All is read: what an earlier life of the actor had taken and not written yet is written now. */
  #end(context: Ctx): void {
    const [readmitted, refused] = [this.#readmitted, this.#refused];
    if (readmitted + refused > 0) {
      context.env.log.write("info", "transactions of the last start wait again", {
        count: readmitted,
        refused,
      });
    }
    this.#kept.compare(this.#mempool.ids());
    this.#keepLater(context, 0);
  }
}
