// Script: offers a heavier chain, proves it by its headers, and does not give its blocks: never,
// with a refusal, or late.

import { bestOf, extended, headOf, type Served } from "./chain-view.js";
import { mineChain } from "./forge.js";
import type { Behaviour, ByzantineHost, ByzantineScript } from "./script.js";

const WAYS = ["silence", "refusal", "delay"] as const;
const DELAY_MAX_MS = 20_000;
/** How long one chain is offered. */
const OFFER_TICKS = 15;
/** Fewer than honest producers find meanwhile: it does not own most of the work. */
const BLOCKS_MAX = 6;
const BODIES = new Set(["RequestBlock", "RequestBlockRange"]);

export const withholding: ByzantineScript = withholdingOf(WAYS);

/** How it keeps its blocks is drawn from `ways`. */
export function withholdingOf(ways: readonly (typeof WAYS)[number][]): ByzantineScript {
  return { name: "withholding", behave: (host) => withhold(host, ways) };
}

function withhold(host: ByzantineHost, ways: readonly (typeof WAYS)[number][]): Behaviour {
  const { book, clock, random } = host;
  const way = ways[random.uint32() % ways.length]!;
  let chain: Served = bestOf(book);
  let ticks = 0;
  return {
    head: () => headOf(chain.head),
    chain: () => chain,
    onMessage(session, message, requestId) {
      if (!BODIES.has(message.kind)) return false;
      if (way === "silence") return true;
      if (way === "refusal") {
        session.send({ kind: "RequestRefused", reason: "Busy" }, requestId);
        return true;
      }
      const offered = chain;
      clock.setTimer(random.float() * DELAY_MAX_MS, () => {
        session.answer(message, requestId, offered);
      });
      return true;
    },
    tick() {
      if (ticks++ % OFFER_TICKS === 0) {
        const count = 1 + (random.uint32() % BLOCKS_MAX);
        chain = extended(book, mineChain(host, book.best, count));
      }
      for (const session of host.sessions) {
        session.send({ kind: "AnnounceBlock", ...headOf(chain.head) });
      }
    },
  };
}
