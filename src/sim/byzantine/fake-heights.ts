// Script: claims a chain far beyond everybody's and has nothing to show for it.

import { toHex } from "../../bytes/hex.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import { bestOf } from "./chain-view.js";
import type { Behaviour, ByzantineHost, ByzantineScript } from "./script.js";

const WAYS = ["none", "known", "silence", "refusal"] as const;

export const fakeHeights: ByzantineScript = fakeHeightsOf(WAYS);

/** How it answers those who ask for the headers of its claim is drawn from `ways`. */
export function fakeHeightsOf(ways: readonly (typeof WAYS)[number][]): ByzantineScript {
  return { name: "fake-heights", behave: (host) => claim(host, ways) };
}

function claim(host: ByzantineHost, ways: readonly (typeof WAYS)[number][]): Behaviour {
  const { book, random } = host;
  const way = ways[random.uint32() % ways.length]!;
  let height = 2n ** 40n;
  const head = (): ChainHead => {
    const hash = toHex(random.bytes(32));
    return { height: height++, hash, totalDifficulty: 2n ** 63n + height };
  };
  return {
    head,
    chain: () => bestOf(book),
    onMessage(session, message, requestId) {
      if (message.kind !== "RequestHeaders") return false;
      if (way === "none") session.send({ kind: "ResponseHeaders", headers: [] }, requestId);
      if (way === "refusal") {
        session.send({ kind: "RequestRefused", reason: "NotFound" }, requestId);
      }
      return way !== "known";
    },
    tick() {
      for (const session of host.sessions) session.send({ kind: "AnnounceBlock", ...head() });
    },
  };
}
