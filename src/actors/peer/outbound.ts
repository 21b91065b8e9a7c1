// Whom to dial now, and what for. The operator's own endpoints are dialed whoever else is here; what
// was heard of fills the other slots, one address group at most once, so that whoever owns few networks
// gets few of them. A part of the peer book. Pure. After Bitcoin Core.

import { FEELERS_MAX } from "../../config/memory-plan.js";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";
import { isLocalHost } from "../../protocol/address.js";
import type { Anchors } from "./anchors.js";
import type { Purpose } from "./purpose.js";
import { plainAddress, type AddressBook, type Draw } from "./address-book.js";
import type { KnownAddress } from "./known-address.js";
import { peerAt, type KnownEndpoint, type KnownEndpoints } from "./known-endpoints.js";
import type { Moment } from "./moment.js";
import type { PeerClass } from "./reputation-ledger.js";

export interface Due {
  readonly target: KnownEndpoint;
  readonly purpose: Purpose;
}

/** Monotonic times. */
export interface Service {
  readonly readySinceMs: number;
  /** It brought a block that was new; undefined: never. */
  readonly usefulBlockMs: number | undefined;
}

export interface OutboundOptions {
  readonly config: Pick<NetworkConfig, "maxOutbound" | "dial">;
  readonly endpoints: KnownEndpoints;
  readonly addresses: AddressBook;
  /** Uniform in [0, 1). */
  readonly float: () => number;
  /** What a connected peer is good for; undefined: it is not ready. */
  readonly serviceOf: (peerId: PeerId) => Service | undefined;
  /** What is thought of a peer; undefined: it is not to be dialed now. */
  readonly classOf: (peerId: PeerId, nowMs: number) => PeerClass | undefined;
  readonly anchors: Anchors;
  /** This peer is connected from this host, whichever side dialed. */
  readonly isHere: (peerId: PeerId, host: string) => boolean;
  /** It has a slot of its own, beside the others. */
  readonly isReserved: (target: KnownEndpoint) => boolean;
}

/** Who is dialed first. Without a class: as one that is neutral. */
const RANKS: Readonly<Record<PeerClass, number>> = {
  preferred: 0,
  good: 1,
  neutral: 1,
  probation: 2,
  banned: 2,
};

/** Somebody waits for it. */
const WANTED = -1;

/** How welcome whoever is there is, of addresses that nobody asked for. */
const WELCOMES: Readonly<Record<PeerClass, number>> = {
  preferred: 1,
  good: 0.5,
  neutral: 0.5,
  probation: 0.05,
  banned: 0.05,
};

/** While the chain does not grow one more peer is tried so often in the time that made it stale. */
const TRIES_PER_STALE = 3;
/** Whoever was tried has so long to bring a block. */
const TRIED_FOR_MS = 30_000;

export class Outbound {
  readonly #options: OutboundOptions;
  /** The head of the chain, and since when it is known to be it. */
  #head: string | undefined;
  #headSinceMs = Number.POSITIVE_INFINITY;
  #nextTryMs = Number.NEGATIVE_INFINITY;
  /** Monotonic time: no address is drawn before. */
  #nextDrawMs = Number.NEGATIVE_INFINITY;
  /** Nobody was to be drawn. */
  #isEmpty = false;
  #nextFeelerMs: number | undefined;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  /** When `due` may answer something else, though nothing else happened; infinity: never. */
  get wakeMs(): number {
    return this.#wakeMs;
  }

  /** Those to dial now, as far as there are slots; the caller dials them before it asks again. */
  due(now: Moment, alone: boolean): readonly Due[] {
    const { config, endpoints, isReserved } = this.#options;
    const { maxOutbound, dial } = config;
    const { monotonicMs: nowMs } = now;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    const places = dial.concurrentMax - endpoints.count("dialing");
    const chosen = (count: number, among: (target: KnownEndpoint) => boolean): Due[] =>
      endpoints
        .due(nowMs, count, (target) => (among(target) ? this.#rankOf(target, nowMs) : undefined))
        .map((target) => ({ target, purpose: "full" }));

    const due = chosen(places, isReserved);
    // A seed is where a node begins; once it has others it leaves the seed to who begins now: others
    // are dialed as if it were not here, see `surplus`.
    const needsSeeds = dial.onlyConfigured || 2 * this.#connected("full") < maxOutbound;
    const isSeed = (target: KnownEndpoint): boolean => this.#isSeed(target);
    const spared = needsSeeds ? 0 : this.#seedsSpared();
    const full = this.taken("full") - spared;
    const free = (): number => Math.min(maxOutbound - full, places) - due.length;
    due.push(...chosen(free(), (one) => !isReserved(one) && (needsSeeds || !isSeed(one))));
    if (dial.onlyConfigured || maxOutbound === 0) return due;
    due.push(...this.#anchors(places - due.length));
    if (free() > 0) {
      const drawn = this.#draw("full", now, alone);
      if (drawn !== undefined) due.push(drawn);
      else if (!needsSeeds && this.#isEmpty) due.push(...chosen(free() - spared, isSeed));
    } else if (places > due.length && this.#connected("full") >= maxOutbound) {
      const drawn = this.#drawExtra(now, alone);
      if (drawn !== undefined) due.push(drawn);
    }
    return due;
  }

  /** This is the head of the chain now. */
  headIs(hash: string, nowMs: number): void {
    if (hash === this.#head) return;
    this.#head = hash;
    this.#headSinceMs = nowMs;
  }

  /** Who leaves, where one more is here: a seed, else of those drawn whoever has no block for longest. */
  surplus(nowMs: number): KnownEndpoint | undefined {
    const { config, endpoints } = this.#options;
    const { maxOutbound, dial } = config;
    if (dial.onlyConfigured || this.#connected("full") <= maxOutbound) return undefined;
    for (const one of endpoints.all()) {
      if (this.#isSeed(one) && one.state === "connected") return one;
    }
    const worst = this.#leastUseful();
    return worst !== undefined && nowMs >= worst.tiredMs ? worst.target : undefined;
  }

  /** Dialing or connected for this, beside those that have slots of their own. */
  taken(purpose: Purpose): number {
    return this.#count((target) => target.state !== "idle" && target.purpose === purpose);
  }

  /** Whoever was here before the start comes before all that was heard of. */
  #anchors(places: number): readonly Due[] {
    const { anchors, config, endpoints } = this.#options;
    const { maxOutbound, dial } = config;
    const due: Due[] = [];
    const has = (purpose: Purpose): boolean => {
      const slots = purpose === "blocks" ? dial.blocksOnlyMax : maxOutbound;
      const chosen = due.filter((one) => one.purpose === purpose).length;
      return this.taken(purpose) + chosen < slots;
    };
    while (due.length < places) {
      const anchor = anchors.take(has);
      if (anchor === undefined) break;
      const target = endpoints.add(anchor.endpoint, "book");
      if (target?.state === "idle") due.push({ target, purpose: anchor.purpose });
    }
    return due;
  }

  /** Whoever is to come in its place has that of a feeler, until the seed has left. */
  #seedsSpared(): number {
    if (this.#options.config.dial.feelerEveryMs === 0) return 0;
    const seeds = this.#count((one) => this.#isSeed(one) && one.state === "connected");
    return Math.min(seeds, FEELERS_MAX - this.taken("feeler"));
  }

  #isSeed(target: KnownEndpoint): boolean {
    return target.source === "configured" && !this.#options.isReserved(target);
  }

  /** Of those that a draw brought whoever has no new block for longest, of several the youngest. */
  #leastUseful(): { readonly target: KnownEndpoint; readonly tiredMs: number } | undefined {
    const { endpoints, isReserved, serviceOf } = this.#options;
    let worst: { readonly target: KnownEndpoint; readonly service: Service } | undefined;
    for (const target of endpoints.all()) {
      const { peerId, purpose, source, state } = target;
      if (state !== "connected" || purpose !== "full" || source !== "book") continue;
      const service = peerId === undefined || isReserved(target) ? undefined : serviceOf(peerId);
      if (service === undefined) continue;
      if (worst === undefined || isOfLessUse(service, worst.service)) worst = { target, service };
    }
    if (worst === undefined) return undefined;
    return { target: worst.target, tiredMs: worst.service.readySinceMs + TRIED_FOR_MS };
  }

  /** The chain does not grow: all that are here may keep the same from this node. After Bitcoin Core. */
  #drawForTip(now: Moment, alone: boolean): Due | undefined {
    const { staleTipMs } = this.#options.config.dial;
    if (staleTipMs === 0) return undefined;
    const dueMs = Math.max(this.#headSinceMs + staleTipMs, this.#nextTryMs);
    if (now.monotonicMs < dueMs) {
      this.#wakeMs = Math.min(this.#wakeMs, dueMs);
      return undefined;
    }
    return this.#draw("full", now, alone);
  }

  #drawExtra(now: Moment, alone: boolean): Due | undefined {
    const { dial, maxOutbound } = this.#options.config;
    const { blocksOnlyMax, feelerEveryMs, staleTipMs } = dial;
    if (this.taken("blocks") < blocksOnlyMax) {
      const drawn = this.#draw("blocks", now, alone);
      if (drawn !== undefined) return drawn;
    }
    const extra = Math.max(0, this.taken("full") - maxOutbound);
    if (this.#connected("full") > maxOutbound) {
      this.#nextTryMs = now.monotonicMs + staleTipMs / TRIES_PER_STALE;
      const tiredMs = this.#leastUseful()?.tiredMs ?? Number.POSITIVE_INFINITY;
      this.#wakeMs = Math.min(this.#wakeMs, Math.max(tiredMs, now.monotonicMs + dial.drawEveryMs));
    }
    if (feelerEveryMs === 0 || this.taken("feeler") + extra >= FEELERS_MAX) return undefined;
    const drawn = this.#drawForTip(now, alone);
    if (drawn !== undefined) return drawn;
    this.#nextFeelerMs ??= this.#feelerAfter(now.monotonicMs);
    this.#wakeMs = Math.min(this.#wakeMs, this.#nextFeelerMs);
    if (now.monotonicMs < this.#nextFeelerMs) return undefined;
    this.#nextFeelerMs = this.#feelerAfter(now.monotonicMs);
    this.#wakeMs = Math.min(this.#wakeMs, this.#nextFeelerMs);
    return this.#feeler(now, alone);
  }

  /** Whoever holds the place of another one is tested first. */
  #feeler(now: Moment, alone: boolean): Due | undefined {
    const { addresses, endpoints, isHere } = this.#options;
    const here = this.#addressesThat(({ state }) => state === "connected");
    // Whoever dialed us from there cannot be dialed besides: that it is here proves as much.
    const proves = ({ address, endpoint, peerId }: KnownAddress): boolean =>
      here.has(address) || (peerId !== undefined && isHere(peerId, endpoint.host));
    const contested = addresses.contested(now.wallMs, proves);
    const known = this.#addressesThat(() => true);
    const weightOf = (one: KnownAddress): number =>
      known.has(one.address) ? 0 : this.#welcomeOf(one.peerId, now.monotonicMs);
    const tested =
      contested !== undefined && weightOf(contested) > 0
        ? contested
        : addresses.draw({ now, alone, onlyNew: true, weightOf }).known;
    const target = tested && endpoints.add(tested.endpoint, "book");
    return target && { target, purpose: "feeler" };
  }

  #draw(purpose: Purpose, now: Moment, alone: boolean): Due | undefined {
    const { addresses, config, endpoints } = this.#options;
    const { drawEveryMs, perGroupMax, exemptLocal } = config.dial;
    const { monotonicMs: nowMs } = now;
    if (nowMs < this.#nextDrawMs) {
      this.#wakeMs = Math.min(this.#wakeMs, this.#nextDrawMs);
      return undefined;
    }
    const known = this.#addressesThat(() => true);
    const groups = this.#takenGroups();
    const weightOf = ({ address, endpoint, group, peerId }: KnownAddress): number => {
      if (known.has(address)) return 0;
      const isExempt = exemptLocal && isLocalHost(endpoint.host);
      if (!isExempt && (groups.get(group) ?? 0) >= perGroupMax) return 0;
      return this.#welcomeOf(peerId, nowMs);
    };
    // Also where none was found: to look through the whole book takes milliseconds.
    this.#nextDrawMs = nowMs + drawEveryMs;
    const draw = addresses.draw({ now, alone, weightOf });
    this.#wakeMs = Math.min(this.#wakeMs, wakeOf(draw, this.#nextDrawMs));
    this.#isEmpty = draw.known === undefined;
    const target = draw.known && endpoints.add(draw.known.endpoint, "book");
    if (draw.known === undefined || target === undefined) return undefined;
    // So it is known who cannot be reached, if nobody can.
    if (draw.known.foundWallMs !== 0) target.peerId = draw.known.peerId;
    return { target, purpose };
  }

  /** The lowest first; undefined: not now. */
  #rankOf(target: KnownEndpoint, nowMs: number): number | undefined {
    const { classOf, endpoints } = this.#options;
    if (endpoints.isWanted(target)) return WANTED;
    const peerId = peerAt(target);
    const peerClass = peerId === undefined ? "neutral" : classOf(peerId, nowMs);
    return peerClass && RANKS[peerClass];
  }

  /** In [0, 1]: of whoever may be there; 0: not now. */
  #welcomeOf(peerId: PeerId | undefined, nowMs: number): number {
    const peerClass = peerId === undefined ? "neutral" : this.#options.classOf(peerId, nowMs);
    return peerClass === undefined ? 0 : WELCOMES[peerClass];
  }

  #feelerAfter(nowMs: number): number {
    return nowMs + (0.5 + this.#options.float()) * this.#options.config.dial.feelerEveryMs;
  }

  #connected(purpose: Purpose): number {
    return this.#count((target) => target.state === "connected" && target.purpose === purpose);
  }

  #count(among: (target: KnownEndpoint) => boolean): number {
    const { endpoints, isReserved } = this.#options;
    let count = 0;
    for (const target of endpoints.all()) if (among(target) && !isReserved(target)) count++;
    return count;
  }

  /** Of those that are dialed, whatever identity they pin. */
  #addressesThat(are: (target: KnownEndpoint) => boolean): ReadonlySet<string> {
    const among = [...this.#options.endpoints.all()].filter(are);
    return new Set(among.map(({ endpoint }) => plainAddress(endpoint)));
  }

  /** How many connections, those under way too, each address group has. */
  #takenGroups(): ReadonlyMap<string, number> {
    const groups = new Map<string, number>();
    for (const { endpoint, purpose, state } of this.#options.endpoints.all()) {
      if (state === "idle" || purpose === "feeler") continue;
      const group = this.#options.addresses.groupOf(endpoint.host);
      groups.set(group, (groups.get(group) ?? 0) + 1);
    }
    return groups;
  }
}

function isOfLessUse(one: Service, other: Service): boolean {
  const { usefulBlockMs: last = Number.NEGATIVE_INFINITY } = one;
  const { usefulBlockMs: otherLast = Number.NEGATIVE_INFINITY } = other;
  return last === otherLast ? one.readySinceMs > other.readySinceMs : last < otherLast;
}

function wakeOf({ known, nextMs }: Draw, nextDrawMs: number): number {
  if (known !== undefined) return nextDrawMs;
  return Math.max(nextMs ?? Number.POSITIVE_INFINITY, nextDrawMs);
}
