// What a raw inbound connection must pass before any work is done for it: how often its address and
// address group may connect, and who of those whose handshake goes on has to leave for it. Bounded
// in memory; one instance for all listeners of a transport.

import type { NetworkConfig } from "../config.js";
import type { TransportBreach } from "../ports.js";
import { hostGroup, isLocalHost, networkOf } from "../protocol/address.js";

/** The token bucket of an address, or of a group, holds one second's worth. */
export type InboundLimitsConfig = Pick<
  NetworkConfig["inbound"],
  "pendingMax" | "perAddressPerSecond" | "perGroupPerSecond" | "perGroupMax" | "exemptLocal"
>;

/** A raw connection that may become a peer's. */
export interface Place {
  /** The /24 or /48, which is held to so many; undefined: it is exempt. */
  readonly group: string | undefined;
  /** The /16 or /32: of the largest one somebody gives way. */
  readonly network: string;
  /** It has said what a peer says first. */
  hasSpoken: boolean;
  /** Another one has its place now. */
  readonly giveWay: (breach: TransportBreach) => void;
}

export type Arrival =
  { readonly place: Place; readonly refused?: undefined } | { readonly refused: TransportBreach };

/**
 * Buckets that are kept of each kind. An address whose bucket was dropped for a newer one starts
 * with a full bucket, which helps only someone who already has thousands of addresses.
 */
const BUCKETS_MAX = 4096;
/** Whoever has one IPv6 address has its /64. */
const ADDRESS_BITS = { ipv4Bits: 32, ipv6Bits: 64 };

export class InboundLimits {
  readonly #config: InboundLimitsConfig;
  readonly #addresses: Buckets;
  readonly #groups: Buckets;
  /** In order of arrival. */
  readonly #places = new Set<Place>();

  constructor(config: InboundLimitsConfig) {
    this.#config = config;
    this.#addresses = new Buckets(config.perAddressPerSecond);
    this.#groups = new Buckets(config.perGroupPerSecond);
  }

  get pending(): number {
    return this.#places.size;
  }

  get buckets(): number {
    return this.#addresses.size + this.#groups.size;
  }

  /** Its place must be released once. Nobody is refused for want of one: somebody gives way. */
  admit(host: string, nowMs: number, giveWay: Place["giveWay"]): Arrival {
    const isExempt = this.#config.exemptLocal && isLocalHost(host);
    const group = isExempt ? undefined : hostGroup(host);
    if (group !== undefined) {
      // The rates come first: who floods is charged even while the places are full.
      if (!this.#addresses.take(hostGroup(host, ADDRESS_BITS), nowMs)) return TOO_OFTEN;
      if (!this.#groups.take(group, nowMs)) return GROUP_TOO_OFTEN;
    }
    const place = { group, network: networkOf(host), hasSpoken: false, giveWay };
    this.#places.add(place);
    const { perGroupMax, pendingMax } = this.#config;
    if (group !== undefined && this.#count((other) => other.group === group) > perGroupMax) {
      this.#removeOne(place, (other) => other.group === group);
    }
    if (this.#places.size > pendingMax) this.#removeOne(place, () => true);
    return { place };
  }

  /** The handshake of an admitted connection ended, well or badly. */
  release(place: Place): void {
    this.#places.delete(place);
  }

  #count(isMeant: (place: Place) => boolean): number {
    let count = 0;
    for (const place of this.#places) if (isMeant(place)) count++;
    return count;
  }

  /** Of the largest network, which the newcomer counts to, the oldest that has said nothing. */
  #removeOne(newcomer: Place, isMeant: (place: Place) => boolean): void {
    const sizes = new Map<string, number>();
    const sizeOf = ({ network }: Place): number => sizes.get(network) ?? 0;
    for (const place of this.#places) sizes.set(place.network, sizeOf(place) + 1);
    let chosen: Place | undefined;
    for (const place of this.#places) {
      if (place === newcomer || !isMeant(place)) continue;
      const larger = chosen === undefined ? 1 : sizeOf(place) - sizeOf(chosen);
      const isMuter = chosen?.hasSpoken === true && !place.hasSpoken;
      if (larger > 0 || (larger === 0 && isMuter)) chosen = place;
    }
    // Without one the newcomer is the only one that is meant.
    if (chosen === undefined) return;
    this.#places.delete(chosen);
    chosen.giveWay({ rule: "pending-limit", detail: "another connection needs its place" });
  }
}

const TOO_OFTEN: Arrival = {
  refused: { rule: "address-rate", detail: "its address connects too often" },
};
const GROUP_TOO_OFTEN: Arrival = {
  refused: { rule: "address-rate", detail: "its address group connects too often" },
};

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Token buckets by name. */
class Buckets {
  readonly #perSecond: number;
  /** In order of last use: the first is the one to drop. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  get size(): number {
    return this.#buckets.size;
  }

  take(name: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(name) ?? { tokens: this.#perSecond, atMs: nowMs };
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) * this.#perSecond) / 1000;
    bucket.tokens = Math.min(this.#perSecond, refilled);
    bucket.atMs = nowMs;
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > BUCKETS_MAX) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done === false) this.#buckets.delete(oldest.value);
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
