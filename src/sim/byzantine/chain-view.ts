// The chain that a byzantine node shows: the best one of the run, or blocks of its own on top of a
// block of it. Answers the requests for blocks and headers as an honest node does.

import { splitBlock } from "../../chain/block.js";
import type { HashHex } from "../../types/chain.js";
import { ITEM_LIMITS, type Message, type MessageOf } from "../../protocol/types/message.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { BlockBook, BookBlock } from "../block-book.js";

/** A chain that can be asked for by height and by hash. */
export interface Served {
  readonly head: BookBlock;
  at(height: number): BookBlock | undefined;
  get(hash: HashHex): BookBlock | undefined;
}

/** `blocks` ascend, each on the one before, from a child of a block that the best chain had. */
export function extended(book: BlockBook, blocks: readonly BookBlock[]): Served {
  const [first] = blocks;
  const head = blocks.at(-1);
  const fork = first?.parent;
  if (head === undefined || fork === undefined) return bestOf(book);
  const ours = new Map(blocks.map((block) => [block.header.hash, block]));
  return {
    head,
    get: (hash) => ours.get(hash) ?? book.get(hash),
    at(height) {
      // By their place: what their headers say of it may be wrong.
      const place = height - fork.header.height - 1;
      if (place >= 0) return blocks[place];
      let below: BookBlock | undefined = fork;
      while (below !== undefined && below.header.height > height) {
        if (book.at(below.header.height) === below) return book.at(height);
        // The run has left the branch that this chain was built on.
        below = below.parent;
      }
      return below;
    },
  };
}

export function bestOf(book: BlockBook): Served {
  return {
    head: book.best,
    get: (hash) => book.get(hash),
    at: (height) => book.at(height),
  };
}

export function headOf({ header }: BookBlock): ChainHead {
  const { height, hash, totalDifficulty } = header;
  return { height: BigInt(height), hash, totalDifficulty };
}

/** The answer of an honest node with this chain and an empty mempool; undefined: no request. */
export function answerTo(message: Message, chain: Served): Message | undefined {
  switch (message.kind) {
    case "RequestBlock": {
      const block = chain.get(message.hash);
      return block === undefined ? NOT_FOUND : { kind: "ResponseBlock", block: block.bytes };
    }
    case "GetBlockTransactions":
      return transactionsOf(message, chain);
    case "RequestHeaders":
      return headersAfter(message, chain);
    case "RequestBlockRange":
      return rangeOf(message, chain);
    case "RequestTransactions":
      return { kind: "ResponseTransactions", transactions: [] };
    case "GetPeers":
      return { kind: "Peers", endpoints: [] };
    default:
      return undefined;
  }
}

/** As an honest node splits the blocks of the default chain. */
function transactionsOf(request: MessageOf<"GetBlockTransactions">, chain: Served): Message {
  const block = chain.get(request.hash);
  const parts = block && splitBlock(block.bytes, block.bytes.length);
  if (parts?.ok !== true) return NOT_FOUND;
  const transactions = request.indexes.map((index) => parts.value.transactions[index]);
  if (transactions.includes(undefined)) return NOT_FOUND;
  return { kind: "BlockTransactions", transactions: transactions as Uint8Array[] };
}

const NOT_FOUND = { kind: "RequestRefused", reason: "NotFound" } as const;
const RANGE_BLOCKS_MAX = 64;

function headersAfter(request: MessageOf<"RequestHeaders">, chain: Served): Message {
  const known = request.locator
    .map((hash) => chain.get(hash)?.header)
    .find((header) => header !== undefined && chain.at(header.height)?.header.hash === header.hash);
  if (known === undefined) return NOT_FOUND;
  const countMax = Math.min(request.countMax, ITEM_LIMITS.headersMax);
  const headers: Uint8Array[] = [];
  for (let height = known.height + 1; headers.length < countMax; height++) {
    const block = chain.at(height);
    if (block === undefined) break;
    headers.push(block.headerBytes);
  }
  return { kind: "ResponseHeaders", headers };
}

function rangeOf(request: MessageOf<"RequestBlockRange">, chain: Served): Message {
  const { fromHeight, count, lastHash } = request;
  if (chain.at(fromHeight + count - 1)?.header.hash !== lastHash) return NOT_FOUND;
  const blocks: Uint8Array[] = [];
  for (let height = fromHeight; blocks.length < Math.min(count, RANGE_BLOCKS_MAX); height++) {
    const block = chain.at(height);
    if (block === undefined) break;
    blocks.push(block.bytes);
  }
  return blocks.length === 0 ? NOT_FOUND : { kind: "ResponseBlockRange", blocks };
}
