// Script: holds connections and what they cost others. Either it never finishes a handshake, or it
// asks for much, reads nothing and grants no credit.

import type { ByzantineScript } from "./script.js";

const REQUESTS_PER_TICK = 16;
const BLOCKS = 512;
const EVERY_LANE = ["block", "sync", "transaction"] as const;
const GRANT_BYTES = 1024 * 1024;

export const mute: ByzantineScript = {
  name: "mute",
  behave: () => ({ mute: true, manyIdentities: true, dialsMax: 8 }),
};

export const slowLoris: ByzantineScript = {
  name: "slow-loris",
  behave(host) {
    const { book } = host;
    return {
      readsNothing: true,
      onReady(session) {
        for (const lane of EVERY_LANE) {
          session.send({ kind: "WindowUpdate", lane, bytes: GRANT_BYTES });
        }
      },
      tick() {
        const { height, hash } = book.best.header;
        const count = Math.min(BLOCKS, height);
        if (count === 0) return;
        const fromHeight = height - count + 1;
        for (const session of host.sessions) {
          for (let sent = 0; sent < REQUESTS_PER_TICK; sent++) {
            session.ask({ kind: "RequestBlockRange", fromHeight, count, lastHash: hash });
          }
        }
      },
    };
  },
};
