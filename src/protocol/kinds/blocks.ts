// `blocks/1`: new heads, and single blocks by hash.

import { toHex } from "../../bytes/hex.js";
import type { HashHex } from "../../types/chain.js";
import type { ChainHead } from "../types/node-info.js";
import { HEAD } from "./base.js";
import { fields } from "./fields.js";
import { hashItem, item, itemAt } from "./items.js";
import type { KindsOf } from "./kind.js";

export type BlocksMessage =
  /** A whole block, pushed: it is the sender's new head. */
  | { readonly kind: "NewBlock"; readonly block: Uint8Array }
  /** The sender's new head, by hash. */
  | ({ readonly kind: "AnnounceBlock" } & ChainHead)
  | { readonly kind: "RequestBlock"; readonly hash: HashHex }
  | { readonly kind: "ResponseBlock"; readonly block: Uint8Array };

const BLOCK = { capability: "blocks/1", lane: "block", decode: "inline" } as const;
const BLOCK_BYTES_MAX = 4 * 1024 * 1024;

export const BLOCKS_KINDS: KindsOf<BlocksMessage> = {
  NewBlock: {
    ...BLOCK,
    code: 0x10,
    haste: "tip",
    role: "oneWay",
    quota: "pushedBlocks",
    payloadBytesMax: BLOCK_BYTES_MAX,
    body: item({
      itemsIn: ({ block }) => [block],
      messageOf: (payload, ranges) => ({ kind: "NewBlock", block: itemAt(payload, ranges, 0) }),
    }),
  },
  AnnounceBlock: {
    ...BLOCK,
    code: 0x11,
    haste: "announcement",
    role: "oneWay",
    quota: "announcedBlocks",
    isLatest: true,
    payloadBytesMax: 128,
    body: fields("AnnounceBlock", HEAD),
  },
  RequestBlock: {
    ...BLOCK,
    code: 0x20,
    haste: "tip",
    role: "request",
    answeredBy: "ResponseBlock",
    quota: "blocks",
    payloadBytesMax: 64,
    body: hashItem({
      itemsIn: ({ hash }) => [hash],
      messageOf: (payload, ranges) => ({
        kind: "RequestBlock",
        hash: toHex(itemAt(payload, ranges, 0)),
      }),
    }),
  },
  ResponseBlock: {
    ...BLOCK,
    code: 0x21,
    haste: "announced",
    role: "response",
    payloadBytesMax: BLOCK_BYTES_MAX,
    body: item({
      itemsIn: ({ block }) => [block],
      messageOf: (payload, ranges) => ({
        kind: "ResponseBlock",
        block: itemAt(payload, ranges, 0),
      }),
    }),
  },
};
