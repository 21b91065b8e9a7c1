// Script: two valid blocks of one height, one to one half of its peers, one to the other. Nobody can
// be blamed for it; all must agree on one of them all the same.

import type { BookBlock } from "../block-book.js";
import { bestOf, extended, type Served } from "./chain-view.js";
import { mine, pay } from "./forge.js";
import type { ByzantineScript } from "./script.js";
import type { Session } from "./session.js";

/** A rate of blocks that honest producers can overtake. */
const EVERY_TICKS = 4;

export const equivocation: ByzantineScript = {
  name: "equivocation",
  behave(host) {
    const { book } = host;
    let ticks = 0;
    let sides: readonly BookBlock[] = [];
    const sideOf = ({ peerId }: Session): BookBlock | undefined =>
      sides[Number.parseInt(peerId.slice(0, 1), 16) % 2];
    const chain = (session: Session): Served => {
      const block = sideOf(session);
      return block === undefined ? bestOf(book) : extended(book, [block]);
    };
    return {
      chain,
      tick() {
        if (++ticks % EVERY_TICKS !== 0) return;
        const parent = book.best;
        // The same money goes two ways.
        sides = [0, 1].map((data) =>
          mine(host, parent, [pay(host, parent.header.hash, 0, 1 + data)]),
        );
        for (const session of host.sessions) {
          const block = sideOf(session);
          if (block !== undefined) session.send({ kind: "NewBlock", block: block.bytes });
        }
      },
    };
  },
};
