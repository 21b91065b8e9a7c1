// The requests that one peer owes us an answer to: ids, adaptive deadlines, late answers. Pure;
// owned by a PeerHandler.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import { KINDS, type Message, type MessageKind } from "../../protocol/types/message.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { RequestOutcome } from "./peer-handler-messages.js";

export interface PendingRequest {
  readonly requestId: number;
  readonly kind: MessageKind;
  readonly tag: number;
  readonly replyTo: ActorRef<RequestOutcome>;
  readonly sentMs: number;
  readonly dueMs: number;
  /** Bytes that had come from the peer when this was sent. */
  readonly bytesBefore: number;
}

export type Settlement =
  | { readonly type: "answered"; readonly request: PendingRequest }
  /** Its request timed out before: no offence. */
  | { readonly type: "late" }
  | { readonly type: "unsolicited" }
  | { readonly type: "wrongKind"; readonly request: PendingRequest };

const REQUEST_ID_MAX = 2 ** 32 - 1;
/**
 * What the peer sends meanwhile prolongs a deadline at this rate: an answer that arrives over a
 * slow link is not late while it arrives, and a peer that drips gains nothing. 64 kbit/s.
 */
const ARRIVING_BYTES_PER_MS_MIN = 8;
/** RFC 6298's gain. */
const GAIN = 1 / 8;

type Settings = NetworkConfig["requests"];

export class RequestTable {
  readonly #settings: Settings;
  /** In order of sending. */
  readonly #pending = new Map<number, PendingRequest>();
  /** Timed out and still unanswered: a late answer is told from a made-up one. */
  readonly #expired = new Set<number>();
  #nextId: number;
  #smoothedMs: number | undefined;

  constructor(settings: Settings, firstId = 1) {
    this.#settings = settings;
    this.#nextId = firstId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * A request that timed out keeps its place until it is answered: behind a stalled link it may
   * still reach the peer, which counts all that waits and takes too many for a flood.
   */
  get full(): boolean {
    return this.#pending.size + this.#expired.size >= this.#settings.inFlightMax;
  }

  /** Transactions leave half of all places to blocks, headers and ranges. */
  hasRoom(kind: MessageKind): boolean {
    if (this.full) return false;
    if (KINDS[kind].lane !== "transaction") return true;
    let taken = 0;
    for (const request of this.#pending.values()) {
      if (KINDS[request.kind].lane === "transaction") taken++;
    }
    return 2 * taken < this.#settings.inFlightMax;
  }

  /** No place is left, and no deadline will make one. */
  get abandoned(): boolean {
    return this.full && this.#pending.size === 0;
  }

  /** reth's rule: three smoothed response times, within bounds. */
  get timeoutMs(): number {
    const { timeoutMinMs, timeoutMaxMs, rttFactor } = this.#settings;
    if (this.#smoothedMs === undefined) return timeoutMaxMs;
    return Math.max(timeoutMinMs, Math.min(timeoutMaxMs, rttFactor * this.#smoothedMs));
  }

  /** `bytesIn`: all bytes that came from the peer so far. */
  add(
    message: Message,
    tag: number,
    replyTo: ActorRef<RequestOutcome>,
    nowMs: number,
    bytesIn = 0,
  ): number {
    const requestId = this.#nextId;
    this.#nextId = requestId === REQUEST_ID_MAX ? 1 : requestId + 1;
    const dueMs = nowMs + this.timeoutMs;
    this.#pending.set(requestId, {
      requestId,
      kind: message.kind,
      tag,
      replyTo,
      sentMs: nowMs,
      dueMs,
      bytesBefore: bytesIn,
    });
    return requestId;
  }

  /** Why no answer of this kind may come: asked at each fragment, before it is kept. */
  objection(requestId: number, kind: MessageKind): string | undefined {
    const request = this.#pending.get(requestId);
    if (request === undefined) {
      return this.#expired.has(requestId) ? undefined : `an unsolicited ${kind}`;
    }
    if (kind === "RequestRefused" || KINDS[request.kind].answeredBy === kind) return undefined;
    return `${request.kind} answered by ${kind}`;
  }

  settle(requestId: number, kind: MessageKind, nowMs: number): Settlement {
    const request = this.#pending.get(requestId);
    if (request === undefined) {
      return { type: this.#expired.delete(requestId) ? "late" : "unsolicited" };
    }
    this.#pending.delete(requestId);
    if (kind !== "RequestRefused" && KINDS[request.kind].answeredBy !== kind) {
      return { type: "wrongKind", request };
    }
    const elapsedMs = nowMs - request.sentMs;
    this.#smoothedMs =
      this.#smoothedMs === undefined
        ? elapsedMs
        : this.#smoothedMs + GAIN * (elapsedMs - this.#smoothedMs);
    return { type: "answered", request };
  }

  /** Takes out what is due. */
  expire(nowMs: number, bytesIn = 0): readonly PendingRequest[] {
    const due: PendingRequest[] = [];
    for (const request of this.#pending.values()) {
      const graceMs = (bytesIn - request.bytesBefore) / ARRIVING_BYTES_PER_MS_MIN;
      if (request.dueMs + graceMs <= nowMs) due.push(request);
    }
    for (const { requestId } of due) {
      this.#pending.delete(requestId);
      this.#expired.add(requestId);
    }
    return due;
  }

  invariants(): void {
    const open = this.#pending.size + this.#expired.size;
    invariant(open <= this.#settings.inFlightMax, `${open} requests in flight`);
  }

  /** Takes out all of them: the connection ends. */
  drain(): readonly PendingRequest[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    return all;
  }
}
