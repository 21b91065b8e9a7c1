// The addresses that this node has heard of, by whom, and which of them proved good: what it dials
// beside the operator's own, and what it tells others. A part of the peer book. Pure, time and chance
// are passed in. After Bitcoin Core's address manager: what was only heard of and what was found lie
// in two tables, each of a bounded shape, whose places depend on a secret and on address groups.

import { invariant } from "../../errors.js";
import type { AddressPage, PeerId } from "../../ports.js";
import {
  formatAddress,
  hostGroup,
  isDialableByOthers,
  isHostName,
  reachOf,
  type Endpoint,
  type Reach,
} from "../../protocol/address.js";
import { readPage, type StoredAddress } from "./address-pages.js";
import { AddressPlaces, type PlacesOptions } from "./address-places.js";
import { drawn } from "./address-table.js";
import { backoffMs } from "./backoff.js";
import { chanceOf, isTellable, isTerrible, type KnownAddress } from "./known-address.js";
import type { Moment } from "./moment.js";

export interface AddressBookOptions extends PlacesOptions {
  /** Those that can be dialed. */
  readonly schemes: ReadonlySet<string>;
}

/** Whoever tells of an address. */
export interface Teller {
  /** Of its connection. */
  readonly host: string;
  /** It says so of itself: this is who it proved to be. */
  readonly self?: PeerId;
}

export interface DrawOptions {
  readonly now: Moment;
  /** There is no peer: nothing rests for long. */
  readonly alone: boolean;
  /** In [0, 1]: how welcome it is; 0: not at all. */
  readonly weightOf: (known: KnownAddress) => number;
  /** Of those that were only heard of. */
  readonly onlyNew?: boolean;
}

export interface Draw {
  readonly known?: KnownAddress;
  /** Without one: when the first of those that rest may be dialed, monotonic; absent: none rests. */
  readonly nextMs?: number;
}

const HOUR_MS = 3_600_000;
/** An address that is told of again and again is not written as often. */
const HEARD_AGAIN_MS = HOUR_MS;
/** Then all addresses are looked through. */
const PROBES_MAX = 64;
/** Each probe is less choosy than the one before. */
const LESS_CHOOSY = 1.2;
/** Addresses that wait for the test of whoever has their place among the found ones. */
const COLLISIONS_MAX = 10;
/** Whoever was found so lately keeps its place without a test. */
const FOUND_LATELY_MS = 4 * HOUR_MS;
/** Whoever was not tested in this time gives way. */
const TEST_WITHIN_MS = 40 * 60_000;
const OURS_MAX = 64;
/** Of all that may be told, in one answer: more would show what this node knows. */
const SAMPLE_PART = 0.23;
/** Small networks are told whole. */
const SAMPLE_SMALL = 64;

/** What whoever is there can know of: nobody is sent into a network that the teller is not in. */
const TELLS: Readonly<Record<Reach, ReadonlySet<Reach>>> = {
  loopback: new Set(["loopback", "local", "public"]),
  local: new Set(["local", "public"]),
  public: new Set(["public"]),
  none: new Set(),
};

export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #places: AddressPlaces;
  /** This node's own, as it found out. */
  readonly #ours = new Set<string>();
  /** By address, the wall-clock time since when each waits for the end of a test. */
  readonly #collisions = new Map<string, number>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
    this.#places = new AddressPlaces(options);
  }

  get size(): number {
    return this.#places.size;
  }

  /** By an endpoint, whatever identity it pins. */
  get(endpoint: Endpoint): KnownAddress | undefined {
    return this.#places.get(plainAddress(endpoint));
  }

  all(): IterableIterator<KnownAddress> {
    return this.#places.all();
  }

  /** The address group of a host: what counts as one owner when addresses are chosen. */
  groupOf(host: string): string {
    const { ipv4GroupBits: ipv4Bits, ipv6GroupBits: ipv6Bits } = this.#options.config.dial;
    return hostGroup(host, { ipv4Bits, ipv6Bits });
  }

  // ---- what is heard -------------------------------------------------------------------------

  /** A peer tells of addresses: claims, which fill places of its group, as far as these are free. */
  learned(endpoints: readonly Endpoint[], teller: Teller, wallMs: number): void {
    const reaches = TELLS[reachOf(teller.host)];
    const source = this.groupOf(teller.host);
    for (const endpoint of endpoints) {
      if (this.#mayBeTold(endpoint, reaches))
        this.#learned(endpoint, { ...teller, source }, wallMs);
    }
  }

  /** It is our own: never to be dialed or told. */
  ours(endpoint: Endpoint): void {
    const address = plainAddress(endpoint);
    this.#ours.add(address);
    const [oldest] = this.#ours;
    if (this.#ours.size > OURS_MAX && oldest !== undefined) this.#ours.delete(oldest);
    this.forget(endpoint);
  }

  // ---- what becomes of dials -----------------------------------------------------------------

  dialing(endpoint: Endpoint, wallMs: number): void {
    const known = this.get(endpoint);
    if (known !== undefined) known.dialedWallMs = wallMs;
  }

  /** A peer is there: it has shaken hands. Whoever has its place is tested first, or stays. */
  found(endpoint: Endpoint, peerId: PeerId, wallMs: number): void {
    if (this.#ours.has(plainAddress(endpoint))) return;
    const known = this.get(endpoint) ?? this.#unplaced(endpoint, this.groupOf(endpoint.host));
    known.peerId = peerId;
    known.foundWallMs = wallMs;
    known.heardWallMs = Math.max(known.heardWallMs, wallMs);
    if (!this.#places.found(known)) {
      if (this.#collisions.size < COLLISIONS_MAX) this.#collisions.set(known.address, wallMs);
      if (known.places.length === 0) this.#places.heard(known, known.source, wallMs);
    }
    this.#places.changed(known);
  }

  /**
   * A dial failed, or a connection ended. `failed`: it counts; undefined: it says nothing of the address,
   * which rests longer all the same where it was `missed`.
   */
  ended(endpoint: Endpoint, nowMs: number, failed: boolean | undefined, missed = failed): void {
    const known = this.get(endpoint);
    if (known === undefined) return;
    known.endedMs = nowMs;
    known.rest = this.#options.float();
    if (missed !== undefined) known.missed = missed ? known.missed + 1 : 0;
    if (failed === undefined) return;
    known.failures = failed ? known.failures + 1 : 0;
    this.#places.changed(known);
  }

  /** Whoever is there is of another network: nobody is to be sent there. */
  forget(endpoint: Endpoint): void {
    const known = this.get(endpoint);
    if (known === undefined) return;
    this.#places.forget(known);
    this.#collisions.delete(known.address);
  }

  // ---- what is asked -------------------------------------------------------------------------

  /** An address to dial: as often of those that were found as of those that were only heard of. */
  draw(options: DrawOptions): Draw {
    const { float } = this.#options;
    const { now, onlyNew = false, weightOf } = options;
    let choosy = 1;
    for (let probe = 0; probe < PROBES_MAX; probe++, choosy *= LESS_CHOOSY) {
      const known = this.#places.draw(onlyNew || float() < 0.5 ? "new" : "tried");
      if (known === undefined || this.#restsUntil(known, options) > now.monotonicMs) continue;
      if (float() < chanceOf(known) * weightOf(known) * choosy) return { known };
    }
    return this.#drawOfAll(options);
  }

  /**
   * One of those that were found whose place another one waits for: it is to be tested. `isHere`: it is
   * connected, which is as good, and it could not be dialed besides.
   */
  contested(wallMs: number, isHere?: (known: KnownAddress) => boolean): KnownAddress | undefined {
    this.resolve(wallMs, isHere);
    for (const [address, sinceWallMs] of this.#collisions) {
      const known = this.#places.get(address);
      const holder = known === undefined ? undefined : this.#places.holderFor(known);
      if (holder !== undefined && holder.dialedWallMs < sinceWallMs) return holder;
    }
    return undefined;
  }

  /** Those whose tests have ended, or were due: whoever failed gives its place away. */
  resolve(wallMs: number, isHere: (known: KnownAddress) => boolean = () => false): void {
    for (const [address, sinceWallMs] of this.#collisions) {
      const known = this.#places.get(address);
      const holder = known === undefined ? undefined : this.#places.holderFor(known);
      if (known === undefined || known.isTried || holder === known) {
        this.#collisions.delete(address);
      } else if (holder === undefined) {
        this.#collisions.delete(address);
        this.#places.found(known);
      } else if (wallMs - holder.foundWallMs < FOUND_LATELY_MS || isHere(holder)) {
        this.#collisions.delete(address);
      } else if (testFailed(holder, sinceWallMs) || wallMs - sinceWallMs > TEST_WITHIN_MS) {
        this.#collisions.delete(address);
        this.#places.giveWay(holder, wallMs);
        this.#places.found(known);
      }
    }
  }

  /**
   * What a peer may be told: addresses that this node found good of late, or that their own peers told
   * it, in no order; of a public host one, however many ports it said that it has. `local`: the peer
   * is in a local network itself.
   */
  sample(countMax: number, wallMs: number, local = false): readonly Endpoint[] {
    const { float, config } = this.#options;
    const { rememberedMs } = config.dial;
    const tellable: Endpoint[] = [];
    const places = new Set<string>();
    for (const known of this.#places.all()) {
      if (!isTellable(known, wallMs) || isTerrible(known, wallMs, rememberedMs)) continue;
      if (isHostName(known.endpoint.host) && !config.addresses.names) continue;
      if (!local && reachOf(known.endpoint.host) !== "public") continue;
      tellable.push(known.endpoint);
      places.add(placeOf(known.endpoint));
    }
    const part = Math.max(SAMPLE_SMALL, Math.ceil(places.size * SAMPLE_PART));
    const count = Math.min(countMax, part, places.size);
    const sample: Endpoint[] = [];
    for (let i = 0; sample.length < count; i++) {
      const other = i + Math.floor(float() * (tellable.length - i));
      [tellable[i], tellable[other]] = [tellable[other]!, tellable[i]!];
      if (places.delete(placeOf(tellable[i]!))) sample.push(tellable[i]!);
    }
    return sample;
  }

  // ---- what outlives the process -------------------------------------------------------------

  /** At most so many pages that are not stored as they are now. */
  takeChanged(max: number): readonly AddressPage[] {
    return this.#places.takeChanged(max);
  }

  get hasChanged(): boolean {
    return this.#places.hasChanged;
  }

  /** A page of the run before. */
  restore(name: string, text: string): void {
    this.#places.read(name, text, (table) => {
      const { bucketSize } = this.#options.config.addresses;
      for (const row of readPage(text, bucketSize)) this.#restore(row, table === "tried");
    });
  }

  invariants(): void {
    this.#places.invariants();
    invariant(this.#collisions.size <= COLLISIONS_MAX, "too many collisions");
    invariant(this.#ours.size <= OURS_MAX, "too many own addresses");
  }

  // ---- inside --------------------------------------------------------------------------------

  #learned(
    endpoint: Endpoint,
    { host, self, source }: Teller & { readonly source: string },
    wallMs: number,
  ): void {
    const known = this.get(endpoint) ?? this.#unplaced(endpoint, source);
    const isNews = Math.abs(wallMs - known.heardWallMs) > HEARD_AGAIN_MS;
    if (isNews) known.heardWallMs = wallMs;
    if (self !== undefined && host === endpoint.host) {
      known.ownWallMs = wallMs;
      if (known.foundWallMs === 0) known.peerId = self;
    }
    const isPlaced = this.#places.heard(known, source, wallMs);
    if (!isPlaced && isNews) this.#places.changed(known);
  }

  #restore({ endpoint, source, ...stored }: StoredAddress, isTried: boolean): void {
    const address = plainAddress(endpoint);
    if (!this.#options.schemes.has(endpoint.scheme) || this.#ours.has(address)) return;
    const before = this.#places.get(address);
    const known = before ?? { ...this.#unplaced(endpoint, source), ...stored };
    // It was heard of again before its page was read.
    known.peerId ??= stored.peerId;
    known.foundWallMs = Math.max(known.foundWallMs, stored.foundWallMs);
    known.ownWallMs = Math.max(known.ownWallMs, stored.ownWallMs);
    if (!isTried || !this.#places.found(known)) this.#places.restore(known, source);
  }

  #mayBeTold(endpoint: Endpoint, reaches: ReadonlySet<Reach>): boolean {
    const { config, schemes } = this.#options;
    if (!schemes.has(endpoint.scheme) || !isDialableByOthers(endpoint)) return false;
    // Whoever owns a domain has as many names, and groups, as he likes.
    if (isHostName(endpoint.host) && !config.addresses.names) return false;
    if (!reaches.has(reachOf(endpoint.host))) return false;
    return !this.#ours.has(plainAddress(endpoint));
  }

  #unplaced({ scheme, host, port }: Endpoint, source: string): KnownAddress {
    const endpoint = { scheme, host, port };
    return {
      address: formatAddress(endpoint),
      endpoint,
      group: this.groupOf(host),
      source,
      peerId: undefined,
      heardWallMs: 0,
      ownWallMs: 0,
      dialedWallMs: 0,
      foundWallMs: 0,
      failures: 0,
      missed: 0,
      endedMs: Number.NEGATIVE_INFINITY,
      rest: 0,
      isTried: false,
      places: [],
    };
  }

  #drawOfAll(options: DrawOptions): Draw {
    const { now, onlyNew = false, weightOf } = options;
    const { float } = this.#options;
    const ready: KnownAddress[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const known of this.#places.all()) {
      if ((onlyNew && known.isTried) || weightOf(known) === 0) continue;
      const untilMs = this.#restsUntil(known, options);
      if (untilMs <= now.monotonicMs) ready.push(known);
      else nextMs = Math.min(nextMs, untilMs);
    }
    if (ready.length > 0) return { known: drawn(ready, float) };
    return Number.isFinite(nextMs) ? { nextMs } : {};
  }

  #restsUntil(known: KnownAddress, { alone }: DrawOptions): number {
    const { dial } = this.#options.config;
    const { endedMs, rest } = known;
    const failures = Math.max(known.failures, known.missed);
    return endedMs + backoffMs(dial, { failures, chance: rest, alone });
  }
}

/** It was dialed since, and nobody was found there. */
function testFailed({ dialedWallMs, foundWallMs, failures }: KnownAddress, since: number): boolean {
  return dialedWallMs >= since && foundWallMs < dialedWallMs && failures > 0;
}

/** Without the identity that it may pin. */
export function plainAddress({ scheme, host, port }: Endpoint): string {
  return formatAddress({ scheme, host, port });
}

/** What counts once among those that are told. */
function placeOf(endpoint: Endpoint): string {
  return reachOf(endpoint.host) === "public" ? endpoint.host : formatAddress(endpoint);
}
