// What each kind of request asks for, in items, and how many an answer holds: quotas count the one,
// and no answer may have more than was asked for. One table, by kind.

import { KINDS, MESSAGE_KINDS, laneIndex } from "../types/message.js";
import type { Message, MessageKind, MessageOf } from "../types/message.js";

type RequestKind = "RequestBlock" | "RequestBlockRange" | "RequestHeaders" | "RequestTransactions";
type AnswerKind =
  "ResponseBlock" | "ResponseBlockRange" | "ResponseHeaders" | "ResponseTransactions";

const ASKED: { readonly [K in RequestKind]: (message: MessageOf<K>) => number } = {
  RequestBlock: () => 1,
  RequestBlockRange: ({ count }) => count,
  RequestHeaders: ({ countMax }) => countMax,
  RequestTransactions: ({ ids }) => ids.length,
};

const HELD: { readonly [K in AnswerKind]: (message: MessageOf<K>) => number } = {
  ResponseBlock: () => 1,
  ResponseBlockRange: ({ blocks }) => blocks.length,
  ResponseHeaders: ({ headers }) => headers.length,
  ResponseTransactions: ({ transactions }) => transactions.length,
};

/** Their answers hold a block at least, however large: of the others the server knows a bound. */
export const ASKS_FOR_BLOCKS: ReadonlySet<MessageKind> = new Set<RequestKind>([
  "RequestBlock",
  "RequestBlockRange",
]);

/** The request kinds, those of more urgent lanes first. */
export const REQUEST_KINDS: readonly MessageKind[] = MESSAGE_KINDS.filter(
  (kind) => KINDS[kind].role === "request",
).sort((left, right) => laneIndex(KINDS[left].lane) - laneIndex(KINDS[right].lane));

export function itemsAsked(message: Message): number {
  const count = (ASKED as Partial<Record<MessageKind, (message: never) => number>>)[message.kind];
  return count?.(message as never) ?? 1;
}

/** Of an answer; a refusal holds none. */
export function itemsHeld(message: Message): number {
  const count = (HELD as Partial<Record<MessageKind, (message: never) => number>>)[message.kind];
  return count?.(message as never) ?? 0;
}
