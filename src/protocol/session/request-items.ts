// What requests and answers are to each other, by the descriptors of their kinds: quotas count the
// items that a request asks for, and no answer may have more.

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
  const { counts } = ruleOf(message.kind);
  if (counts === undefined) return 1;
  const counted = (message as unknown as Readonly<Record<string, number | readonly unknown[]>>)[
    counts
  ]!;
  return typeof counted === "number" ? counted : counted.length;
}

/** May a request of the one kind be answered by a message of the other? */
export function mayAnswer(asked: MessageKind, answer: MessageKind): boolean {
  return ruleOf(answer).standsIn === true || ruleOf(asked).answeredBy === answer;
}

/** Of an answer; a refusal holds none. */
export function itemsHeld(message: Message): number {
  const { body } = ruleOf(message.kind);
  return body.form === "items" ? body.itemsIn(message).length : 0;
}
