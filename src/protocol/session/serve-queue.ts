// The requests of the other side: admitted within their quotas, handed on as far as the queue of
// replies has room, and answered once each. Pure; owned by a session.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import { Fifo } from "../fifo.js";
import { LateMap } from "../late-map.js";
import { OWN_CODE_MIN } from "../kinds/own.js";
import { KindTable } from "../types/kind-table.js";
import {
  KINDS,
  REQUEST_KINDS,
  type KindRule,
  type WireKind,
  type WireMessage,
} from "../types/message.js";
import type { ServeQuota } from "../types/node-info.js";
import { violation, type Violation } from "../violation.js";
import type { GroupShare } from "./group-limits.js";
import { bytesLimit, quotaOf, toldQuotas, type QuotaSettings } from "./quotas.js";
import type { MessageEvent } from "./session-types.js";
import { RateLimit } from "./rate-limit.js";
import { asksForBlocks, itemsAsked } from "./request-items.js";

/** A request as it is handed on. */
type Asked = MessageEvent;

/** What an open request holds of the queue of replies. */
interface Open {
  /** The most that its reply is expected to have. */
  readonly bytes: number;
  /** Kept where the reply may turn out larger, and so must be made again when there is room. */
  readonly asked: Asked | undefined;
  /** Charged with that, until it is known. */
  readonly limits: readonly RateLimit[];
}

/** How an answer may go out; `again`: it does not fit, and its request waits once more. */
export type Replied = "send" | "again" | "unknown";

export type Admission = "taken" | "rateLimited" | Violation;

/** Requests of one side that may be unanswered at a time, as docs/protocol.md allows it. */
const REQUESTS_MAX = 64;
/** What a first reply with a block is taken for. */
const BLOCK_BYTES_FIRST = 1024 * 1024;

type Settings = Pick<NetworkConfig, "lanes" | "receive" | "serve">;

export class ServeQueue {
  readonly #settings: Settings;
  #rates: QuotaSettings;
  readonly #kinds: KindTable;
  readonly #requestsMax: number;
  #quotas: readonly ServeQuota[];
  /** Made for the first request. */
  #limits: Map<WireKind, RateLimit> | undefined;
  readonly #waiting = new Fifo<Asked>();
  readonly #open = new LateMap<number, Open>();
  #openBytes = 0;
  /** What a reply with blocks may be expected to hold, by those before it. */
  #blockReplyBytes: number;
  readonly #group: GroupShare | undefined;
  /** Bytes of answers that the peer, and its group, may be served, by the code of the request. */
  #byteLimits: (readonly RateLimit[] | undefined)[] = [];
  #heldBackMs = 0;

  /** `quotas`: what this side said that it serves. `kinds`: of its connection. */
  constructor(
    settings: Settings,
    quotas: readonly ServeQuota[],
    requestsMax = REQUESTS_MAX,
    kinds = new KindTable(),
    group?: GroupShare,
  ) {
    this.#settings = settings;
    this.#rates = settings;
    this.#kinds = kinds;
    this.#group = group;
    this.#requestsMax = requestsMax;
    this.#quotas = quotas;
    this.#blockReplyBytes = Math.min(settings.lanes.sendQueueBytesMax / 8, BLOCK_BYTES_FIRST);
  }

  /** From now on these say what is served; all counts anew. */
  limit(settings: QuotaSettings): void {
    this.#rates = settings;
    this.#quotas = toldQuotas(settings);
    this.#limits = undefined;
    this.#byteLimits = [];
  }

  get openBytes(): number {
    return this.#openBytes;
  }

  /** Credit of the requests that are not handed on yet. */
  get waitingBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#waiting.items()) sum += bytes;
    return sum;
  }

  /** Requests that were handed on and are not answered. */
  get openCount(): number {
    return this.#open.size;
  }

  /** It was handed on and is not answered. */
  isOpen(requestId: number): boolean {
    return this.#open.has(requestId);
  }

  /** It was handed on, is not answered, and is for blocks. */
  openRequest(requestId: number): WireMessage | undefined {
    return this.#open.get(requestId)?.asked?.message;
  }

  /**
   * A request has come. One over its quota is not charged, and must be refused at once.
   * `unsent`: answers that have not left; for the other side, their requests are not answered.
   */
  admit(request: Asked, unsent: number, nowMs: number): Admission {
    const { requestId, message } = request;
    if (this.#open.has(requestId) || this.#waiting.some((other) => other.requestId === requestId)) {
      return violation("request-id", `request ${requestId} is not answered yet`);
    }
    // Refusals count too: whoever reads none of them could have any number made.
    if (this.#open.size + this.#waiting.length + unsent >= this.#requestsMax) {
      return violation("flood", `more than ${this.#requestsMax} requests are unanswered`);
    }
    this.#limits ??= limitsOf(this.#quotas, this.#kinds);
    const limit = this.#limits.get(message.kind);
    const items = itemsAsked(this.#kinds.rule(message.kind), message);
    if (limit?.take(items, nowMs) === false) return "rateLimited";
    this.#waiting.push(request);
    return "taken";
  }

  /** How long the next request waits for the bytes that its peer may be served; 0: it does not. */
  get heldBackMs(): number {
    return this.#heldBackMs;
  }

  /**
   * Takes out the next request to hand on, if its reply has room beside what is queued, and is within
   * the bytes that the peer may be served.
   */
  next(queuedBytes: number, nowMs: number): Asked | undefined {
    this.#heldBackMs = 0;
    const request = this.#waiting.first;
    const { serve, lanes } = this.#settings;
    if (request === undefined || this.#open.size >= serve.repliesQueuedMax) return undefined;
    const rule = this.#kinds.rule(request.message.kind);
    const withBlocks = asksForBlocks(rule);
    // A reply holds one block however large: those before it say what to expect.
    const bytes = withBlocks ? this.#blockReplyBytes : this.#replyBytes(rule);
    // Half of the send queue is for replies, unless nothing else is in it.
    const wouldBe = queuedBytes + this.#openBytes + bytes;
    const alone = this.#open.size === 0 && queuedBytes === 0;
    if (2 * wouldBe > lanes.sendQueueBytesMax && !alone) return undefined;
    const limits = this.#limitsOn(rule);
    for (const limit of limits) {
      this.#heldBackMs = Math.max(this.#heldBackMs, limit.roomInMs(bytes, nowMs));
    }
    if (this.#heldBackMs > 0) return undefined;
    for (const limit of limits) limit.charge(bytes);
    this.#waiting.shift();
    this.#open.set(request.requestId, { bytes, asked: withBlocks ? request : undefined, limits });
    this.#openBytes += bytes;
    return request;
  }

  /** The answer to a request that was handed on is here. */
  replied(requestId: number, payload: Uint8Array, queuedBytes: number): Replied {
    const open = this.#open.get(requestId);
    if (open === undefined) return "unknown";
    this.#open.delete(requestId);
    this.#openBytes -= open.bytes;
    const { length } = payload;
    if (open.asked === undefined) return this.#sent(open, length);
    this.#blockReplyBytes = Math.max(length, Math.ceil(this.#blockReplyBytes / 2));
    const fits = 2 * (queuedBytes + length) <= this.#settings.lanes.sendQueueBytesMax;
    if (queuedBytes === 0 || fits) return this.#sent(open, length);
    for (const limit of open.limits) limit.charge(-open.bytes);
    // Its credit went back when it was read for the first time.
    this.#waiting.unshift({ ...open.asked, bytes: 0 });
    return "again";
  }

  #sent({ bytes, limits }: Open, length: number): "send" {
    for (const limit of limits) limit.charge(length - bytes);
    return "send";
  }

  #limitsOn(rule: KindRule): readonly RateLimit[] {
    return (this.#byteLimits[rule.code] ??= this.#makeLimits(rule));
  }

  #makeLimits(rule: KindRule): readonly RateLimit[] {
    const rate = quotaOf(rule, this.#rates);
    const ofGroup = this.#group?.served(rule);
    return [
      ...(rate === undefined ? [] : [bytesLimit(rate)]),
      ...(ofGroup === undefined ? [] : [ofGroup]),
    ];
  }

  #replyBytes({ answeredBy }: KindRule): number {
    const { bytesSoftMax } = this.#settings.serve;
    const answer = this.#kinds.find(answeredBy as WireKind);
    if (answer === undefined) return bytesSoftMax;
    const isOwn = answer.code >= OWN_CODE_MIN;
    return isOwn ? answer.payloadBytesMax : Math.min(answer.payloadBytesMax, bytesSoftMax);
  }

  clear(): void {
    this.#waiting.clear();
    this.#open.clear();
    this.#openBytes = 0;
  }

  atRest(): void {
    const serves = this.#open.size + this.#waiting.length;
    invariant(serves === 0, `${serves} requests of the peer wait`);
  }

  invariants(): void {
    const { repliesQueuedMax } = this.#settings.serve;
    const { size } = this.#open;
    invariant(size <= repliesQueuedMax, `${size} open replies`);
    invariant(size + this.#waiting.length <= this.#requestsMax, "too many unanswered requests");
    let bytes = 0;
    for (const open of this.#open.values()) bytes += open.bytes;
    invariant(bytes === this.#openBytes, "bytes of open replies are miscounted");
  }
}

function limitsOf(quotas: readonly ServeQuota[], kinds: KindTable): Map<WireKind, RateLimit> {
  const limits = new Map<WireKind, RateLimit>();
  for (const { kind, role, rate } of kinds.own) {
    if (role === "request" && rate) limits.set(kind, new RateLimit(rate));
  }
  for (const quota of quotas) {
    const kind = REQUEST_KINDS.find((other) => KINDS[other].code === quota.kind);
    if (kind !== undefined) limits.set(kind, new RateLimit(quota));
  }
  return limits;
}
