// The requests of this side: a queue a kind for those that wait for a place or for the peer's quota,
// a table of those that the peer owes an answer to, and the deadlines of both, counted from the
// moment a request was wanted. Pure; owned by a session.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import { REQUEST_ID_MAX } from "../codec/frame.js";
import { Fifo } from "../fifo.js";
import { LateMap } from "../late-map.js";
import { KindTable } from "../types/kind-table.js";
import {
  KINDS,
  REQUEST_KINDS,
  type Lane,
  type WireKind,
  type WireMessage,
} from "../types/message.js";
import type { ServeQuota, ToldQuota } from "../types/node-info.js";
import { bytesLimit, isQuota } from "./quotas.js";
import { RateLimit } from "./rate-limit.js";
import { firstOf, itemsAsked, mayAnswer } from "./request-items.js";

/** A request that has no place yet. */
export interface WantedRequest<A> {
  readonly message: WireMessage;
  /** Whoever wants to hear its outcome. */
  readonly asker: A;
  /** Items asked for: what the peer's quota counts, and the most that an answer may hold. */
  readonly items: number;
  wantedMs: number;
}

export interface SentRequest<A> {
  readonly requestId: number;
  readonly kind: WireKind;
  readonly asker: A;
  readonly items: number;
  /** Later by what this side held itself up since. */
  sentMs: number;
  heldMs: number;
  /** Infinity: the answer is here, and only this node is still busy with it. */
  dueMs: number;
  /** Bytes of answers that had come on its lane when this was sent. */
  readonly answerBytesBefore: number;
}

export type Settlement<A> =
  | { readonly type: "answered"; readonly request: SentRequest<A> }
  /** Its request timed out before: no offence. */
  | { readonly type: "late" }
  | { readonly type: "unsolicited" }
  | { readonly type: "wrongKind"; readonly request: SentRequest<A> };

/** What to do with the next request that waits. */
export type Due<A> =
  | { readonly type: "send"; readonly request: WantedRequest<A> }
  /** More than the peer ever serves at once, or later than an answer is waited for. */
  | { readonly type: "refuse"; readonly request: WantedRequest<A> };

/**
 * What the peer answers meanwhile on the request's lane prolongs its deadline: an answer that
 * arrives over a slow link, behind others, is not late while they arrive at this rate. Nothing else
 * does: pings and news cost a peer nothing. 512 kbit/s, half of what CometBFT asks of a peer.
 */
export const ARRIVING_BYTES_PER_MS_MIN = 64;
/** What may come before an answer: eight ranges of the soft limit, or one of the largest blocks. */
const ARRIVING_BYTES_MAX = 4 * 1024 * 1024;
/** So long a request may be prolonged by what this side holds back itself: all must end some time. */
const HELD_MS_MAX = 120_000;
const WAITING_MAX = 256;
/** RFC 6298's gain. */
const GAIN = 1 / 8;

/** The waiting requests of one kind, in order of wanting. */
interface Queue<A> {
  readonly kind: WireKind;
  readonly waiting: Fifo<WantedRequest<A>>;
}

type Settings = NetworkConfig["requests"];

export class OwnRequests<A> {
  readonly #settings: Settings;
  readonly #kinds: KindTable;
  /** Of the kinds that were wanted so far, those of more urgent lanes first. */
  #queues: readonly Queue<A>[] = [];
  #waitingCount = 0;
  /** The peer's quotas, mirrored. */
  readonly #quotas = new LateMap<WireKind, RateLimit>();
  /** The same in bytes of answers: what came is charged, and while it is too much nothing is asked. */
  readonly #byteQuotas = new LateMap<WireKind, RateLimit>();
  /** In order of sending. */
  readonly #pending = new LateMap<number, SentRequest<A>>();
  /** Timed out and still unanswered: a late answer is told from a made-up one. By id. */
  readonly #expired = new LateMap<number, WireKind>();
  /** Of both: those for transactions. */
  #transactionsOpen = 0;
  #nextId: number;
  #smoothedMs: number | undefined;

  /** `kinds`: of its connection. */
  constructor(settings: Settings, firstId = 1, kinds = new KindTable()) {
    this.#settings = settings;
    this.#kinds = kinds;
    this.#nextId = firstId;
  }

  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#waitingCount === 0;
  }

  /** Of several for a kind the last counts, others mean nothing; of services' own both sides know. */
  keepTo(quotas: readonly ServeQuota[]): void {
    for (const quota of quotas) {
      const kind = requestKindOf(quota.kind);
      if (kind !== undefined) this.#quotas.set(kind, new RateLimit(quota));
    }
    for (const { kind, role, rate } of this.#kinds.own) {
      if (role === "request" && rate) this.#quotas.set(kind, new RateLimit(rate));
    }
  }

  /** What the peer serves in items and bytes. */
  keepToAll(quotas: readonly ToldQuota[]): void {
    const known = quotas.filter(isQuota);
    this.keepTo(known);
    for (const quota of known) {
      const kind = requestKindOf(quota.kind);
      if (kind !== undefined) this.#byteQuotas.set(kind, bytesLimit(quota));
    }
  }

  /** False: too many wait. */
  want(message: WireMessage, asker: A, nowMs: number): boolean {
    if (this.#waitingCount >= WAITING_MAX) return false;
    const { kind } = message;
    const items = itemsAsked(this.#kinds.rule(kind), message);
    this.#queueOf(kind).waiting.push({ message, asker, items, wantedMs: nowMs });
    this.#waitingCount++;
    return true;
  }

  #queueOf(kind: WireKind): Queue<A> {
    for (const queue of this.#queues) if (queue.kind === kind) return queue;
    const queue: Queue<A> = { kind, waiting: new Fifo<WantedRequest<A>>() };
    const { requestKinds } = this.#kinds;
    // Made to measure: most have one, and an array that is filled one by one takes room for 17.
    this.#queues = this.#queues
      .concat([queue])
      .sort((a, b) => requestKinds.indexOf(a.kind) - requestKinds.indexOf(b.kind));
    return queue;
  }

  /** Takes out the next request that has a place within the peer's quota, whose items it charges. */
  next(nowMs: number): Due<A> | undefined {
    if (this.#waitingCount === 0 || this.#full) return undefined;
    for (const { kind, waiting } of this.#queues) {
      const wanted = waiting.first;
      if (wanted === undefined || !this.hasRoom(kind)) continue;
      const quota = this.#quotas.get(kind);
      const request = this.#within(wanted, quota);
      const bytesMs = this.#byteWaitMs(kind, nowMs);
      if (bytesMs > 0 || quota?.take(request.items, nowMs) === false) {
        const leftMs = request.wantedMs + this.#settings.timeoutMaxMs - nowMs;
        const itemsMs = quota?.waitMs(request.items, nowMs) ?? 0;
        if (Math.max(bytesMs, itemsMs) <= leftMs) continue;
        this.#takeFirst(waiting);
        return { type: "refuse", request };
      }
      this.#takeFirst(waiting);
      return { type: "send", request };
    }
    return undefined;
  }

  /** Of a peer that never serves so many at once, what it does serve is asked for. */
  #within(request: WantedRequest<A>, quota: RateLimit | undefined): WantedRequest<A> {
    if (quota === undefined || request.items <= quota.burstItems) return request;
    return firstOf(this.#kinds.rule(request.message.kind), request, quota.burstItems);
  }

  /** It leaves now. `answerBytes`: bytes of answers that came on its lane so far. Its id. */
  sent(
    { message, asker, items, wantedMs }: WantedRequest<A>,
    nowMs: number,
    answerBytes = 0,
  ): number {
    const requestId = this.#nextId;
    this.#nextId = requestId === REQUEST_ID_MAX ? 1 : requestId + 1;
    const { timeoutMaxMs, timeoutMinMs } = this.#settings;
    // However long it waited for its place, the peer has the least time for an answer.
    const lastMs = Math.max(wantedMs + timeoutMaxMs, nowMs + timeoutMinMs);
    this.#countOpen(message.kind, 1);
    this.#pending.set(requestId, {
      requestId,
      kind: message.kind,
      asker,
      items,
      sentMs: nowMs,
      heldMs: 0,
      dueMs: Math.min(nowMs + this.timeoutMs, lastMs),
      answerBytesBefore: answerBytes,
    });
    return requestId;
  }

  /** When a quota lets the next one go; Infinity: none waits for a quota. */
  quotaWaitMs(nowMs: number): number {
    let waitMs = Number.POSITIVE_INFINITY;
    if (this.#waitingCount === 0) return waitMs;
    for (const { kind, waiting } of this.#queues) {
      const { first } = waiting;
      if (first === undefined || !this.hasRoom(kind)) continue;
      const quota = this.#quotas.get(kind);
      const itemsMs = quota?.waitMs(this.#within(first, quota).items, nowMs) ?? 0;
      const ownMs = Math.max(itemsMs, this.#byteWaitMs(kind, nowMs));
      // It waits for the queue, which makes room by itself.
      if (ownMs > 0) waitMs = Math.min(waitMs, ownMs);
    }
    return waitMs;
  }

  /**
   * A request that timed out keeps its place until it is answered: behind a stalled link it may
   * still reach the peer, which counts all that waits and takes too many for a flood.
   */
  get #full(): boolean {
    return this.#pending.size + this.#expired.size >= this.#settings.inFlightMax;
  }

  /** Transactions leave half of all places to blocks, headers and ranges. */
  hasRoom(kind: WireKind): boolean {
    if (this.#full) return false;
    if (!this.#isForTransactions(kind)) return true;
    return 2 * this.#transactionsOpen < this.#settings.inFlightMax;
  }

  /** No place is left, and no deadline will make one. */
  get abandoned(): boolean {
    return this.#full && this.#pending.size === 0;
  }

  /** reth's rule: three smoothed response times, within bounds. */
  get timeoutMs(): number {
    const { timeoutMinMs, timeoutMaxMs, rttFactor } = this.#settings;
    if (this.#smoothedMs === undefined) return timeoutMaxMs;
    return Math.max(timeoutMinMs, Math.min(timeoutMaxMs, rttFactor * this.#smoothedMs));
  }

  /** Why no answer of this kind may come: asked at each fragment, before it is kept. */
  objection(requestId: number, kind: WireKind): string | undefined {
    const request = this.#pending.get(requestId);
    if (request === undefined) {
      return this.#expired.has(requestId) ? undefined : `an unsolicited ${kind}`;
    }
    if (this.#mayAnswer(request, kind)) return undefined;
    return `${request.kind} answered by ${kind}`;
  }

  /** `bytes`: of the answer's payload. */
  settle(requestId: number, kind: WireKind, nowMs: number, bytes = 0): Settlement<A> {
    const request = this.#pending.get(requestId);
    const asked = request?.kind ?? this.#expired.get(requestId);
    if (asked !== undefined) this.#byteQuotas.get(asked)?.charge(bytes);
    if (request === undefined) {
      const expired = this.#expired.get(requestId);
      if (expired === undefined) return { type: "unsolicited" };
      this.#expired.delete(requestId);
      this.#countOpen(expired, -1);
      return { type: "late" };
    }
    this.#pending.delete(requestId);
    this.#countOpen(request.kind, -1);
    if (!this.#mayAnswer(request, kind)) {
      return { type: "wrongKind", request };
    }
    const elapsedMs = nowMs - request.sentMs;
    this.#smoothedMs =
      this.#smoothedMs === undefined
        ? elapsedMs
        : this.#smoothedMs + GAIN * (elapsedMs - this.#smoothedMs);
    return { type: "answered", request };
  }

  /** The whole answer has arrived; `settle` follows when this node has decoded it. */
  arrived(requestId: number): void {
    const request = this.#pending.get(requestId);
    if (request !== undefined) request.dueMs = Number.POSITIVE_INFINITY;
  }

  /** This node was not awake to hear answers: every request gets its whole time again. */
  renew(nowMs: number): void {
    const dueMs = nowMs + this.timeoutMs;
    for (const request of this.#pending.values()) request.dueMs = Math.max(request.dueMs, dueMs);
    for (const { waiting } of this.#queues) {
      for (const request of waiting.items()) request.wantedMs = nowMs;
    }
  }

  /** This side was kept from hearing answers for so long, by limits of its own. */
  prolong(heldMs: number, nowMs: number): void {
    for (const request of this.#pending.values()) {
      const more = Math.min(heldMs, HELD_MS_MAX - request.heldMs, nowMs - request.sentMs);
      request.heldMs += more;
      request.sentMs += more;
      request.dueMs += more;
    }
    for (const { waiting } of this.#queues) {
      for (const request of waiting.items()) request.wantedMs += heldMs;
    }
  }

  /** Takes out sent requests that are due. `answerBytes`: those of a lane so far. */
  expire(nowMs: number, answerBytes: (lane: Lane) => number): readonly SentRequest<A>[] {
    const due: SentRequest<A>[] = [];
    for (const request of this.#pending.values()) {
      const arrived = answerBytes(this.#kinds.rule(request.kind).lane) - request.answerBytesBefore;
      const graceMs = Math.min(arrived, ARRIVING_BYTES_MAX) / ARRIVING_BYTES_PER_MS_MIN;
      if (request.dueMs + graceMs <= nowMs) due.push(request);
    }
    for (const { requestId, kind } of due) {
      this.#pending.delete(requestId);
      this.#expired.set(requestId, kind);
    }
    return due;
  }

  /** Takes out requests that found no place in time. */
  expireWaiting(nowMs: number): readonly WantedRequest<A>[] {
    const due: WantedRequest<A>[] = [];
    for (const { waiting } of this.#queues) {
      for (;;) {
        const { first } = waiting;
        if (first === undefined || first.wantedMs + this.#settings.timeoutMaxMs > nowMs) break;
        due.push(first);
        this.#takeFirst(waiting);
      }
    }
    return due;
  }

  #byteWaitMs(kind: WireKind, nowMs: number): number {
    return this.#byteQuotas.get(kind)?.roomInMs(0, nowMs) ?? 0;
  }

  #isForTransactions(kind: WireKind): boolean {
    return this.#kinds.rule(kind).lane === "transaction";
  }

  #mayAnswer({ kind }: SentRequest<A>, answer: WireKind): boolean {
    return mayAnswer(this.#kinds.rule(kind), answer, this.#kinds.rule(answer));
  }

  #countOpen(kind: WireKind, by: 1 | -1): void {
    if (this.#isForTransactions(kind)) this.#transactionsOpen += by;
  }

  #takeFirst(waiting: Fifo<WantedRequest<A>>): void {
    waiting.shift();
    this.#waitingCount--;
  }

  /** Takes out all of them: the connection ends. */
  drain(): readonly A[] {
    const askers = [...this.#pending.values()].map(({ asker }) => asker);
    for (const { waiting } of this.#queues) {
      for (const { asker } of waiting.items()) askers.push(asker);
    }
    for (const { kind } of this.#pending.values()) this.#countOpen(kind, -1);
    this.#pending.clear();
    this.#queues = [];
    this.#waitingCount = 0;
    return askers;
  }

  /** Answered are also those that timed out: an honest peer answers late. */
  atRest(): void {
    invariant(this.#pending.size === 0, `${this.#pending.size} requests wait for their answer`);
    invariant(this.#expired.size === 0, `${this.#expired.size} requests wait for a late answer`);
    invariant(this.#waitingCount === 0, `${this.#waitingCount} requests wait to be sent`);
  }

  invariants(): void {
    const open = this.#pending.size + this.#expired.size;
    invariant(open <= this.#settings.inFlightMax, `${open} requests in flight`);
    let waits = 0;
    for (const { waiting } of this.#queues) waits += waiting.length;
    invariant(waits === this.#waitingCount && waits <= WAITING_MAX, `${waits} wait`);
    let transactions = 0;
    for (const { kind } of this.#pending.values())
      if (this.#isForTransactions(kind)) transactions++;
    for (const kind of this.#expired.values()) if (this.#isForTransactions(kind)) transactions++;
    invariant(transactions === this.#transactionsOpen, "open requests are miscounted");
  }
}

const requestKindOf = (code: number): WireKind | undefined =>
  REQUEST_KINDS.find((kind) => KINDS[kind].code === code);
