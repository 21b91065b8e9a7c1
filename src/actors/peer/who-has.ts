// Who has what: one record for each id, with a bit for each peer. An id that peers told of counts
// against the first of them, one that is here against this node, and each has so many: whoever tells
// of more pushes out its own. Pure; the broadcaster owns one for blocks and one for transactions.

import { invariant } from "../../errors.js";

/** A peer, as long as it is here: the column of its bits. */
export type Slot = number;
/** A record, until it is forgotten. */
export type Place = number;

export interface WhoHasLimits {
  /** Records of one peer, of this node, and of all together. */
  readonly perPeerMax: number;
  readonly ownMax: number;
  readonly recordsMax: number;
}

const OWN = -1;
const NONE = -1;
const WORD_BITS = 32;
const RECORDS_FIRST = 64;

export class WhoHas {
  readonly #limits: WhoHasLimits;
  readonly #places = new Map<string, Place>();
  /** Of each place; undefined where it is free. */
  readonly #keys: (string | undefined)[] = [];
  readonly #owners: Slot[] = [];
  /** Its body came here. */
  readonly #bodies: boolean[] = [];
  readonly #free: Place[] = [];
  /** The records of each owner, the oldest first. */
  readonly #held = new Map<Slot, Set<Place>>([[OWN, new Set()]]);
  readonly #vacant: Slot[] = [];
  /** `#words` of them for each place. */
  #bits = new Uint32Array(RECORDS_FIRST);
  #words = 1;

  constructor(limits: WhoHasLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Of all masks. */
  get maskBytes(): number {
    return this.#bits.byteLength;
  }

  join(): Slot {
    const slot = this.#vacant.pop() ?? this.#held.size - 1;
    this.#held.set(slot, new Set());
    if (slot >= WORD_BITS * this.#words) this.#widen();
    return slot;
  }

  /** What it alone told of is forgotten; of the rest somebody else is the first. */
  leave(slot: Slot): void {
    const held = this.#held.get(slot)!;
    const [word, bit] = [slot >>> 5, 1 << (slot & 31)];
    for (let at = word; at < this.#bits.length; at += this.#words) this.#bits[at]! &= ~bit;
    for (const place of [...held]) {
      const heir = this.#firstOf(place);
      if (heir === NONE || this.#held.get(heir)!.size >= this.#limits.perPeerMax) {
        this.#forget(place);
      } else this.#give(place, heir);
    }
    // The last one: nobody may have it as long as another record could name it.
    this.#held.delete(slot);
    this.#vacant.push(slot);
  }

  find(key: string): Place | undefined {
    return this.#places.get(key);
  }

  /** A peer told of what nobody has told of. */
  told(key: string, by: Slot): Place {
    const place = this.#add(key, by, this.#limits.perPeerMax);
    this.mark(place, by);
    return place;
  }

  /** It is valid and here, whoever told of it. */
  here(key: string): Place {
    const { ownMax } = this.#limits;
    const place = this.#places.get(key) ?? this.#add(key, OWN, ownMax);
    this.#bodies[place] = true;
    if (this.#owners[place] !== OWN) this.#give(place, OWN);
    this.#bound(OWN, ownMax);
    return place;
  }

  /** Its body came, good or not. True: not for the first time. */
  cameBefore(place: Place): boolean {
    const before = this.#bodies[place]!;
    this.#bodies[place] = true;
    return before;
  }

  has(place: Place, slot: Slot): boolean {
    return (this.#bits[place * this.#words + (slot >>> 5)]! & (1 << (slot & 31))) !== 0;
  }

  mark(place: Place, slot: Slot): void {
    this.#bits[place * this.#words + (slot >>> 5)]! |= 1 << (slot & 31);
  }

  /** It was not taken: it is to be told again. */
  unmark(place: Place, slot: Slot): void {
    this.#bits[place * this.#words + (slot >>> 5)]! &= ~(1 << (slot & 31));
  }

  /** No peer is known to have it. */
  isNobodys(place: Place): boolean {
    return this.#firstOf(place) === NONE;
  }

  invariants(): void {
    const { perPeerMax, ownMax, recordsMax } = this.#limits;
    let count = 0;
    for (const [owner, held] of this.#held) {
      const max = owner === OWN ? ownMax : perPeerMax;
      invariant(held.size <= max, `${held.size} records of one owner`);
      for (const place of held) invariant(this.#owners[place] === owner, "a record has one owner");
      count += held.size;
    }
    invariant(count === this.size && count <= recordsMax, `${count} of ${this.size} records`);
    for (const [key, place] of this.#places) {
      invariant(this.#keys[place] === key, "a record is found by its key");
    }
  }

  #add(key: string, owner: Slot, max: number): Place {
    const held = this.#held.get(owner)!;
    if (this.size >= this.#limits.recordsMax) this.#makeRoom();
    const place = this.#free.pop() ?? this.#keys.length;
    if ((place + 1) * this.#words > this.#bits.length) this.#lengthen();
    this.#bits.fill(0, place * this.#words, (place + 1) * this.#words);
    this.#keys[place] = key;
    this.#owners[place] = owner;
    this.#bodies[place] = false;
    this.#places.set(key, place);
    held.add(place);
    this.#bound(owner, max);
    return place;
  }

  #bound(owner: Slot, max: number): void {
    const held = this.#held.get(owner)!;
    for (const oldest of held) {
      if (held.size <= max) break;
      this.#forget(oldest);
    }
  }

  /** Whoever has most gives way, so that nobody crowds out those who tell of little. */
  #makeRoom(): void {
    let most: Set<Place> | undefined;
    for (const held of this.#held.values()) if (held.size > (most?.size ?? 0)) most = held;
    const [oldest] = most!;
    this.#forget(oldest!);
  }

  #give(place: Place, to: Slot): void {
    this.#held.get(this.#owners[place]!)!.delete(place);
    this.#owners[place] = to;
    this.#held.get(to)!.add(place);
  }

  #forget(place: Place): void {
    this.#places.delete(this.#keys[place]!);
    this.#held.get(this.#owners[place]!)!.delete(place);
    this.#keys[place] = undefined;
    this.#free.push(place);
  }

  #firstOf(place: Place): Slot {
    for (let word = 0; word < this.#words; word++) {
      const bits = this.#bits[place * this.#words + word]!;
      if (bits !== 0) return word * WORD_BITS + 31 - Math.clz32(bits & -bits);
    }
    return NONE;
  }

  #lengthen(): void {
    const longer = new Uint32Array(2 * this.#bits.length);
    longer.set(this.#bits);
    this.#bits = longer;
  }

  /** Room for as many peers again. */
  #widen(): void {
    const [from, words] = [this.#bits, this.#words];
    this.#words = 2 * words;
    this.#bits = new Uint32Array(2 * from.length);
    for (let at = 0; at < from.length; at++) {
      if (from[at] === 0) continue;
      this.#bits[Math.floor(at / words) * this.#words + (at % words)] = from[at]!;
    }
  }
}
