// Script: blocks with one broken rule, each rule by turns, offered in each way that there is.

import type { BlockBook, BookBlock } from "../block-book.js";
import { bestOf, extended, headOf, type Served } from "./chain-view.js";
import { BREAKS, mineChain, type BreakName } from "./forge.js";
import type { ByzantineScript } from "./script.js";

const WAYS = ["push", "announce", "sync"] as const;
/** Valid blocks below the broken one when a whole chain is offered: at most. */
const DEPTH_MAX = 20;

export const invalidBlocks: ByzantineScript = invalidBlocksOf(Object.keys(BREAKS) as BreakName[]);

/** The same with these rules alone. */
export function invalidBlocksOf(rules: readonly BreakName[]): ByzantineScript {
  return {
    name: "invalid-blocks",
    behave(host) {
      const { book, random } = host;
      let turn = random.uint32();
      let chain: Served = bestOf(book);
      return {
        chain: () => chain,
        tick() {
          if (host.sessions.length === 0 || random.float() < 0.5) return;
          const name = rules[turn++ % rules.length]!;
          const way = WAYS[random.uint32() % WAYS.length]!;
          const depth = way === "sync" ? 1 + (random.uint32() % DEPTH_MAX) : 0;
          const below = mineChain(host, book.best, depth);
          const blocks = ownBlocks(book, BREAKS[name](host, below.at(-1) ?? book.best));
          chain = extended(book, blocks);
          for (const session of host.sessions) {
            if (way === "push") {
              for (const { bytes } of blocks) session.send({ kind: "NewBlock", block: bytes });
            } else {
              session.send({ kind: "AnnounceBlock", ...headOf(chain.head) });
            }
          }
        },
      };
    },
  };
}

/** Those that no node has yet, ascending. */
function ownBlocks(book: BlockBook, tip: BookBlock): BookBlock[] {
  const blocks: BookBlock[] = [];
  for (let at: BookBlock | undefined = tip; at !== undefined; at = at.parent) {
    if (book.get(at.header.hash) !== undefined) break;
    blocks.unshift(at);
  }
  return blocks;
}
