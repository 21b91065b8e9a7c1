// The settings of the exchange of addresses with peers.

import { DAY_MS, flag, HOUR_MS, MINUTE_MS, ms, SECOND_MS } from "../setting.js";

export const EXCHANGE = {
  exchange: {
    enabled: flag(
      true,
      "Ask peers that this node dialed where others can be dialed, and tell those that ask.",
    ),
    localAddresses: flag(
      true,
      "Take addresses of a private network or of this machine from peers that are there too, and " +
        "tell them such ones. Public peers are never believed about them, nor told.",
    ),
    sampleMs: ms(
      DAY_MS,
      [MINUTE_MS, 14 * DAY_MS],
      "About so long all who ask are told the same addresses: whoever asks again and again must not " +
        "see whom this node meets (Bitcoin Core has 21 to 27 hours).",
    ),
    askAgainMinMs: ms(
      15 * SECOND_MS,
      [SECOND_MS, DAY_MS],
      "A peer is asked again after about so long, when it may know of more; then after twice as long.",
    ),
    askAgainMaxMs: ms(DAY_MS, [HOUR_MS, 14 * DAY_MS], "The longest of these pauses."),
  },
} as const;
