// Fetcher: what is wanted, by id, of peers that announced it. Every announcer of an id is kept; one
// is asked, and the next when it is silent, refuses or does not have it. Pure, with the time passed
// in: its owner tells it what peers said and sends the requests that it plans.
// After Bitcoin Core's TxRequestTracker (all announcers, a bound for each, one asked at a time) and
// reth's TransactionFetcher (bounds for what is in flight, of a peer and in all).

import { invariant } from "../../errors.js";
import {
  bestOf,
  delivered,
  failed,
  givesWay,
  isFree,
  newAnnouncer,
  nothingCutOff,
  patienceMs,
  rest,
  type Announcer,
  type FetchLimits,
  type Request,
} from "./fetch-announcer.js";

/** Ids to be asked of one announcer. */
export interface PlannedRequest<Id, Source> {
  readonly tag: number;
  readonly to: Source;
  readonly ids: readonly Id[];
}

interface Want<Id, Source> {
  readonly sinceMs: number;
  /** Who was not asked yet, in the order of announcements. */
  readonly offeredBy: Announcer<Id, Source>[];
  readonly askedOf: Request<Id, Source>[];
  /** A body is here and is being judged. */
  held: boolean;
}

/** What could not be asked for in this time is given up, nor is anybody asked again after it. */
const OFFER_MS_MAX = 120_000;

export class Fetcher<Id, Source> {
  readonly #limits: FetchLimits;
  readonly #wants = new Map<Id, Want<Id, Source>>();
  readonly #announcers = new Map<string, Announcer<Id, Source>>();
  readonly #requests = new Map<number, Request<Id, Source>>();
  #offerCount = 0;
  #leasedBytes = 0;
  #nextTag = 1;
  /** Counts what may let somebody be asked who could not be asked before. */
  #changes = 0;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
  }

  /** Nothing is wanted, and nobody owes an answer. */
  get idle(): boolean {
    return this.#wants.size === 0 && this.#requests.size === 0;
  }

  /** What unanswered requests may still bring. */
  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  get offerCount(): number {
    return this.#offerCount;
  }

  has(id: Id): boolean {
    return this.#wants.has(id);
  }

  /** True if this announcer is new. What is beyond its bound is not remembered. */
  announced(key: string, source: Source, ids: readonly Id[], nowMs: number): boolean {
    const known = this.#announcers.get(key);
    const announcer = known ?? newAnnouncer<Id, Source>(source, this.#limits);
    if (known === undefined) this.#announcers.set(key, announcer);
    for (const id of ids) {
      const want = this.#wants.get(id);
      const owed = want?.askedOf.some((request) => request.announcer === announcer) ?? false;
      if (owed || announcer.offers.has(id)) continue;
      if (!this.#hasRoom(announcer)) break;
      this.#offer(id, announcer, nowMs);
    }
    return known === undefined;
  }

  /** Its body came, in whatever way, and is good or bad for all: nobody is asked any more. */
  arrived(id: Id): void {
    const want = this.#wants.get(id);
    if (want === undefined) return;
    for (const announcer of want.offeredBy) this.#withdraw(id, announcer);
    this.#wants.delete(id);
  }

  /** A body came that may not be the true one: nobody is asked until it is judged. */
  hold(id: Id): void {
    const want = this.#wants.get(id);
    if (want !== undefined) want.held = true;
  }

  /** It was not: the others are asked. */
  letGo(id: Id): void {
    const want = this.#wants.get(id);
    if (want === undefined) return;
    want.held = false;
    this.#changes++;
    this.#forgetIfNobodyHas(id, want);
  }

  /**
   * An answer: the ids of what it holds, which are in hand. Returns those that were asked for, nothing
   * when the request is not known: it was of a peer that left. Servers
   * keep to the order of the request, so that what follows the last one may have been cut off and is
   * asked for again; what comes before it they do not have.
   */
  answered(tag: number, ids: readonly Id[], nowMs: number): ReadonlySet<Id> | undefined {
    const request = this.#requests.get(tag);
    if (request === undefined) return undefined;
    const { announcer } = request;
    const held = new Set(ids);
    const brought = new Set(request.ids.filter((id) => held.has(id)));
    const last = request.ids.findLastIndex((id) => held.has(id));
    const short = last + 1 < request.ids.length;
    this.#end(request);
    if (brought.size === 0) {
      // What came by another way meanwhile was confirmed meanwhile, perhaps.
      if (request.ids.some((id) => this.#wants.has(id))) this.#failed(request);
      nothingCutOff(announcer, request.ids.length, this.#limits);
    } else {
      const elapsedMs = nowMs - request.sinceMs;
      delivered(announcer, { count: last + 1, short, elapsedMs }, this.#limits);
    }
    for (const [index, id] of request.ids.entries()) {
      this.#settle(id, request, brought.size > 0 && index > last ? nowMs : undefined);
    }
    return brought;
  }

  /** A request failed. `busy`: the peer may be asked for the same later. */
  failed(tag: number, nowMs: number, busy = false): void {
    const request = this.#requests.get(tag);
    if (request === undefined) return;
    this.#end(request);
    this.#failed(request);
    if (busy) rest(request.announcer, nowMs);
    for (const id of request.ids) this.#settle(id, request, busy ? nowMs : undefined);
  }

  /** An announcer left: what it owed does not come. */
  gone(key: string): void {
    const announcer = this.#announcers.get(key);
    if (announcer === undefined) return;
    this.#announcers.delete(key);
    for (const id of [...announcer.offers.keys()]) this.#revoke(id, announcer);
    for (const request of [...announcer.requests]) {
      this.#end(request);
      for (const id of request.ids) this.#settle(id, request, undefined);
    }
  }

  /**
   * Whom to ask for what now. To be called when something was told, and every now and then while
   * anything is wanted. `heldBytes`: of bodies that the owner still holds. `isHeld`: answers of this
   * announcer wait for this node to read them.
   */
  plan(
    nowMs: number,
    heldBytes = 0,
    isHeld: (source: Source) => boolean = () => false,
  ): readonly PlannedRequest<Id, Source>[] {
    this.#lapse(nowMs, isHeld);
    const planned: PlannedRequest<Id, Source>[] = [];
    for (let found = true; found;) {
      found = false;
      // One request each, then another round: nobody takes all the room.
      for (const announcer of this.#askable(nowMs)) {
        const freeBytes = this.#limits.bytesMax - this.#leasedBytes - heldBytes;
        const countMax = this.#countFor(freeBytes, announcer);
        if (countMax === 0) return planned;
        const ids = this.#idsFor(announcer, countMax, nowMs);
        if (ids.length === 0) announcer.fruitless = this.#changes;
        else planned.push(this.#ask(announcer, ids, nowMs));
        found ||= ids.length > 0;
      }
    }
    return planned;
  }

  invariants(): void {
    const { bytesMax, offersMax, offersPerAnnouncerMax, requestsPerAnnouncerMax } = this.#limits;
    let leased = 0;
    for (const { leaseBytes, late } of this.#requests.values()) {
      invariant(!late || leaseBytes === 0, "what is late holds no lease");
      leased += leaseBytes;
    }
    invariant(leased === this.#leasedBytes && leased <= bytesMax, `${leased} bytes are leased`);
    let offers = 0;
    for (const announcer of this.#announcers.values()) {
      const { offers: own, requests, askedCount } = announcer;
      offers += own.size;
      let asked = 0;
      for (const { ids } of requests) asked += ids.length;
      invariant(asked === askedCount, "what an announcer owes is counted");
      invariant(requests.size <= requestsPerAnnouncerMax, `${requests.size} requests of one peer`);
      invariant(own.size <= offersPerAnnouncerMax, `${own.size} offers of one peer`);
      for (const id of own.keys()) {
        invariant(this.#wants.get(id)?.offeredBy.includes(announcer), "what is offered is wanted");
      }
    }
    invariant(offers === this.#offerCount && offers <= offersMax, `${offers} offers`);
    for (const { offeredBy, askedOf, held } of this.#wants.values()) {
      invariant(offeredBy.length + askedOf.length > 0 || held, "somebody has what is wanted");
      for (const { tag } of askedOf) invariant(this.#requests.has(tag), "it is asked for");
    }
  }

  atRest(): void {
    invariant(this.#requests.size === 0, `${this.#requests.size} requests are owed`);
    invariant(this.#wants.size === 0, `${this.#wants.size} ids are wanted`);
  }

  // ---- offers ----

  /** Whoever offers most gives way, so that nobody crowds out those who offer little. */
  #hasRoom(announcer: Announcer<Id, Source>): boolean {
    const { offersMax, offersPerAnnouncerMax } = this.#limits;
    if (announcer.offers.size + announcer.askedCount >= offersPerAnnouncerMax) return false;
    if (this.#offerCount < offersMax) return true;
    let most = announcer;
    for (const other of this.#announcers.values()) {
      if (other.offers.size > most.offers.size) most = other;
    }
    if (most.offers.size <= announcer.offers.size + 1) return false;
    const [oldest] = most.offers.keys();
    this.#revoke(oldest!, most);
    return true;
  }

  #offer(id: Id, announcer: Announcer<Id, Source>, nowMs: number): void {
    let want = this.#wants.get(id);
    if (want === undefined) {
      want = { sinceMs: nowMs, offeredBy: [], askedOf: [], held: false };
      this.#wants.set(id, want);
    }
    want.offeredBy.push(announcer);
    announcer.offers.set(id, nowMs);
    announcer.fruitless = -1;
    this.#offerCount++;
  }

  #withdraw(id: Id, announcer: Announcer<Id, Source>): void {
    if (announcer.offers.delete(id)) this.#offerCount--;
  }

  #revoke(id: Id, announcer: Announcer<Id, Source>): void {
    this.#withdraw(id, announcer);
    const want = this.#wants.get(id);
    if (want === undefined) return;
    remove(want.offeredBy, announcer);
    this.#forgetIfNobodyHas(id, want);
  }

  #forgetIfNobodyHas(id: Id, { offeredBy, askedOf, held }: Want<Id, Source>): void {
    if (!held && offeredBy.length + askedOf.length === 0) this.#wants.delete(id);
  }

  // ---- requests ----

  /** By their record, then by how long they are known. */
  #askable(nowMs: number): readonly Announcer<Id, Source>[] {
    const able: Announcer<Id, Source>[] = [];
    for (const announcer of this.#announcers.values()) {
      if (announcer.offers.size === 0 || announcer.fruitless === this.#changes) continue;
      if (isFree(announcer, nowMs)) able.push(announcer);
    }
    return able.sort((left, right) => left.record - right.record);
  }

  #countFor(freeBytes: number, { batch }: Announcer<Id, Source>): number {
    const { answerBytesMax, bodyBytesMax, idsPerRequestMax } = this.#limits;
    const wanted = Math.min(batch, idsPerRequestMax);
    if (freeBytes >= answerBytesMax) return wanted;
    return Math.max(0, Math.min(wanted, Math.floor(freeBytes / bodyBytesMax)));
  }

  #idsFor(announcer: Announcer<Id, Source>, countMax: number, nowMs: number): readonly Id[] {
    const ids: Id[] = [];
    for (const id of announcer.offers.keys()) {
      const want = this.#wants.get(id)!;
      if (want.held || !want.askedOf.every((request) => givesWay(request, announcer))) continue;
      if (bestOf(want.offeredBy, nowMs) !== announcer) continue;
      ids.push(id);
      if (ids.length === countMax) break;
    }
    return ids;
  }

  #ask(
    announcer: Announcer<Id, Source>,
    ids: readonly Id[],
    nowMs: number,
  ): PlannedRequest<Id, Source> {
    const { answerBytesMax, bodyBytesMax } = this.#limits;
    const request: Request<Id, Source> = {
      tag: this.#nextTag++,
      announcer,
      ids,
      sinceMs: nowMs,
      dueMs: nowMs + patienceMs(announcer, this.#limits),
      leaseBytes: Math.min(ids.length * bodyBytesMax, answerBytesMax),
      late: false,
    };
    for (const id of ids) {
      const want = this.#wants.get(id)!;
      this.#withdraw(id, announcer);
      remove(want.offeredBy, announcer);
      want.askedOf.push(request);
    }
    announcer.requests.add(request);
    announcer.askedCount += ids.length;
    // What was left to it is for others, once it can take no more.
    if (!isFree(announcer, nowMs)) this.#changes++;
    this.#requests.set(request.tag, request);
    this.#leasedBytes += request.leaseBytes;
    return { tag: request.tag, to: announcer.source, ids };
  }

  /** A late request holds nobody up, nor any bytes; its answer is taken when it comes after all. */
  #lapse(nowMs: number, isHeld: (source: Source) => boolean): void {
    for (const request of this.#requests.values()) {
      if (request.late || request.dueMs > nowMs) continue;
      if (nowMs - request.sinceMs < OFFER_MS_MAX && isHeld(request.announcer.source)) continue;
      this.#failed(request);
      request.late = true;
      this.#release(request);
    }
    for (const announcer of this.#announcers.values()) {
      for (const [id, sinceMs] of announcer.offers) {
        if (nowMs - sinceMs < OFFER_MS_MAX) break;
        this.#revoke(id, announcer);
      }
    }
  }

  #release(request: Request<Id, Source>): void {
    this.#leasedBytes -= request.leaseBytes;
    request.leaseBytes = 0;
    this.#changes++;
  }

  #end(request: Request<Id, Source>): void {
    this.#requests.delete(request.tag);
    request.announcer.requests.delete(request);
    request.announcer.askedCount -= request.ids.length;
    this.#release(request);
  }

  /** Once a request, when it is late or when it ends without anything. */
  #failed({ announcer, late }: Request<Id, Source>): void {
    if (!late) failed(announcer);
  }

  /** The request ended for this id. `againMs`: the announcer may still have it. */
  #settle(id: Id, request: Request<Id, Source>, againMs: number | undefined): void {
    const want = this.#wants.get(id);
    // It may have come meanwhile, gone, and been announced again.
    if (want === undefined || !remove(want.askedOf, request)) return;
    const again = againMs !== undefined && againMs - want.sinceMs < OFFER_MS_MAX;
    if (again) this.#offer(id, request.announcer, againMs);
    else this.#forgetIfNobodyHas(id, want);
  }
}

function remove<T>(list: T[], item: T): boolean {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}
