// The requests that one peer owes us an answer to: ids, adaptive deadlines, late answers. Pure;
// owned by a PeerHandler.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import { KINDS, type Lane, type Message, type MessageKind } from "../../protocol/types/message.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { RequestOutcome } from "./peer-handler-messages.js";

export interface PendingRequest {
  readonly requestId: number;
  readonly kind: MessageKind;
  readonly tag: number;
  readonly replyTo: ActorRef<RequestOutcome>;
  readonly sentMs: number;
  /** Infinity: the answer is here, and only this node is still busy with it. */
  dueMs: number;
  /** Bytes of answers that had come on its lane when this was sent. */
  readonly answerBytesBefore: number;
}

export type Settlement =
  | { readonly type: "answered"; readonly request: PendingRequest }
  /** Its request timed out before: no offence. */
  | { readonly type: "late" }
  | { readonly type: "unsolicited" }
  | { readonly type: "wrongKind"; readonly request: PendingRequest };

const REQUEST_ID_MAX = 2 ** 32 - 1;
/**
 * What the peer answers meanwhile on the request's lane prolongs a deadline at this rate: an answer
 * that arrives over a slow link, behind others, is not late while they arrive. Nothing else does:
 * pings and news cost a peer nothing, and would let it withhold an answer for good. 64 kbit/s.
 */
const ARRIVING_BYTES_PER_MS_MIN = 8;
/** RFC 6298's gain. */
const GAIN = 1 / 8;

type Settings = NetworkConfig["requests"];

export class RequestTable {
  readonly #settings: Settings;
  /** In order of sending. */
  readonly #pending = new Map<number, PendingRequest>();
  /** Timed out and still unanswered: a late answer is told from a made-up one. By id. */
  readonly #expired = new Map<number, MessageKind>();
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
    if (!isForTransactions(kind)) return true;
    let taken = 0;
    for (const { kind: other } of this.#pending.values()) if (isForTransactions(other)) taken++;
    for (const other of this.#expired.values()) if (isForTransactions(other)) taken++;
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

  /** `answerBytes`: bytes of answers that came on the request's lane so far. */
  add(
    message: Message,
    tag: number,
    replyTo: ActorRef<RequestOutcome>,
    nowMs: number,
    answerBytes = 0,
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
      answerBytesBefore: answerBytes,
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

  /** The whole answer has arrived; `settle` follows when this node has decoded it. */
  arrived(requestId: number): void {
    const request = this.#pending.get(requestId);
    if (request !== undefined) request.dueMs = Number.POSITIVE_INFINITY;
  }

  /** This node was not awake to hear answers: every request gets its whole time again. */
  renew(nowMs: number): void {
    const dueMs = nowMs + this.timeoutMs;
    for (const request of this.#pending.values()) request.dueMs = Math.max(request.dueMs, dueMs);
  }

  /** Takes out what is due. `answerBytes`: those of a lane so far. */
  expire(nowMs: number, answerBytes: (lane: Lane) => number): readonly PendingRequest[] {
    const due: PendingRequest[] = [];
    for (const request of this.#pending.values()) {
      const arrived = answerBytes(KINDS[request.kind].lane) - request.answerBytesBefore;
      const graceMs = arrived / ARRIVING_BYTES_PER_MS_MIN;
      if (request.dueMs + graceMs <= nowMs) due.push(request);
    }
    for (const { requestId, kind } of due) {
      this.#pending.delete(requestId);
      this.#expired.set(requestId, kind);
    }
    return due;
  }

  invariants(): void {
    const open = this.#pending.size + this.#expired.size;
    invariant(open <= this.#settings.inFlightMax, `${open} requests in flight`);
  }

  /** Answered are also those that timed out: an honest peer answers late. */
  atRest(): void {
    invariant(this.#pending.size === 0, `${this.#pending.size} requests wait for their answer`);
    invariant(this.#expired.size === 0, `${this.#expired.size} requests wait for a late answer`);
  }

  /** Takes out all of them: the connection ends. */
  drain(): readonly PendingRequest[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    return all;
  }
}

function isForTransactions(kind: MessageKind): boolean {
  return KINDS[kind].lane === "transaction";
}
