// The settings of the two routers: what is dropped when more comes than can be dealt with, and when a
// subsystem that does not answer is left alone.

import { count, HOUR_MS, ms } from "../setting.js";

export const LOAD = {
  overload: {
    dropFrom: count(
      2_048,
      [1, 65_536],
      "Messages of a kind that may be lost (pushed and announced transactions) which wait, or are worked " +
        "on, from which on some are dropped by chance: none here, all at `overload.dropAll`, as many of " +
        "those between as it is far. By the mean of a second: a burst that is dealt with loses nothing.",
    ),
    dropAll: count(
      4_096,
      [16, 65_536],
      "Of those that wait, whatever the mean is: further ones are dropped. Half a second's checks of two " +
        "cores. Blocks, requests and control are never dropped.",
    ),
  },
  subsystems: {
    slowMs: ms(
      2_000,
      [10, HOUR_MS],
      "An answer of the mempool or of the store that takes longer is late. The consensus may take as " +
        "long as the disk and a reorganisation do.",
    ),
    failuresMax: count(
      4,
      [1, 1_024],
      "So many answers that were late, or never came, in a row: further questions are refused at once, " +
        "and their askers told that this node is busy, instead of waiting for it.",
    ),
    restMinMs: ms(
      1_000,
      [10, HOUR_MS],
      "How long that lasts at first; then one question tries whether it answers again.",
    ),
    restMaxMs: ms(30_000, [10, HOUR_MS], "How far that doubles while it does not."),
    heldMax: count(
      4_096,
      [16, 2 ** 20],
      "Messages that wait for a subsystem whose mailbox is full; further questions are refused.",
    ),
  },
} as const;
