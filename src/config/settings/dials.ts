// The settings of whom a node dials, and of the addresses that it knows.

import { count, DAY_MS, ENTRIES, flag, HOUR_MS, MINUTE_MS, ms, SECOND_MS } from "../setting.js";

export const DIALS = {
  dial: {
    timeoutMs: ms(5_000, [100, 10 * MINUTE_MS], "From the dial to the end of the TLS handshake."),
    concurrentMax: count(8, [1, 1_024], "Dials at once."),
    resolveTimeoutMs: ms(
      3_000,
      [100, 10 * MINUTE_MS],
      "Of the time above: a name that nobody answers for must not hold the place of a dial.",
    ),
    backoffMinMs: ms(1_000, [1, DAY_MS], "Before an address that failed is dialed again."),
    backoffMaxMs: ms(600_000, [1, DAY_MS], "The same after many failures, doubled at each."),
    backoffAloneMaxMs: ms(
      45_000,
      [SECOND_MS, DAY_MS],
      "The same while there is no peer at all: a seed that comes back is found within a minute.",
    ),
    aloneWarnMs: ms(30_000, [SECOND_MS, DAY_MS], "How often the log says that there is no peer."),
    candidatesMax: count(1_024, ENTRIES, "Addresses that are kept to be dialed."),
    rememberedMs: ms(
      30 * DAY_MS,
      [0, 3_650 * DAY_MS],
      "An address that was heard of, or where a peer was found, is dialed after a restart too, for so " +
        "long.",
    ),
    onlyConfigured: flag(
      false,
      "Dial `seedPeers`, `staticPeers` and what is asked for by hand, and nobody that peers tell of.",
    ),
    blocksOnlyMax: count(
      2,
      [0, 64],
      "Further connections for blocks alone, once `maxOutbound` are there: who maps the network by its " +
        "transactions does not find them (Bitcoin Core has two).",
    ),
    feelerEveryMs: ms(
      120_000,
      [0, DAY_MS],
      "The mean time between two dials that only see whether somebody is at an address, while all slots " +
        "are taken; 0: none (Bitcoin Core takes two minutes).",
    ),
    staleTipMs: ms(
      1_800_000,
      [0, DAY_MS],
      "When the chain has not grown for so long one more peer is dialed, in the place of a feeler, and " +
        "after 30 s whoever of those drawn brought no block for longest leaves; 0: never (Bitcoin Core " +
        "does so after three of its intervals).",
    ),
    drawEveryMs: ms(
      250,
      [1, HOUR_MS],
      "Between two dials of addresses that peers told of: a book full of dead ones makes no flood.",
    ),
    perGroupMax: count(
      1,
      [1, 1_024],
      "Peers of one address group that are dialed because they were heard of.",
    ),
    exemptLocal: flag(true, "Loopback and private addresses are exempt from that."),
    ipv4GroupBits: count(
      16,
      [1, 32],
      "Addresses that agree in so many bits count as one owner's when it is chosen whom to dial; a " +
        "/24, of which inbound connections are counted, is cheap to rent many of.",
    ),
    ipv6GroupBits: count(32, [1, 128], "The same of IPv6: what a provider is given."),
  },
  addresses: {
    newBuckets: count(
      1_024,
      [1, 65_536],
      "Buckets of addresses that peers told of; what peers of one address group tell lies in 64 of " +
        "them at most (Bitcoin Core's figures).",
    ),
    triedBuckets: count(
      256,
      [1, 65_536],
      "Buckets of addresses where a peer was found; those of one address group lie in 8 at most.",
    ),
    bucketSize: count(64, [1, 1_024], "Addresses in a bucket, each 800 bytes of memory."),
    saveEveryMs: ms(
      5_000,
      [1, HOUR_MS],
      "After so long what changed is written: what came later is lost when the process is killed.",
    ),
    names: flag(
      false,
      "Believe peers that tell of hosts by name too: whoever owns a domain has as many names, each a " +
        "group of its own, as he likes.",
    ),
  },
} as const;
