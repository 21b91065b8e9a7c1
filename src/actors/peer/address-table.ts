// A table of the address book: buckets of places, of which an address is given one by a secret and by
// the groups of its host and of its teller. Whoever controls few groups can fill few buckets, and
// nobody outside can tell which address another one would push out. Pure. After Bitcoin Core.

import { sha256Hex } from "../../bytes/sha256.js";
import type { KnownAddress } from "./known-address.js";

export interface TableShape {
  readonly buckets: number;
  readonly bucketSize: number;
}

/** Buckets that the addresses told by one group can come to. */
const BUCKETS_PER_SOURCE = 64;
/** Buckets that the addresses of one group can come to, once they were found. */
const BUCKETS_PER_GROUP = 8;

/** A number below 2^48 that nobody knows without the secret. */
function keyed(secret: string, ...parts: readonly (string | number)[]): number {
  // No part holds a line break: they are numbers, groups and texts of endpoints.
  const digest = sha256Hex(Buffer.from([secret, ...parts].join("\n")));
  return parseInt(digest.slice(0, 12), 16);
}

/** The place of an address that a peer of the group `source` told of. */
export function newPlace(
  secret: string,
  { buckets, bucketSize }: TableShape,
  { address, group }: Pick<KnownAddress, "address" | "group">,
  source: string,
): number {
  const share = keyed(secret, "share", group, source) % BUCKETS_PER_SOURCE;
  const bucket = keyed(secret, "new", source, share) % buckets;
  return bucket * bucketSize + (keyed(secret, "place", bucket, address) % bucketSize);
}

/** The place of an address at which a peer was found. */
export function triedPlace(
  secret: string,
  { buckets, bucketSize }: TableShape,
  { address, group }: Pick<KnownAddress, "address" | "group">,
): number {
  const share = keyed(secret, "share", address) % BUCKETS_PER_GROUP;
  const bucket = keyed(secret, "tried", group, share) % buckets;
  return bucket * bucketSize + (keyed(secret, "tried place", bucket, address) % bucketSize);
}

export class AddressTable {
  readonly #bucketSize: number;
  readonly #places = new Map<number, KnownAddress>();
  /** The taken places of each bucket that has any. */
  readonly #taken = new Map<number, number[]>();
  /** The keys of `#taken`, to draw one at random, and where each is. */
  readonly #filled: number[] = [];
  readonly #filledAt = new Map<number, number>();
  readonly #onChange: (bucket: number) => void;

  constructor({ bucketSize }: TableShape, onChange: (bucket: number) => void) {
    this.#bucketSize = bucketSize;
    this.#onChange = onChange;
  }

  /** Taken places. */
  get size(): number {
    return this.#places.size;
  }

  at(place: number): KnownAddress | undefined {
    return this.#places.get(place);
  }

  bucketOf(place: number): number {
    return Math.floor(place / this.#bucketSize);
  }

  /** The bucket holds something else than before. */
  changed(place: number): void {
    this.#onChange(this.bucketOf(place));
  }

  /** The place is free. */
  put(place: number, known: KnownAddress): void {
    const bucket = this.bucketOf(place);
    this.#places.set(place, known);
    const taken = this.#taken.get(bucket);
    if (taken !== undefined) taken.push(place);
    else {
      this.#taken.set(bucket, [place]);
      this.#filledAt.set(bucket, this.#filled.length);
      this.#filled.push(bucket);
    }
    this.#onChange(bucket);
  }

  free(place: number): void {
    if (!this.#places.delete(place)) return;
    const bucket = this.bucketOf(place);
    const taken = this.#taken.get(bucket)!;
    if (taken.length === 1) this.#emptied(bucket);
    else taken.splice(taken.indexOf(place), 1);
    this.#onChange(bucket);
  }

  /** One of a bucket, both drawn: a bucket with few addresses counts as much as a full one. */
  draw(float: () => number): KnownAddress | undefined {
    if (this.#filled.length === 0) return undefined;
    const taken = this.#taken.get(drawn(this.#filled, float))!;
    return this.#places.get(drawn(taken, float));
  }

  placesIn(bucket: number): readonly number[] {
    return this.#taken.get(bucket) ?? [];
  }

  entries(): IterableIterator<[number, KnownAddress]> {
    return this.#places.entries();
  }

  #emptied(bucket: number): void {
    this.#taken.delete(bucket);
    const index = this.#filledAt.get(bucket)!;
    this.#filledAt.delete(bucket);
    const last = this.#filled.pop()!;
    if (last === bucket) return;
    this.#filled[index] = last;
    this.#filledAt.set(last, index);
  }
}

export function drawn<T>(list: readonly T[], float: () => number): T {
  return list[Math.floor(float() * list.length)]!;
}
