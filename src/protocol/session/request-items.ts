// What requests and answers are to each other, by the descriptors of their kinds: quotas count the
// items that a request asks for, and no answer may have more.

import { itemsAhead } from "../kinds/items.js";
import type { KindRule, WireKind, WireMessage } from "../types/message.js";

type Rule = KindRule<WireMessage>;

/** Its answer holds a block at least, however large: of the others the server knows a bound. */
export function asksForBlocks({ quota }: Rule): boolean {
  return quota === "blocks";
}

export function itemsAsked({ counts }: Rule, message: WireMessage): number {
  if (counts === undefined) return 1;
  const counted = (message as unknown as Readonly<Record<string, number | readonly unknown[]>>)[
    counts
  ]!;
  return typeof counted === "number" ? counted : counted.length;
}

interface Wanted {
  readonly message: WireMessage;
  readonly items: number;
}

/**
 * The same request for the first `items` of what it asks for: its asker takes what comes for a short
 * answer, and asks for the rest. As it is where there is no such request: a range of blocks is named
 * by its last one.
 */
export function firstOf<W extends Wanted>(rule: Rule, wanted: W, items: number): W {
  const { counts } = rule;
  if (counts === undefined || asksForBlocks(rule) || items < 1) return wanted;
  const counted = (wanted.message as unknown as Readonly<Record<string, unknown>>)[counts];
  const fewer = Array.isArray(counted) ? counted.slice(0, items) : items;
  return { ...wanted, message: { ...wanted.message, [counts]: fewer }, items };
}

/** May a request of the one kind be answered by a message of the other? */
export function mayAnswer(asked: Rule, kind: WireKind, answer: Rule): boolean {
  return answer.standsIn === true || asked.answeredBy === kind;
}

/** Of an answer; a refusal holds none. */
export function itemsHeld(rule: Rule, message: WireMessage): number {
  const { body, counts } = rule;
  if (body.form === "items") return body.itemsIn(message).length;
  return counts === undefined ? 0 : itemsAsked(rule, message);
}

/** Of a message that was not read yet: as many as its payload says. */
export function itemsWithin({ body }: KindRule, payload: Uint8Array): number {
  return body.form === "items" ? itemsAhead(body.shape, payload) : 1;
}
