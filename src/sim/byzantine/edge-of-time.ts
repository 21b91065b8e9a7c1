// Script: valid blocks from as far in the future as the clock of one node or another allows. Honest
// clocks differ by a little, so some take what the others must refuse; none may blame another.

import type { BookBlock } from "../block-book.js";
import { bestOf, extended } from "./chain-view.js";
import { mine } from "./forge.js";
import type { ByzantineScript } from "./script.js";

/** Of the default networks. */
const FUTURE_MAX_MS = 15_000;
/** No honest clock is ahead of the true time by more. */
const AHEAD_MAX_MS = 2_000;
const EVERY_TICKS = 5;

export const edgeOfTime: ByzantineScript = {
  name: "edge-of-time",
  behave(host) {
    const { book, clock, random } = host;
    let ticks = 0;
    let blocks: readonly BookBlock[] = [];
    return {
      chain: () => (blocks.length === 0 ? bestOf(book) : extended(book, blocks)),
      tick() {
        if (++ticks % EVERY_TICKS !== 0) return;
        const aheadMs = Math.floor(AHEAD_MAX_MS * random.float());
        const timestampMs = clock.wallMs() + FUTURE_MAX_MS + aheadMs;
        if (timestampMs <= book.best.header.timestampMs) return;
        const block = mine(host, book.best, [], { timestampMs });
        blocks = [block];
        for (const session of host.sessions) {
          session.send({ kind: "NewBlock", block: block.bytes });
        }
      },
    };
  },
};
