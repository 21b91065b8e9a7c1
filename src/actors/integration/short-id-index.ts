// The ids of the transactions that wait, as bytes end to end, so that those which a compact block names
// by their short ids are found in one pass over them: short ids are keyed by the block, and cannot be
// looked up. Beside any mempool: ids that left it are found to be gone. Pure; owned by the mempool
// integration.

import { invariant } from "../../errors.js";
import { writeHex } from "../../bytes/hex.js";
import type { Mempool, MempoolTransaction } from "../../ports.js";
import type { HashHex } from "../../types/chain.js";
import { SHORT_ID_BYTES } from "../../protocol/kinds/compact.js";
import {
  lowOfShortId,
  writeShortId,
  type ShortId,
  type ShortIdKey,
} from "../../protocol/short-ids.js";

const ID_BYTES = 32;
const SLOTS_FIRST = 1_024;
/** Bits of the filter that most ids end at: 8 KiB stay in the cache of a core. */
const FILTER_BITS = 2 ** 16;
/** For each id that comes, which itself may be one of them: at most about half of them have left. */
const LOOKED_AT = 3;
const NONE = -1;
const AMBIGUOUS = -2;

/**
 * In the order of the short ids; undefined: nothing has it, or more than one, or it stands there twice.
 */
export type FoundTransactions = readonly (MempoolTransaction | undefined)[];

export class ShortIdIndex {
  /** Whose ids of the block share a place in the table: nobody who makes a block may know it. */
  readonly #secret: number;
  readonly #mempool: Pick<Mempool, "get" | "has">;
  readonly #hexes: HashHex[] = [];
  readonly #slots = new Map<HashHex, number>();
  #ids = new Uint8Array(SLOTS_FIRST * ID_BYTES);
  /** The slot that is looked at next for whether its id has left. */
  #next = 0;

  /** `secret`: 32 random bits. */
  constructor(secret: number, mempool: Pick<Mempool, "get" | "has">) {
    this.#secret = secret;
    this.#mempool = mempool;
  }

  get count(): number {
    return this.#hexes.length;
  }

  /** It waits from now on. Some of those that left are forgotten for it. */
  add(id: HashHex): void {
    if (!this.#slots.has(id)) {
      const at = this.count * ID_BYTES;
      if (at === this.#ids.length) this.#grow();
      writeHex(this.#ids, at, id);
      this.#slots.set(id, this.count);
      this.#hexes.push(id);
    }
    for (let looked = 0; looked < LOOKED_AT; looked++) this.#look();
  }

  /** What waits under these short ids. */
  find(key: ShortIdKey, shortIds: Uint8Array): FoundTransactions {
    const table = new Wanted(shortIds, this.#secret);
    const ids = new DataView(this.#ids.buffer);
    const one: ShortId = { low: 0, high: 0 };
    for (let slot = 0; slot < this.count; slot++) {
      const low = lowOfShortId(key, ids, slot * ID_BYTES);
      if (!table.mayHold(low)) continue;
      writeShortId(key, ids, slot * ID_BYTES, one);
      const index = table.find(one);
      if (index !== NONE) table.found(index, slot);
    }
    return Array.from(table.slots, (slot) => (slot < 0 ? undefined : this.#held(slot)));
  }

  /** It may have left since it was noted. */
  #held(slot: number): MempoolTransaction | undefined {
    const id = this.#hexes[slot]!;
    const bytes = this.#mempool.get(id);
    return bytes && { id, bytes };
  }

  invariants(): void {
    invariant(this.count * ID_BYTES <= this.#ids.length, "every id has a slot");
    invariant(this.count === this.#slots.size, "no id has two slots");
  }

  #grow(): void {
    const grown = new Uint8Array(2 * this.#ids.length);
    grown.set(this.#ids);
    this.#ids = grown;
  }

  /** The last one takes the slot of one that left. */
  #look(): void {
    if (this.#next >= this.count) this.#next = 0;
    const slot = this.#next;
    const id = this.#hexes[slot];
    if (id === undefined) return;
    if (this.#mempool.has(id)) {
      this.#next++;
      return;
    }
    this.#slots.delete(id);
    const last = this.#hexes.pop()!;
    if (slot === this.count) return;
    this.#hexes[slot] = last;
    this.#slots.set(last, slot);
    const from = this.count * ID_BYTES;
    this.#ids.copyWithin(slot * ID_BYTES, from, from + ID_BYTES);
  }
}

/** The short ids of a block, by a filter and a table of open addresses. */
class Wanted {
  /** Where each was found. */
  readonly slots: Int32Array;
  readonly #lows: Uint32Array;
  readonly #highs: Uint16Array;
  readonly #filter = new Uint32Array(FILTER_BITS / 32);
  readonly #table: Int32Array;
  readonly #secret: number;

  constructor(shortIds: Uint8Array, secret: number) {
    const count = shortIds.length / SHORT_ID_BYTES;
    const view = new DataView(shortIds.buffer, shortIds.byteOffset, shortIds.length);
    this.slots = new Int32Array(count).fill(NONE);
    this.#lows = new Uint32Array(count);
    this.#highs = new Uint16Array(count);
    this.#secret = secret;
    let places = 16;
    while (places < 2 * count) places *= 2;
    this.#table = new Int32Array(places).fill(NONE);
    for (let index = 0; index < count; index++) {
      const low = view.getUint32(index * SHORT_ID_BYTES, true);
      const high = view.getUint16(index * SHORT_ID_BYTES + 4, true);
      this.#put(index, low, high);
    }
  }

  mayHold(low: number): boolean {
    const bit = low & (FILTER_BITS - 1);
    return (this.#filter[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** Its index; NONE: it is not wanted. */
  find({ low, high }: ShortId): number {
    const index = this.#table[this.#placeOf(low, high)]!;
    return index;
  }

  found(index: number, slot: number): void {
    this.slots[index] = this.slots[index] === NONE ? slot : AMBIGUOUS;
  }

  #put(index: number, low: number, high: number): void {
    const place = this.#placeOf(low, high);
    const before = this.#table[place]!;
    this.#lows[index] = low;
    this.#highs[index] = high;
    if (before === NONE) {
      this.#table[place] = index;
      const bit = low & (FILTER_BITS - 1);
      this.#filter[bit >>> 5]! |= 1 << (bit & 31);
    } else {
      // One of the two is another transaction, and nothing says which.
      this.slots[before] = AMBIGUOUS;
      this.slots[index] = AMBIGUOUS;
    }
  }

  /** Where it is, or would be. */
  #placeOf(low: number, high: number): number {
    const mask = this.#table.length - 1;
    let place = Math.imul(low ^ this.#secret, 0x9e3779b1);
    place = Math.imul(place ^ (place >>> 15) ^ high, 0x85ebca6b);
    place = (place ^ (place >>> 13)) & mask;
    for (;;) {
      const index = this.#table[place]!;
      if (index === NONE) return place;
      if (this.#lows[index] === low && this.#highs[index] === high) return place;
      place = (place + 1) & mask;
    }
  }
}
