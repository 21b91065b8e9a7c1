// `sync/1`: headers and ranges of blocks of a chain.

import type { HashHex } from "../../types/chain.js";
import { fields, hash, list, uint } from "./fields.js";
import { items, itemsOf } from "./items.js";
import type { KindsOf } from "./kind.js";
import { ITEM_LIMITS } from "./limits.js";

export type SyncMessage =
  /** Canonical headers after the first locator hash that the server knows as canonical. */
  | {
      readonly kind: "RequestHeaders";
      readonly locator: readonly HashHex[];
      readonly countMax: number;
    }
  | { readonly kind: "ResponseHeaders"; readonly headers: readonly Uint8Array[] }
  /** Blocks [fromHeight, fromHeight + count) of the chain in which the last one has `lastHash`. */
  | {
      readonly kind: "RequestBlockRange";
      readonly fromHeight: number;
      readonly count: number;
      readonly lastHash: HashHex;
    }
  /** A non-empty prefix of the range that was asked for. */
  | { readonly kind: "ResponseBlockRange"; readonly blocks: readonly Uint8Array[] };

const SYNC = { capability: "sync/1", lane: "sync" } as const;
const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;

export const SYNC_KINDS: KindsOf<SyncMessage> = {
  RequestHeaders: {
    ...SYNC,
    code: 0x22,
    role: "request",
    answeredBy: "ResponseHeaders",
    quota: "headers",
    counts: "countMax",
    payloadBytesMax: 2_048,
    decode: "inline",
    body: fields("RequestHeaders", {
      locator: list(hash, { min: 1, max: ITEM_LIMITS.locatorHashesMax }),
      countMax: uint(1, ITEM_LIMITS.headersMax),
    }),
  },
  ResponseHeaders: {
    ...SYNC,
    code: 0x23,
    role: "response",
    payloadBytesMax: RESPONSE_BYTES_MAX,
    decode: "pool",
    body: items([0, ITEM_LIMITS.headersMax], {
      itemsIn: ({ headers }) => headers,
      messageOf: (payload, ranges) => ({
        kind: "ResponseHeaders",
        headers: itemsOf(payload, ranges),
      }),
    }),
  },
  RequestBlockRange: {
    ...SYNC,
    code: 0x24,
    role: "request",
    answeredBy: "ResponseBlockRange",
    quota: "blocks",
    counts: "count",
    payloadBytesMax: 64,
    decode: "inline",
    body: fields("RequestBlockRange", {
      fromHeight: uint(0, Number.MAX_SAFE_INTEGER),
      count: uint(1, ITEM_LIMITS.rangeBlocksMax),
      lastHash: hash,
    }),
  },
  ResponseBlockRange: {
    ...SYNC,
    code: 0x25,
    role: "response",
    payloadBytesMax: RESPONSE_BYTES_MAX,
    decode: "inline",
    body: items([1, ITEM_LIMITS.rangeBlocksMax], {
      itemsIn: ({ blocks }) => blocks,
      messageOf: (payload, ranges) => ({
        kind: "ResponseBlockRange",
        blocks: itemsOf(payload, ranges),
      }),
    }),
  },
};
