// How often this side may send one-way messages, by kind, in items and bytes: of a service's kinds as
// both sides know it, of the others as the other side said it takes them. What is above that waits,
// if it is a list, merged with what waits, or the newest of its kind; else it is dropped. Pure; owned
// by a session.

import { encodeBy } from "../codec/codec.js";
import { LateMap } from "../late-map.js";
import type { OwnRule } from "../kinds/own.js";
import type { KindRule, WireKind, WireMessage } from "../types/message.js";
import { kindOfCode, ruleOf } from "../types/message.js";
import type { ToldQuota } from "../types/node-info.js";
import { Allowance } from "./allowance.js";
import type { Outbox } from "./outbox.js";
import { isQuota, ownRateOf } from "./quotas.js";
import { itemsAsked } from "./request-items.js";
import type { Vigil } from "./vigil.js";

/** Of a list that waits; the oldest go first. */
const ITEMS_WAITING_MAX = 4_096;

interface Limit {
  readonly allowance: Allowance;
  /** The most items that one message may have to be sent within about a second. */
  readonly itemsMax: number;
}

/** What waits of one kind: the items of a list, or one message. */
interface Waiting {
  readonly kind: WireKind;
  readonly rule: KindRule<WireMessage>;
  message: WireMessage;
  items: unknown[];
}

export class Outflow<A> {
  readonly #outbox: Outbox<A>;
  readonly #vigil: Vigil;
  /** By code. */
  readonly #limits: (Limit | undefined)[] = [];
  readonly #waiting = new LateMap<WireKind, Waiting>();

  constructor(outbox: Outbox<A>, vigil: Vigil) {
    this.#outbox = outbox;
    this.#vigil = vigil;
  }

  /** Kinds of services. */
  adopt(rules: Iterable<OwnRule>): void {
    for (const rule of rules) {
      const rate = rule.role === "oneWay" ? ownRateOf(rule) : undefined;
      if (rate !== undefined)
        this.#limits[rule.code] = { allowance: new Allowance(rate), itemsMax: 1 };
    }
  }

  /** What the other side takes; of several quotas for a kind the last counts. */
  keepTo(quotas: readonly ToldQuota[], nowMs: number): void {
    for (const quota of quotas) {
      const kind = kindOfCode(quota.kind);
      if (kind === undefined || !isQuota(quota)) continue;
      const { role, lane, code } = ruleOf(kind);
      if (role !== "oneWay" || lane === "control") continue;
      const itemsMax = Math.min(quota.burstItems, quota.itemsPerSecond);
      this.#limits[code] = { allowance: new Allowance(quota), itemsMax };
    }
    this.flush(nowMs);
  }

  /** False: it is not sent, now or later. */
  send(message: WireMessage, nowMs: number): boolean {
    const { kind } = message;
    // The other side may never have named the protocol of a service, or not yet.
    const rule = this.#outbox.kinds.find(kind);
    if (rule === undefined) return false;
    if (this.#waiting.size > 0 && this.#waiting.has(kind)) return this.#wait(message, rule);
    const payload = encodeBy(rule, message);
    const items = itemsAsked(rule, message);
    const limit = this.#limits[rule.code];
    if (limit === undefined || limit.allowance.take(items, payload.length, nowMs)) {
      return this.#outbox.offer(kind, rule, payload);
    }
    const isKept = this.#wait(message, rule);
    this.flush(nowMs);
    return isKept;
  }

  /** The same, for bytes that are encoded once for many sessions. `about`: as in `AnswerMarks`. */
  sendEncoded(kind: WireKind, payload: Uint8Array, nowMs: number, about?: Uint8Array): boolean {
    const rule = this.#outbox.kinds.rule(kind);
    const limit = this.#limits[rule.code];
    if (limit === undefined || limit.allowance.take(1, payload.length, nowMs)) {
      return this.#outbox.offer(kind, rule, payload, about);
    }
    this.#outbox.dropped(kind, rule, "out-rate");
    return false;
  }

  /** Sends of what waits as much as may be sent, and has the rest looked at when it may be. */
  flush(nowMs: number): void {
    if (this.#waiting.size === 0) return;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting.values()) {
      waitMs = Math.min(waitMs, this.#flushKind(waiting, nowMs));
    }
    if (waitMs < Number.POSITIVE_INFINITY) this.#vigil.sweepLater(nowMs, waitMs);
  }

  clear(): void {
    this.#waiting.clear();
  }

  #flushKind(waiting: Waiting, nowMs: number): number {
    const { kind, rule } = waiting;
    const { allowance, itemsMax } = this.#limits[rule.code]!;
    for (;;) {
      const { message, count } = nextOf(waiting, itemsMax);
      const payload = encodeBy(rule, message);
      if (!allowance.take(count, payload.length, nowMs)) {
        const waitMs = allowance.waitMs(count, payload.length, nowMs);
        if (waitMs < Number.POSITIVE_INFINITY) return waitMs;
        // It is larger than all that the other side ever takes.
        this.#outbox.dropped(kind, rule, "out-rate");
      } else this.#outbox.offer(kind, rule, payload);
      waiting.items.splice(0, count);
      if (waiting.items.length > 0) continue;
      this.#waiting.delete(kind);
      return Number.POSITIVE_INFINITY;
    }
  }

  #wait(message: WireMessage, rule: KindRule<WireMessage>): boolean {
    const { kind } = message;
    const list = listIn(rule, message);
    const waiting = this.#waiting.get(kind);
    if (list === undefined && rule.isLatest !== true) {
      this.#outbox.dropped(kind, rule, "out-rate");
      return false;
    }
    if (waiting === undefined) {
      this.#waiting.set(kind, { kind, rule, message, items: [...(list ?? [message])] });
      return true;
    }
    waiting.message = message;
    const items = list === undefined ? [message] : [...new Set([...waiting.items, ...list])];
    waiting.items = items.slice(-ITEMS_WAITING_MAX);
    const isCut = list === undefined || items.length > ITEMS_WAITING_MAX;
    if (isCut) this.#outbox.dropped(kind, rule, "out-rate");
    return true;
  }
}

/** The next message of what waits, and how many items it takes. */
function nextOf({ rule, message, items }: Waiting, itemsMax: number) {
  if (listIn(rule, message) === undefined) return { message, count: 1 };
  const { body, counts } = rule;
  const countMax = body.form === "items" ? body.shape.countMax : 1;
  const some = items.slice(0, Math.min(itemsMax, countMax));
  return { message: { ...message, [counts!]: some }, count: some.length };
}

function listIn({ counts }: KindRule, message: WireMessage): readonly unknown[] | undefined {
  if (counts === undefined) return undefined;
  const value = (message as unknown as Readonly<Record<string, unknown>>)[counts];
  return Array.isArray(value) ? value : undefined;
}
