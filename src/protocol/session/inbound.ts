// Whole messages that came and are not for the session itself: decoded, judged by their role, and
// handed on to its owner. Requests wait here for room among the answers. Pure; owned by a session.

import { fromHex } from "../../bytes/hex.js";
import { decodeBy, type Decoded } from "../codec/codec.js";
import type { Frame } from "../codec/frame.js";
import type { ReceivedMessage } from "../codec/receive-lanes.js";
import type { KindRule, Lane, WireMessage } from "../types/message.js";
import type { Violation } from "../violation.js";
import type { Arrivals } from "./arrivals.js";
import type { Asking } from "./asking.js";
import type { Outbox } from "./outbox.js";
import { OneWayRates } from "./one-way-rates.js";
import type { QuotaSettings } from "./quotas.js";
import { ServeQueue } from "./serve-queue.js";
import type { SessionOptions } from "./session-types.js";
import type { Vigil } from "./vigil.js";

/** Payloads over this are decoded where their kind says: a hundred transactions take 10 µs. */
const LARGE_BYTES_MIN = 32 * 1_024;

export class Inbound<A> {
  readonly serves: ServeQueue;
  readonly #rates: OneWayRates;
  readonly #options: SessionOptions;
  readonly #arrivals: Arrivals<A>;
  readonly #asking: Asking<A>;
  readonly #outbox: Outbox<A>;
  readonly #vigil: Vigil;

  constructor(
    options: SessionOptions,
    arrivals: Arrivals<A>,
    asking: Asking<A>,
    outbox: Outbox<A>,
    vigil: Vigil,
  ) {
    const { settings, info, unansweredMax } = options;
    this.#rates = new OneWayRates(settings, options.group);
    this.serves = new ServeQueue(settings, info.quotas, unansweredMax, outbox.kinds, options.group);
    this.#options = options;
    this.#arrivals = arrivals;
    this.#asking = asking;
    this.#outbox = outbox;
    this.#vigil = vigil;
  }

  /** The other side was told these, and so can keep to them. */
  limit(settings: QuotaSettings): void {
    this.#rates.told(settings);
    this.serves.limit(settings);
  }

  /** What is wrong with a frame before its payload is kept: an answer that nobody asked for. */
  objection({ rule, requestId, kind }: Frame): Violation | undefined {
    return rule.role === "response" ? this.#asking.objection(requestId, kind) : undefined;
  }

  /** Before it is read. True: it is above what the other side may send, and is not. */
  drops(received: ReceivedMessage, nowMs: number): boolean | Violation {
    const { kind, rule, payload, lane, creditBytes } = received;
    if (rule.role !== "oneWay") return false;
    const judged = this.#rates.judge(kind, rule, payload, nowMs);
    if (judged === undefined) return false;
    this.#outbox.figures.droppedIn++;
    if (typeof judged !== "string") return judged;
    this.#outbox.traffic?.dropped(rule, kind, `in-${judged}`);
    this.#consumed(lane, creditBytes, nowMs);
    return true;
  }

  /** Undefined: it is large, and its owner has it decoded. */
  decode(received: ReceivedMessage): Decoded<WireMessage> | undefined {
    const { kind, rule, payload, requestId } = received;
    const isLarge = payload.length > LARGE_BYTES_MIN && rule.decode === "pool";
    if (isLarge && this.#options.decodesElsewhere === true) {
      this.#asking.arrived(requestId);
      this.#outbox.tell({ type: "large", received });
      return undefined;
    }
    return decodeBy(rule as KindRule<WireMessage>, kind, payload);
  }

  handle(message: WireMessage, received: ReceivedMessage, nowMs: number): Violation | undefined {
    const { rule, lane, creditBytes: bytes, requestId } = received;
    switch (rule.role) {
      case "response":
        // What was asked for is bounded by the requests: its credit need not wait.
        this.#consumed(lane, bytes, nowMs);
        return this.#asking.answered(message, requestId, received.payload.length, nowMs);
      case "oneWay":
        this.#outbox.tell({ type: "message", message, lane, bytes, requestId });
        return undefined;
      case "request": {
        const event = { type: "message", message, lane, bytes, requestId } as const;
        const admission = this.serves.admit(event, this.#outbox.lanes.answersWaiting, nowMs);
        if (admission === "taken") return undefined;
        if (admission !== "rateLimited") return admission;
        this.#outbox.traffic?.dropped(rule, message.kind, "refused");
        this.#consumed(lane, bytes, nowMs);
        this.#outbox.say({ kind: "RequestRefused", reason: "RateLimited" }, requestId);
        return undefined;
      }
    }
  }

  /** The protocols of services that both sides brought. */
  adopt(capabilities: ReadonlySet<string>): void {
    const protocols = this.#options.protocols?.filter(({ name }) => capabilities.has(name)) ?? [];
    if (protocols.length === 0) return;
    const { kinds } = this.#outbox;
    kinds.adopt(protocols);
    this.#arrivals.decoder.allowOwn(kinds.own);
  }

  /** The answer to a request that was handed on; only the first one counts. */
  reply(requestId: number, message: WireMessage, nowMs: number, isHistory: boolean): void {
    const payload = this.#outbox.encode(message);
    const { dataBytes } = this.#outbox.lanes;
    const asked = this.serves.openRequest(requestId);
    if (this.serves.replied(requestId, payload, dataBytes) === "send") {
      // What was asked for by its hash may be what was just announced.
      const about = asked !== undefined && "hash" in asked ? fromHex(asked.hash) : undefined;
      this.#outbox.put(message.kind, payload, requestId, undefined, { about, isHistory });
    }
    this.handOn(nowMs);
  }

  /**
   * Hands waiting requests on, as far as the queue of replies has room, and has those that wait for
   * the bytes that the other side may be served looked at when these are due.
   */
  handOn(nowMs: number): void {
    for (;;) {
      const request = this.serves.next(this.#outbox.lanes.dataBytes, nowMs);
      if (request === undefined) break;
      this.#outbox.tell(request);
    }
    const { heldBackMs } = this.serves;
    if (heldBackMs > 0) this.#vigil.sweepLater(nowMs, heldBackMs);
  }

  #consumed(lane: Lane, bytes: number, nowMs: number): void {
    if (bytes > 0) this.#arrivals.consumed(lane, bytes, nowMs);
  }
}
