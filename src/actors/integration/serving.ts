// What of the chain answers peers' requests for blocks and headers, within the serving caps. Pure over
// the chain; the storage integration reads the blocks and replies.

import { itemsWithin } from "../../protocol/kinds/items.js";
import type { MessageOf, RefusalReason } from "../../protocol/types/message.js";
import type { HashHex } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";
import { transactionsAt } from "./block-transactions.js";
import type { ServedSpan } from "./served-spans.js";

type ServingEnv = Pick<NodeEnv, "blocks" | "config">;

/** A request whose blocks were read. */
export interface BlocksRead {
  readonly request: MessageOf<"RequestBlock" | "RequestBlockRange" | "GetBlockTransactions">;
  /** Of the first block; undefined: it is not on the chain. */
  readonly fromHeight: number | undefined;
  readonly blocks: readonly Uint8Array[];
}

/** Which headers may leave. */
export interface HeaderChecks {
  /** Blocks that are not served; true: nor are their headers. */
  readonly withheld: ReadonlyMap<HashHex, boolean>;
  /** Whether these bytes are the header of this hash. */
  readonly isSound: (hash: HashHex, header: Uint8Array) => boolean;
}

export interface Served {
  readonly message:
    | MessageOf<"ResponseBlock" | "ResponseBlockRange" | "ResponseHeaders" | "BlockTransactions">
    | MessageOf<"RequestRefused">;
  /** What of the canonical chain it holds. */
  readonly span?: ServedSpan;
}

export function refused(reason: RefusalReason): Served {
  return { message: { kind: "RequestRefused", reason } };
}

/** What a request for blocks is answered with, as far as they can be read. */
export interface Wanted {
  readonly hashes: readonly HashHex[];
  /** Of the first one; undefined: it is not on the chain. */
  readonly fromHeight: number | undefined;
  readonly bytesMax: number;
}

export function theBlock(
  { hash }: { readonly hash: HashHex },
  { blocks }: Pick<ServingEnv, "blocks">,
): Wanted {
  const height = blocks.summary(hash)?.height;
  const isCanonical = height !== undefined && blocks.hashAt(height) === hash;
  const hashes = height === undefined ? [] : [hash];
  return { hashes, fromHeight: isCanonical ? height : undefined, bytesMax: 1 };
}

/** A prefix of the range: at least one block, then until the soft limit is reached. */
export function theRange(
  request: MessageOf<"RequestBlockRange">,
  { blocks, config }: ServingEnv,
): Wanted {
  const { itemsMax, bytesSoftMax } = config.serve;
  const { fromHeight, count, lastHash } = request;
  const hashes: HashHex[] = [];
  const isOurs = blocks.hashAt(fromHeight + count - 1) === lastHash;
  const end = isOurs ? fromHeight + Math.min(count, itemsMax) : fromHeight;
  for (let height = fromHeight; height < end; height++) {
    const hash = blocks.hashAt(height);
    if (hash === undefined) break;
    hashes.push(hash);
  }
  return { hashes, fromHeight, bytesMax: bytesSoftMax };
}

export function servedBlocks(
  { request, blocks, fromHeight }: BlocksRead,
  env: Pick<NodeEnv, "consensus">,
): Served {
  const [block] = blocks;
  if (block === undefined) return refused("NotFound");
  const span = fromHeight === undefined ? {} : { span: spanOf(fromHeight, blocks.length) };
  switch (request.kind) {
    case "RequestBlock":
      return { message: { kind: "ResponseBlock", block }, ...span };
    case "RequestBlockRange":
      return { message: { kind: "ResponseBlockRange", blocks }, ...span };
    case "GetBlockTransactions": {
      const transactions = transactionsAt(block, request.indexes, env);
      if (transactions === undefined) return refused("NotFound");
      return { message: { kind: "BlockTransactions", transactions }, ...span };
    }
  }
}

function spanOf(fromHeight: number, count: number): ServedSpan {
  return { fromHeight, count, bodies: true };
}

/**
 * Canonical headers after the newest locator hash that is canonical here; genesis always is. At
 * least one, if there are any, then until the soft limit is reached.
 */
export function serveHeaders(
  request: MessageOf<"RequestHeaders">,
  { blocks: store, config }: ServingEnv,
  { withheld, isSound }: HeaderChecks,
): Served {
  const { bytesSoftMax } = config.serve;
  const known = request.locator
    .map((hash) => store.summary(hash))
    .find((header) => header !== undefined && store.hashAt(header.height) === header.hash);
  if (known === undefined) return refused("NotFound");
  const last = Math.min(store.head().height, known.height + request.countMax);
  const found: Uint8Array[] = [];
  let bytes = 0;
  for (let height = known.height + 1; height <= last; height++) {
    const hash = store.hashAt(height);
    if (hash === undefined || withheld.get(hash) === true) break;
    const header = store.headerBytes(hash);
    if (header === undefined || !isSound(hash, header)) break;
    if (found.length > 0 && bytes + header.length > bytesSoftMax) break;
    found.push(header);
    bytes += header.length;
  }
  const headers = itemsWithin(found, bytesSoftMax);
  const span = { fromHeight: known.height + 1, count: headers.length, bodies: false };
  return { message: { kind: "ResponseHeaders", headers }, span };
}
