// `transactions/1`: transactions that wait to be confirmed.

import type { HashHex } from "../../types/chain.js";
import { hashesOf, hashItems, item, itemAt, items, itemsOf } from "./items.js";
import type { KindsOf } from "./kind.js";
import { ITEM_LIMITS } from "./limits.js";

export type TransactionsMessage =
  | { readonly kind: "NewTransaction"; readonly transaction: Uint8Array }
  | { readonly kind: "AnnounceTransactions"; readonly ids: readonly HashHex[] }
  | { readonly kind: "RequestTransactions"; readonly ids: readonly HashHex[] }
  /** Those of the requested transactions that the server has, in the order asked. */
  | { readonly kind: "ResponseTransactions"; readonly transactions: readonly Uint8Array[] };

const KIB = 1024;
const TRANSACTION = { capability: "transactions/1", lane: "transaction" } as const;

export const TRANSACTIONS_KINDS: KindsOf<TransactionsMessage> = {
  NewTransaction: {
    ...TRANSACTION,
    code: 0x30,
    role: "oneWay",
    quota: "pushedTransactions",
    mayBeLost: true,
    payloadBytesMax: 128 * KIB,
    decode: "inline",
    body: item({
      itemsIn: ({ transaction }) => [transaction],
      messageOf: (payload, ranges) => ({
        kind: "NewTransaction",
        transaction: itemAt(payload, ranges, 0),
      }),
    }),
  },
  AnnounceTransactions: {
    ...TRANSACTION,
    code: 0x31,
    role: "oneWay",
    quota: "announcedTransactions",
    mayBeLost: true,
    counts: "ids",
    payloadBytesMax: 64 * KIB,
    decode: "pool",
    body: hashItems(ITEM_LIMITS.announcedTransactionsMax, {
      itemsIn: ({ ids }) => ids,
      messageOf: (payload, ranges) => ({
        kind: "AnnounceTransactions",
        ids: hashesOf(payload, ranges),
      }),
    }),
  },
  RequestTransactions: {
    ...TRANSACTION,
    code: 0x32,
    role: "request",
    answeredBy: "ResponseTransactions",
    quota: "transactions",
    counts: "ids",
    payloadBytesMax: 64 * KIB,
    decode: "inline",
    body: hashItems(ITEM_LIMITS.requestedTransactionsMax, {
      itemsIn: ({ ids }) => ids,
      messageOf: (payload, ranges) => ({
        kind: "RequestTransactions",
        ids: hashesOf(payload, ranges),
      }),
    }),
  },
  ResponseTransactions: {
    ...TRANSACTION,
    code: 0x33,
    role: "response",
    payloadBytesMax: 4 * KIB * KIB,
    decode: "pool",
    body: items([0, ITEM_LIMITS.requestedTransactionsMax], {
      itemsIn: ({ transactions }) => transactions,
      messageOf: (payload, ranges) => ({
        kind: "ResponseTransactions",
        transactions: itemsOf(payload, ranges),
      }),
    }),
  },
};
