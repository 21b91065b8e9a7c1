// `compact/1`: a new block as its header and the short ids of its transactions, which its receiver has
// already but for a few; those it asks for by their places. After BIP 152.

import type { HashHex } from "../../types/chain.js";
import {
  ascending,
  bytes,
  fields,
  hash,
  list,
  tuple,
  uint,
  UINT16_MAX,
  uint64,
  type Field,
} from "./fields.js";
import { items, itemsOf } from "./items.js";
import type { KindsOf } from "./kind.js";
import { ITEM_LIMITS } from "./limits.js";

/** A whole transaction, at its place in the block. */
export interface PrefilledTransaction {
  readonly index: number;
  readonly transaction: Uint8Array;
}

export type CompactMessage =
  /**
   * Pushed by who has the whole block, and has checked its header and that the header binds these
   * transactions, but perhaps no more.
   */
  | {
      readonly kind: "CompactBlock";
      readonly header: Uint8Array;
      /** With the header it makes the key of the short ids. */
      readonly nonce: bigint;
      /** Of all that are not prefilled, SHORT_ID_BYTES each, in the order of the block. */
      readonly shortIds: Uint8Array;
      readonly prefilled: readonly PrefilledTransaction[];
    }
  | {
      readonly kind: "GetBlockTransactions";
      readonly hash: HashHex;
      /** Places in the block, ascending. */
      readonly indexes: readonly number[];
    }
  /** Those that were asked for, all of them, in that order. */
  | { readonly kind: "BlockTransactions"; readonly transactions: readonly Uint8Array[] };

type Of<K extends CompactMessage["kind"]> = Extract<CompactMessage, { kind: K }>;

export const COMPACT_CAPABILITY = "compact/1";
export const SHORT_ID_BYTES = 6;
const COMPACT = { capability: COMPACT_CAPABILITY, lane: "block" } as const;
const KIB = 1_024;
/** Short ids of the most transactions take 192 KiB. */
const COMPACT_BLOCK_BYTES_MAX = 256 * KIB;
/** The default chain's have 1,175 at most. */
const HEADER_BYTES_MAX = 4 * KIB;

const { compactTransactionsMax, prefilledMax, blockTransactionsMax } = ITEM_LIMITS;

const idBytes = bytes(0, SHORT_ID_BYTES * compactTransactionsMax);
const shortIds: Field<Uint8Array> = {
  write: (value) => idBytes.write(value),
  read: (value) => {
    const read = idBytes.read(value);
    return read !== undefined && read.length % SHORT_ID_BYTES === 0 ? read : undefined;
  },
};
const index = uint(0, UINT16_MAX);
const PREFILLED = tuple<PrefilledTransaction>({ index, transaction: bytes(1, 128 * KIB) });

const compact = fields<Of<"CompactBlock">>(
  "CompactBlock",
  {
    header: bytes(1, HEADER_BYTES_MAX),
    nonce: uint64,
    shortIds,
    prefilled: ascending(list(PREFILLED, { max: prefilledMax }), (each) => each.index),
  },
  { depthMax: 3, itemsMax: 5 + 3 * prefilledMax },
);

/** How many transactions its block has. */
export function transactionCount({
  shortIds: { length },
  prefilled,
}: Pick<Of<"CompactBlock">, "shortIds" | "prefilled">): number {
  return length / SHORT_ID_BYTES + prefilled.length;
}

export const COMPACT_KINDS: KindsOf<CompactMessage> = {
  CompactBlock: {
    ...COMPACT,
    code: 0x12,
    haste: "announcement",
    role: "oneWay",
    quota: "pushedBlocks",
    payloadBytesMax: COMPACT_BLOCK_BYTES_MAX,
    decode: "inline",
    body: {
      ...compact,
      decode(payload) {
        const message = compact.decode(payload);
        if (typeof message === "string") return message;
        const last = message.prefilled.at(-1);
        const isWithin = last === undefined || last.index < transactionCount(message);
        return isWithin ? message : "a prefilled transaction beyond the end of the block";
      },
    },
  },
  GetBlockTransactions: {
    ...COMPACT,
    code: 0x13,
    haste: "tip",
    role: "request",
    answeredBy: "BlockTransactions",
    quota: "blocks",
    counts: "indexes",
    payloadBytesMax: 4 * KIB,
    decode: "inline",
    body: fields<Of<"GetBlockTransactions">>(
      "GetBlockTransactions",
      {
        hash,
        indexes: ascending(list(index, { min: 1, max: blockTransactionsMax }), (each) => each),
      },
      { depthMax: 2, itemsMax: 3 + blockTransactionsMax },
    ),
  },
  BlockTransactions: {
    ...COMPACT,
    code: 0x14,
    haste: "announced",
    role: "response",
    payloadBytesMax: 4 * KIB * KIB,
    decode: "pool",
    body: items([1, blockTransactionsMax], {
      itemsIn: ({ transactions }) => transactions,
      messageOf: (payload, ranges) => ({
        kind: "BlockTransactions",
        transactions: itemsOf(payload, ranges),
      }),
    }),
  },
};
