// Where each address of the book lies: those that were only heard of in one table, at as many places as
// they had tellers of different groups, and those where a peer was found in the other, at one place.
// Pure. After Bitcoin Core's address manager.

import { invariant } from "../../errors.js";
import type { AddressPage } from "../../ports.js";
import type { NetworkConfig } from "../../config.js";
import { AddressTable, newPlace, triedPlace, type TableShape } from "./address-table.js";
import { pageText } from "./address-pages.js";
import { isTerrible, type KnownAddress } from "./known-address.js";

export interface PlacesOptions {
  /** Kept over restarts, and told to nobody. */
  readonly secret: string;
  readonly config: Pick<NetworkConfig, "addresses" | "dial">;
  /** Uniform in [0, 1). */
  readonly float: () => number;
}

/** Places of one address, by tellers of different groups. */
const PLACES_MAX = 8;

export class AddressPlaces {
  readonly #options: PlacesOptions;
  readonly #newShape: TableShape;
  readonly #triedShape: TableShape;
  readonly #new: AddressTable;
  readonly #tried: AddressTable;
  readonly #known = new Map<string, KnownAddress>();
  /** Names of pages that are not stored as they are. */
  readonly #changed = { tried: new Set<number>(), new: new Set<number>() };
  /** The page that is being read: it is stored. */
  #reading: { readonly table: "tried" | "new"; readonly bucket: number } | undefined;

  constructor(options: PlacesOptions) {
    this.#options = options;
    const { newBuckets, triedBuckets, bucketSize } = options.config.addresses;
    this.#newShape = { buckets: newBuckets, bucketSize };
    this.#triedShape = { buckets: triedBuckets, bucketSize };
    this.#new = new AddressTable(this.#newShape, (bucket) => this.#touched("new", bucket));
    this.#tried = new AddressTable(this.#triedShape, (bucket) => this.#touched("tried", bucket));
  }

  get size(): number {
    return this.#known.size;
  }

  get(address: string): KnownAddress | undefined {
    return this.#known.get(address);
  }

  all(): IterableIterator<KnownAddress> {
    return this.#known.values();
  }

  draw(table: "new" | "tried"): KnownAddress | undefined {
    return (table === "new" ? this.#new : this.#tried).draw(this.#options.float);
  }

  /** One place more, if there is room: what is terrible gives way, or has another place. */
  heard(known: KnownAddress, source: string, wallMs: number): boolean {
    const { float, secret, config } = this.#options;
    const { places, isTried } = known;
    if (isTried || places.length >= PLACES_MAX) return false;
    if (places.some((place) => place.source === source)) return false;
    // Whoever tells of it from many groups has it at many places, but each is harder to get.
    if (places.length > 0 && float() >= 0.5 ** places.length) return false;
    const at = newPlace(secret, this.#newShape, known, source);
    const holder = this.#new.at(at);
    if (holder === known) return false;
    if (holder !== undefined) {
      const mayGo = holder.places.length > 1 && places.length === 0;
      if (!mayGo && !isTerrible(holder, wallMs, config.dial.rememberedMs)) return false;
      this.#leave(holder, at);
    }
    known.places = [...places, { at, source }];
    this.#known.set(known.address, known);
    this.#new.put(at, known);
    return true;
  }

  /** New → Tried, where it may be already; false: somebody else has its place. */
  found(known: KnownAddress): boolean {
    if (known.isTried) return true;
    const at = triedPlace(this.#options.secret, this.#triedShape, known);
    if (this.#tried.at(at) !== undefined) return false;
    for (const place of known.places) this.#new.free(place.at);
    known.isTried = true;
    known.places = [{ at, source: known.source }];
    this.#known.set(known.address, known);
    this.#tried.put(at, known);
    return true;
  }

  /** Who has the place among those that were found that this one would get. */
  holderFor(known: KnownAddress): KnownAddress | undefined {
    return this.#tried.at(triedPlace(this.#options.secret, this.#triedShape, known));
  }

  /** Tried → New, or forgotten where that has no room. */
  giveWay(known: KnownAddress, wallMs: number): void {
    this.forget(known);
    known.isTried = false;
    known.places = [];
    this.heard(known, known.source, wallMs);
  }

  forget(known: KnownAddress): void {
    for (const { at } of known.places) this.#tableOf(known).free(at);
    this.#known.delete(known.address);
  }

  /** What is known of it is not what was stored. */
  changed(known: KnownAddress): void {
    for (const { at } of known.places) this.#tableOf(known).changed(at);
  }

  // ---- what outlives the process -------------------------------------------------------------

  /** At most so many pages that are not stored as they are now, those of found addresses first. */
  takeChanged(max: number): readonly AddressPage[] {
    const pages: AddressPage[] = [];
    for (const table of ["tried", "new"] as const) {
      for (const bucket of this.#changed[table]) {
        if (pages.length >= max) return pages;
        this.#changed[table].delete(bucket);
        pages.push({ name: `${table}-${bucket}`, text: this.#page(table, bucket) });
      }
    }
    return pages;
  }

  get hasChanged(): boolean {
    return this.#changed.tried.size + this.#changed.new.size > 0;
  }

  /** `restore` is called for what a page holds: whatever does not come to lie there is stored anew. */
  read(name: string, text: string, restore: (table: "tried" | "new") => void): void {
    const [, table, number] = /^(tried|new)-([0-9]{1,9})$/.exec(name) ?? [];
    if (table !== "tried" && table !== "new") return;
    const bucket = Number(number);
    this.#reading = { table, bucket };
    restore(table);
    this.#reading = undefined;
    if (this.#page(table, bucket) !== text) this.#touched(table, bucket);
  }

  /** One of a page, if it is new here and its place is free. It may be known by another page. */
  restore(known: KnownAddress, source: string): void {
    if (known.isTried || known.places.some((place) => place.source === source)) return;
    if (known.places.length >= PLACES_MAX) return;
    const at = newPlace(this.#options.secret, this.#newShape, known, source);
    if (this.#new.at(at) !== undefined) return;
    known.places = [...known.places, { at, source }];
    this.#known.set(known.address, known);
    this.#new.put(at, known);
  }

  invariants(): void {
    let places = 0;
    for (const known of this.#known.values()) {
      const { address, isTried } = known;
      places += known.places.length;
      invariant(known.places.length >= 1, `${address} has a place`);
      invariant(
        known.places.length <= (isTried ? 1 : PLACES_MAX),
        `${address} has too many places`,
      );
      for (const { at } of known.places) {
        invariant(this.#tableOf(known).at(at) === known, `${address} is not where it should be`);
      }
    }
    invariant(places === this.#new.size + this.#tried.size, "a place holds what is forgotten");
    for (const [table, { buckets, bucketSize }] of [
      [this.#new, this.#newShape],
      [this.#tried, this.#triedShape],
    ] as const) {
      invariant(table.size <= buckets * bucketSize, `${table.size} addresses in a table`);
    }
  }

  #touched(table: "tried" | "new", bucket: number): void {
    if (this.#reading?.table === table && this.#reading.bucket === bucket) return;
    this.#changed[table].add(bucket);
  }

  #page(table: "new" | "tried", bucket: number): string {
    const of = table === "new" ? this.#new : this.#tried;
    const rows = of.placesIn(bucket).map((at) => {
      const known = of.at(at)!;
      return [known, known.places.find((place) => place.at === at)!.source] as const;
    });
    return pageText(rows);
  }

  #tableOf({ isTried }: KnownAddress): AddressTable {
    return isTried ? this.#tried : this.#new;
  }

  /** One that was only heard of has a place less; without one it is forgotten. */
  #leave(known: KnownAddress, at: number): void {
    this.#new.free(at);
    known.places = known.places.filter((place) => place.at !== at);
    if (known.places.length === 0) this.#known.delete(known.address);
  }
}
