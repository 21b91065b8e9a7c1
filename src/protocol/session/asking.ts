// The requests of this side from wanting to outcome: sends them as places, quotas and the queue
// allow, judges and settles what is answered, gives up what is not. Pure; owned by a session.

import type { FrameDecoder } from "../codec/frame.js";
import type { Lane, WireKind, WireMessage } from "../types/message.js";
import type { ServeQuota, ToldQuota } from "../types/node-info.js";
import { violation, type Violation } from "../violation.js";
import type { Outbox } from "./outbox.js";
import { OwnRequests } from "./own-requests.js";
import { itemsHeld } from "./request-items.js";
import type { Outcome, SessionSettings } from "./session-types.js";
import type { Sweep } from "./vigil.js";

export class Asking<A> {
  readonly #outbox: Outbox<A>;
  readonly #requests: OwnRequests<A>;
  readonly #answerBytes: (lane: Lane) => number;
  /** When a request that was not answered was last told of. */
  #silenceToldMs = 0;

  constructor({ requests }: SessionSettings, outbox: Outbox<A>, decoder: FrameDecoder) {
    this.#outbox = outbox;
    this.#requests = new OwnRequests(requests, 1, outbox.kinds);
    this.#answerBytes = (lane) => decoder.answerBytes(lane);
  }

  get isIdle(): boolean {
    return this.#requests.isIdle;
  }

  /** No request is answered any more, and none can be sent. */
  get givenUp(): string | undefined {
    return this.#requests.abandoned ? "no request is answered any more" : undefined;
  }

  /** The quotas that the other side stated. */
  keepTo(quotas: readonly ServeQuota[]): void {
    this.#requests.keepTo(quotas);
  }

  /** The same in bytes too, as it was told since. */
  keepToAll(quotas: readonly ToldQuota[]): void {
    this.#requests.keepToAll(quotas);
  }

  request(message: WireMessage, asker: A, nowMs: number): void {
    if (this.#requests.want(message, asker, nowMs)) this.send(nowMs);
    else this.settle(asker, { ok: false, reason: "Busy" });
  }

  /** Sends waiting requests as far as quota, places and the queue allow. */
  send(nowMs: number): void {
    while (this.#outbox.hasRoomForRequests) {
      const due = this.#requests.next(nowMs);
      if (due === undefined) return;
      const { message, asker } = due.request;
      if (due.type === "refuse") this.settle(asker, { ok: false, reason: "RateLimited" });
      else {
        const arrived = this.#answerBytes(this.#outbox.kinds.rule(message.kind).lane);
        this.#outbox.say(message, this.#requests.sent(due.request, nowMs, arrived));
      }
    }
  }

  quotaWaitMs(nowMs: number): number {
    return this.#requests.quotaWaitMs(nowMs);
  }

  /** Asked at each fragment of an answer, before it is kept. */
  objection(requestId: number, kind: WireKind): Violation | undefined {
    const objection = this.#requests.objection(requestId, kind);
    return objection === undefined ? undefined : violation("request-id", objection);
  }

  /** This side kept itself from hearing or asking for so long. */
  prolong(heldMs: number, nowMs: number): void {
    this.#requests.prolong(heldMs, nowMs);
  }

  /** The whole answer is here, and this node takes its time with it. */
  arrived(requestId: number): void {
    this.#requests.arrived(requestId);
  }

  /** `bytes`: of its payload. */
  answered(
    message: WireMessage,
    requestId: number,
    bytes: number,
    nowMs: number,
  ): Violation | undefined {
    const settled = this.#requests.settle(requestId, message.kind, nowMs, bytes);
    if (settled.type === "late") return undefined;
    if (settled.type === "unsolicited") return violation("request-id", "an unsolicited response");
    const { asker, items, kind, sentMs } = settled.request;
    if (settled.type === "wrongKind") {
      this.settle(asker, { ok: false, reason: "Closed" });
      return violation("request-id", `${kind} answered by ${message.kind}`);
    }
    if (message.kind === "RequestRefused") {
      this.settle(asker, { ok: false, reason: message.reason });
    } else if (itemsHeld(this.#outbox.kinds.rule(message.kind), message) > items) {
      this.settle(asker, { ok: false, reason: "Closed" });
      return violation("answer", `${message.kind} holds more than the ${items} asked for`);
    } else this.settle(asker, { ok: true, message, elapsedMs: nowMs - sentMs });
    this.send(nowMs);
    return undefined;
  }

  /** Deadlines, as far as they may be judged now. */
  expire(sweep: Sweep, nowMs: number): void {
    if (sweep === "stalled") this.#requests.renew(nowMs);
    // What was not read yet may be the answer.
    if (sweep === "stalled" || sweep === "sound") {
      for (const request of this.#requests.expire(nowMs, this.#answerBytes)) {
        // A silence is one failure, however much was asked during it: a link that stalls one way
        // for some seconds must not ban a peer that has announced much meanwhile.
        if (request.sentMs >= this.#silenceToldMs) {
          this.#silenceToldMs = nowMs;
          this.#outbox.tell({ type: "silence", kind: request.kind });
        }
        this.settle(request.asker, { ok: false, reason: "Timeout" });
      }
    }
    for (const { asker } of this.#requests.expireWaiting(nowMs)) {
      this.settle(asker, { ok: false, reason: "Timeout" });
    }
    this.send(nowMs);
  }

  /** The end: nobody waits for an answer that cannot come. */
  settleAll(): void {
    for (const asker of this.#requests.drain()) {
      this.settle(asker, { ok: false, reason: "Closed" });
    }
  }

  settle(asker: A, outcome: Outcome): void {
    this.#outbox.tell({ type: "settled", asker, outcome });
  }

  invariants(): void {
    this.#requests.invariants();
  }

  atRest(): void {
    this.#requests.atRest();
  }
}
