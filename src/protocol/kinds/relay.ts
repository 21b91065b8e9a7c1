// `relay/1`: pushes of blocks and transactions over the edges of relay trees, and short ids over the
// others. What is pushed are kinds of `blocks/1` and `transactions/1`.

import type { ShortId } from "../../types/chain.js";
import { fields, oneOf } from "./fields.js";
import { bytesItem, hashesOf, itemAt, items, itemsOf, shortIdItems } from "./items.js";
import type { KindsOf } from "./kind.js";
import { ITEM_LIMITS } from "./limits.js";

/** What there is a tree for. */
export const RELAYED = ["block", "transaction"] as const;
export type Relayed = (typeof RELAYED)[number];

export type RelayMessage =
  /** The key under which its sender wants to be told short ids from now on: 16 bytes. */
  | { readonly kind: "RelayKey"; readonly key: Uint8Array }
  /** Transactions that the sender has and serves, by their short ids under the receiver's key. */
  | { readonly kind: "AnnounceShortIds"; readonly ids: readonly ShortId[] }
  /** As they were announced. */
  | { readonly kind: "RequestShortIds"; readonly ids: readonly ShortId[] }
  /** Those of the requested transactions that the server has, in the order asked. */
  | { readonly kind: "ResponseShortIds"; readonly transactions: readonly Uint8Array[] }
  /** From now on its sender wants to be told of these, and not to be pushed them. */
  | { readonly kind: "Prune"; readonly what: Relayed }
  /** It wants to be pushed them. */
  | { readonly kind: "Graft"; readonly what: Relayed };

export const RELAY_CAPABILITY = "relay/1";
export const RELAY_KEY_BYTES = 16;

const RELAY = { capability: RELAY_CAPABILITY, decode: "inline" } as const;
const KIB = 1024;
const EDGE_BYTES_MAX = 32;

export const RELAY_KINDS: KindsOf<RelayMessage> = {
  RelayKey: {
    ...RELAY,
    code: 0x50,
    lane: "transaction",
    role: "oneWay",
    quota: "relayEdges",
    payloadBytesMax: 32,
    body: bytesItem(RELAY_KEY_BYTES, {
      itemsIn: ({ key }) => [key],
      messageOf: (payload, ranges) => ({ kind: "RelayKey", key: itemAt(payload, ranges, 0) }),
    }),
  },
  AnnounceShortIds: {
    ...RELAY,
    code: 0x51,
    lane: "transaction",
    role: "oneWay",
    quota: "announcedShortIds",
    counts: "ids",
    payloadBytesMax: 16 * KIB,
    body: shortIdItems(ITEM_LIMITS.announcedTransactionsMax, {
      itemsIn: ({ ids }) => ids,
      messageOf: (payload, ranges) => ({
        kind: "AnnounceShortIds",
        ids: hashesOf(payload, ranges),
      }),
    }),
  },
  RequestShortIds: {
    ...RELAY,
    code: 0x52,
    lane: "transaction",
    role: "request",
    answeredBy: "ResponseShortIds",
    quota: "transactions",
    counts: "ids",
    payloadBytesMax: 16 * KIB,
    body: shortIdItems(ITEM_LIMITS.requestedTransactionsMax, {
      itemsIn: ({ ids }) => ids,
      messageOf: (payload, ranges) => ({
        kind: "RequestShortIds",
        ids: hashesOf(payload, ranges),
      }),
    }),
  },
  ResponseShortIds: {
    ...RELAY,
    code: 0x53,
    lane: "transaction",
    role: "response",
    payloadBytesMax: 4 * KIB * KIB,
    decode: "pool",
    body: items([0, ITEM_LIMITS.requestedTransactionsMax], {
      itemsIn: ({ transactions }) => transactions,
      messageOf: (payload, ranges) => ({
        kind: "ResponseShortIds",
        transactions: itemsOf(payload, ranges),
      }),
    }),
  },
  Prune: {
    ...RELAY,
    code: 0x54,
    lane: "block",
    role: "oneWay",
    quota: "relayEdges",
    payloadBytesMax: EDGE_BYTES_MAX,
    body: fields("Prune", { what: oneOf(RELAYED) }),
  },
  Graft: {
    ...RELAY,
    code: 0x55,
    lane: "block",
    role: "oneWay",
    quota: "relayEdges",
    payloadBytesMax: EDGE_BYTES_MAX,
    body: fields("Graft", { what: oneOf(RELAYED) }),
  },
};
