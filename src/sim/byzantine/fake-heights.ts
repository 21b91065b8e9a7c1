// Script: claims a chain far beyond everybody's and has nothing to show for it.

import { toHex } from "../../bytes/hex.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import { bestOf } from "./chain-view.js";
import type { ByzantineScript } from "./script.js";

const WAYS = ["none", "known", "silence", "refusal"] as const;

export const fakeHeights: ByzantineScript = {
  name: "fake-heights",
  behave(host) {
    const { book, random } = host;
    const way = WAYS[random.uint32() % WAYS.length]!;
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
  },
};
