// What each kind of request asks for, in items, and how many an answer holds: quotas count the one,
// and no answer may have more than was asked for. By the descriptors of the kinds.

import {
  MESSAGE_KINDS,
  laneIndex,
  ruleOf,
  type Message,
  type MessageKind,
} from "../types/message.js";

/** The request kinds, those of more urgent lanes first. */
export const REQUEST_KINDS: readonly MessageKind[] = MESSAGE_KINDS.filter(
  (kind) => ruleOf(kind).role === "request",
).sort((left, right) => laneIndex(ruleOf(left).lane) - laneIndex(ruleOf(right).lane));

/** Their answers hold a block at least, however large: of the others the server knows a bound. */
export const ASKS_FOR_BLOCKS: ReadonlySet<MessageKind> = new Set(
  REQUEST_KINDS.filter((kind) => ruleOf(kind).quota === "blocks"),
);

export function itemsAsked(message: Message): number {
  return ruleOf(message.kind).itemsAsked?.(message) ?? 1;
}

/** Of an answer; a refusal holds none. */
export function itemsHeld(message: Message): number {
  const { body } = ruleOf(message.kind);
  return body.form === "items" ? body.itemsIn(message).length : 0;
}
