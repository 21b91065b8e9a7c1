// The settings of what is thought of peers.

import {
  count,
  DAY_MS,
  ENTRIES,
  HOUR_MS,
  ms,
  number,
  type NumberSetting,
  SECOND_MS,
} from "../setting.js";

const points = (value: number, bounds: readonly [number, number], text: string): NumberSetting =>
  number(value, "points", bounds, text);

export const REPUTATION = {
  reputation: {
    halfLifeMs: ms(600_000, [SECOND_MS, 3_650 * DAY_MS], "After so long a score is half of it."),
    scoreMax: points(1_000, [1, 1_000_000], "No score is higher, and none lower than minus this."),
    gainPerMinuteMax: points(100, [0, 1_000_000], "What a peer can gain in a minute."),
    banScore: points(-100, [-1_000_000, -1], "At this score a peer is banned."),
    probationScore: points(-50, [-1_000_000, -1], "At this score it is dialed last."),
    preferredScore: points(50, [1, 1_000_000], "At this score it is dialed first."),
    banMs: ms(3_600_000, [1, 365 * DAY_MS], "A first ban; each further one is twice as long."),
    banMaxMs: ms(86_400_000, [1, 3_650 * DAY_MS], "No ban is longer."),
    banRememberedMs: ms(
      DAY_MS,
      [0, 24 * DAY_MS],
      "For so long after its end a ban makes the next one longer; then it is forgotten.",
    ),
    bansKeptMax: count(
      4_096,
      ENTRIES,
      "Bans that are remembered; those that end first go first. Up to half of them are the operator's, " +
        "which give way to no others.",
    ),
    operatorBanMs: ms(DAY_MS, [1, 3_650 * DAY_MS], "An operator's ban that does not say how long."),
    operatorBanMaxMs: ms(
      3_650 * DAY_MS,
      [1, 36_500 * DAY_MS],
      "The longest ban that an operator can speak.",
    ),
    bansPerWindowMax: count(
      16,
      [0, 65_536],
      "More bans than this within `reputation.bansWindowMs`: the fault is more likely ours.",
    ),
    bansWindowMs: ms(60_000, [1, DAY_MS], "See `reputation.bansPerWindowMax`."),
    peersFloor: number(
      2,
      "peers",
      [0, 1_024],
      "With no more ready peers than this nobody is banned for slowness.",
    ),
    selfBlameLoopDelayMs: ms(250, [1, HOUR_MS], "Over this loop delay a timeout is our own fault."),
    repeatsPerMinuteMax: count(
      20_000,
      [0, 2 ** 30],
      "Ids that a peer may tell twice in a minute, beside as many as it is told itself: a gateway tells " +
        "what waits there every 30 s, and of more than `gossip.knownPerPeerMax` nobody knows.",
    ),
    groupRestMs: ms(
      30_000,
      [0, DAY_MS],
      "When several peers of one address group committed offences that are worth a ban, nobody new comes " +
        "in from it for so long, twice as long for each further ban's worth, and for three times as long " +
        "after that one at a time.",
    ),
    groupRestMaxMs: ms(600_000, [0, DAY_MS], "No address group is left alone for longer."),
    groupsTrackedMax: count(
      1_024,
      ENTRIES,
      "Address groups whose offences are remembered; those that did least go first.",
    ),
    ledgerEntriesMax: count(32, [1, 65_536], "Reasons of a score that are kept for each peer."),
    peersTrackedMax: count(
      4_096,
      ENTRIES,
      "Peers that are remembered, and whose score is kept; the oldest go first.",
    ),
  },
} as const;
