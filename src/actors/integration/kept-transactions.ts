// Which waiting transactions lie in which page of the store, and what is to be written next: what came
// since, and anew what is left of pages of which little still waits, so that the store holds little more
// than the mempool. What left is found when its page is looked at: whoever drops one says nothing here.
// Pure; owned by the mempool integration.

import { invariant } from "../../errors.js";
import type { MempoolPage } from "../../ports.js";
import type { HashHex } from "../../types/chain.js";
import type { GuardedMempool } from "./guarded-mempool.js";
import { encodeKeptPage, keptBytes, type KeptTransaction } from "./kept-page.js";

/** What is known of one that waits beside its bytes. */
export type KeptFacts = Omit<KeptTransaction, "bytes">;

interface Page {
  readonly ids: readonly HashHex[];
  readonly bytes: number;
}

/** A page is full with so many. */
const PAGE_BYTES = 64 * 1024;
/** A page with less is written anew with what comes: there are never many small ones. */
const SMALL_BYTES = 16 * 1024;
/** In one turn of the event loop, which copies them, about a millisecond. */
const TURN_BYTES_MAX = 4 * 1024 * 1024;
/** Of this what is left of old pages. */
const MOVED_BYTES_MAX = 2 * 1024 * 1024;
/** Pages that are looked at for each write, and one more for so many that came: more than they fill. */
const PAGES_LOOKED_AT = 16;
const IDS_PER_PAGE = 128;
/** Beyond the mempool's own number so many may wait to be written, gone ones among them. */
const SLACK_IDS = 1_024;
const NAME_DIGITS = 12;

export class KeptTransactions {
  readonly #mempool: Pick<GuardedMempool, "has" | "get" | "count">;
  readonly #pages = new Map<string, Page>();
  #walk = this.#pages.entries();
  #pending: HashHex[] = [];
  #nextNumber = 0;
  #newest: string | undefined;

  constructor(mempool: Pick<GuardedMempool, "has" | "get" | "count">) {
    this.#mempool = mempool;
  }

  /** Something came that no page holds. */
  get isBehind(): boolean {
    return this.#pending.length > 0;
  }

  accepted(id: HashHex): void {
    this.#pending.push(id);
    if (this.#pending.length <= 2 * this.#mempool.count + SLACK_IDS) return;
    this.#pending = [...new Set(this.#pending)].filter((one) => this.#mempool.has(one));
  }

  /** The names of pages as a store answers them, the oldest first; those that are none of ours left out. */
  begin(names: readonly string[]): readonly string[] {
    const own = names.filter((name) => /^\d{12}$/.test(name)).sort();
    this.#nextNumber = Number(own.at(-1) ?? -1) + 1;
    return own;
  }

  /** A page that lies in the store, and what it holds. */
  found(name: string, ids: readonly HashHex[], bytes: number): void {
    this.#pages.set(name, { ids, bytes });
  }

  /** Those that no page holds, after all pages were found, are to be written too. */
  compare(ids: Iterable<HashHex>): void {
    const kept = new Set(this.#pending);
    for (const page of this.#pages.values()) for (const id of page.ids) kept.add(id);
    for (const id of ids) if (!kept.has(id)) this.#pending.push(id);
  }

  /** What is to be written as one: pages, and names of pages that go. */
  take(factsOf: (id: HashHex) => KeptFacts): readonly MempoolPage[] {
    const writes: MempoolPage[] = [];
    const ids = new Set<HashHex>();
    let movedBytes = 0;
    for (const name of this.#lookedAt()) {
      const { ids: held, bytes } = this.#pages.get(name)!;
      const left = held.filter((id) => this.#mempool.has(id));
      const isSmall = name === this.#newest && bytes < SMALL_BYTES && this.isBehind;
      if (left.length * 2 > held.length && !isSmall) continue;
      if (left.length > 0) movedBytes += bytes;
      if (movedBytes > MOVED_BYTES_MAX) break;
      for (const id of left) ids.add(id);
      this.#pages.delete(name);
      writes.push({ name, bytes: undefined });
    }
    for (const id of this.#pending) ids.add(id);
    this.#pending = [];
    writes.push(...this.#written(ids, factsOf));
    return writes;
  }

  /** They could not be written: what is in them is to be written again. */
  failed(pages: readonly MempoolPage[]): void {
    for (const { name, bytes } of pages) {
      // Of one that should have gone nothing is lost if it is still there.
      const page = bytes === undefined ? undefined : this.#pages.get(name);
      if (page === undefined) continue;
      this.#pages.delete(name);
      for (const id of page.ids) this.#pending.push(id);
    }
  }

  invariants(): void {
    const { count } = this.#mempool;
    invariant(
      this.#pending.length <= 2 * count + SLACK_IDS + this.#held(),
      `${this.#pending.length} transactions are to be written`,
    );
  }

  #held(): number {
    let held = 0;
    for (const { ids } of this.#pages.values()) held += ids.length;
    return held;
  }

  /** The newest and the next of all in turn. */
  #lookedAt(): ReadonlySet<string> {
    const newest = this.#newest ?? "";
    const names = new Set(this.#pages.has(newest) ? [newest] : []);
    const countMax = PAGES_LOOKED_AT + Math.ceil(this.#pending.length / IDS_PER_PAGE);
    for (let i = Math.min(countMax, this.#pages.size); i > 0; i--) {
      let next = this.#walk.next();
      if (next.done === true) {
        this.#walk = this.#pages.entries();
        next = this.#walk.next();
      }
      if (next.done !== true) names.add(next.value[0]);
    }
    return names;
  }

  /** What does not fit into this turn waits for the next one. */
  #written(ids: ReadonlySet<HashHex>, factsOf: (id: HashHex) => KeptFacts): readonly MempoolPage[] {
    const pages: MempoolPage[] = [];
    let inPage: { id: HashHex; transaction: KeptTransaction }[] = [];
    let [pageBytes, turnBytes] = [0, 0];
    const close = (): void => {
      if (inPage.length === 0) return;
      const name = String(this.#nextNumber++).padStart(NAME_DIGITS, "0");
      const bytes = encodeKeptPage(inPage.map(({ transaction }) => transaction));
      this.#pages.set(name, { ids: inPage.map(({ id }) => id), bytes: bytes.length });
      this.#newest = name;
      pages.push({ name, bytes });
      [inPage, pageBytes] = [[], 0];
    };
    for (const id of ids) {
      if (turnBytes >= TURN_BYTES_MAX) {
        this.#pending.push(id);
        continue;
      }
      const bytes = this.#mempool.get(id);
      if (bytes === undefined) continue;
      inPage.push({ id, transaction: { bytes, ...factsOf(id) } });
      pageBytes += keptBytes(bytes);
      turnBytes += keptBytes(bytes);
      if (pageBytes >= PAGE_BYTES) close();
    }
    close();
    return pages;
  }
}
