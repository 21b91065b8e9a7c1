// The waiting transactions of one sender, by rising nonce. A block takes them in this order, so what
// one of them is worth is no more than the cheapest up to it, and the last one gives way first: without
// another one the later ones would jump its nonce. Owned by the mempool.

import { invariant } from "../errors.js";
import type { MempoolTransaction } from "../ports.js";
import type { HashHex } from "../types/chain.js";

/** What a mempool is to know of a transaction. */
export interface EntryFields extends MempoolTransaction {
  readonly queue: SenderQueue;
  readonly nonce: number;
  readonly gasPrice: bigint;
  /** Counts additions: of two prices alike the earlier is the better. */
  readonly order: number;
  /** When it came: lower nonces are waited for since then. */
  readonly sinceMs: number;
}

/** A class, for one shape: there are tens of thousands, and select and add read many of them. */
export class Entry implements EntryFields {
  readonly id: HashHex;
  readonly bytes: Uint8Array;
  readonly queue: SenderQueue;
  readonly nonce: number;
  readonly gasPrice: bigint;
  readonly order: number;
  readonly sinceMs: number;
  /** How many had its sender and nonce before it. */
  replacements = 0;
  /** False once removed: a walk under way passes over it. */
  live = false;

  constructor({ id, bytes, queue, nonce, gasPrice, order, sinceMs }: EntryFields) {
    this.id = id;
    this.bytes = bytes;
    this.queue = queue;
    this.nonce = nonce;
    this.gasPrice = gasPrice;
    this.order = order;
    this.sinceMs = sinceMs;
  }
}

export function better(left: Entry, right: Entry): boolean {
  if (left.gasPrice !== right.gasPrice) return left.gasPrice > right.gasPrice;
  return left.order < right.order;
}

export class SenderQueue {
  readonly sender: Uint8Array;
  /** The sender as text. */
  readonly key: string;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #cheapest: Entry | undefined;

  constructor(sender: Uint8Array, key: string) {
    this.sender = sender;
    this.key = key;
  }

  get count(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get last(): Entry | undefined {
    return this.#entries.at(-1);
  }

  /** Of its last one: the price of its cheapest. */
  get worth(): bigint {
    return this.#cheapest?.gasPrice ?? 0n;
  }

  entry(index: number): Entry | undefined {
    return this.#entries[index];
  }

  withNonce(nonce: number): Entry | undefined {
    const { last } = this;
    // Most come in order.
    if (last === undefined || last.nonce < nonce) return undefined;
    return this.#entries.find((entry) => entry.nonce === nonce);
  }

  after(nonce: number): Entry | undefined {
    return this.#entries.find((entry) => entry.nonce > nonce);
  }

  /** What a transaction is worth behind those of lower nonces. */
  worthOf({ nonce, gasPrice }: Entry): bigint {
    let least = gasPrice;
    for (const entry of this.#entries) {
      if (entry.nonce >= nonce) break;
      if (entry.gasPrice < least) least = entry.gasPrice;
    }
    return least;
  }

  /** The first nonce after `last` that none of these has. */
  gapAfter(last: number): number {
    let gap = last + 1;
    for (const { nonce } of this.#entries) {
      if (nonce > gap) break;
      if (nonce === gap) gap++;
    }
    return gap;
  }

  insert(entry: Entry): void {
    const entries = this.#entries;
    let at = entries.length;
    while (at > 0 && entries[at - 1]!.nonce > entry.nonce) at--;
    entries.splice(at, 0, entry);
    this.#bytes += entry.bytes.length;
    if (this.#cheapest === undefined || better(this.#cheapest, entry)) this.#cheapest = entry;
  }

  remove(entry: Entry): void {
    const entries = this.#entries;
    entries.splice(entries.lastIndexOf(entry), 1);
    this.#bytes -= entry.bytes.length;
    if (this.#cheapest !== entry) return;
    this.#cheapest = entries[0];
    for (const one of entries) if (better(this.#cheapest!, one)) this.#cheapest = one;
  }

  invariants(): void {
    const entries = this.#entries;
    const bytes = entries.reduce((sum, one) => sum + one.bytes.length, 0);
    invariant(bytes === this.#bytes, "the bytes of a sender add up");
    entries.forEach((entry, i) => {
      invariant(i === 0 || entries[i - 1]!.nonce < entry.nonce, "nonces rise within a sender");
      const cheapest = this.#cheapest!;
      invariant(entry === cheapest || better(entry, cheapest), "a sender's cheapest is known");
    });
  }
}
