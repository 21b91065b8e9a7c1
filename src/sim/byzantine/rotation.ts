// Script: under ever new keys it claims far more work than anybody has, is silent when it is asked for
// the proof, and leaves before anybody gives it up. Whoever believes claims asks nobody else.

import { toHex } from "../../bytes/hex.js";
import type { ByzantineScript } from "./script.js";

const CONNECTIONS = 16;
/** Less than the patience of those who ask it. */
const STAY_MS = 1_800;

export const rotation: ByzantineScript = {
  name: "rotation",
  behave({ clock, random }) {
    return {
      dialsMax: CONNECTIONS,
      manyIdentities: true,
      head: () => ({
        height: 2n ** 40n,
        hash: toHex(random.bytes(32)),
        totalDifficulty: 2n ** 62n + BigInt(random.uint32()),
      }),
      onReady: (session) => {
        clock.setTimer(STAY_MS, () => session.close());
      },
      onMessage: (_session, { kind }) => kind === "RequestHeaders" || kind === "RequestBlockRange",
    };
  },
};
