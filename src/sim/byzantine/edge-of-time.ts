// Script: valid blocks from as far in the future as the rules allow. Honest clocks differ by a
// little, so one half takes what the other half must refuse; neither may blame the other.

import type { BookBlock } from "../block-book.js";
import { bestOf, extended } from "./chain-view.js";
import { mine } from "./forge.js";
import type { ByzantineScript } from "./script.js";

/** Of the default networks. */
const FUTURE_MAX_MS = 15_000;
const EVERY_TICKS = 5;

export const edgeOfTime: ByzantineScript = {
  name: "edge-of-time",
  behave(host) {
    const { book, clock } = host;
    let ticks = 0;
    let blocks: readonly BookBlock[] = [];
    return {
      chain: () => (blocks.length === 0 ? bestOf(book) : extended(book, blocks)),
      tick() {
        if (++ticks % EVERY_TICKS !== 0) return;
        const timestampMs = clock.wallMs() + FUTURE_MAX_MS;
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
