// What peers may send of their own accord: what exceeds it is dropped unread, and what exceeds that by
// far ends the connection. docs/protocol.md says what peers may send that cannot be told.

import { burst, burstBytes, count, MIB, rate } from "../setting.js";

export const RATES = {
  receive: {
    blocksPerSecond: rate(64, "Whole blocks that one peer may push, after a burst."),
    blocksBurst: burst(512, "Whole blocks that it may push at once."),
    blockBytesPerSecond: rate(
      32 * MIB,
      "Bytes of pushed blocks, after a burst: eight of the largest.",
    ),
    blockBytesBurst: burstBytes(128 * MIB, "Bytes of pushed blocks at once."),
    announcedBlocksPerSecond: rate(
      64,
      "Heads that one peer may announce, after a burst; the default chain makes one in 10 s.",
    ),
    announcedBlocksBurst: burst(512, "Heads that it may announce at once."),
    transactionsPerSecond: rate(
      1_024,
      "Transactions that one peer may push, after a burst; each is hashed on the event loop and has " +
        "a signature, which takes a core 88 µs.",
    ),
    transactionsBurst: burst(4_096, "Transactions that it may push at once."),
    transactionBytesPerSecond: rate(8 * MIB, "Bytes of pushed transactions, after a burst."),
    transactionBytesBurst: burstBytes(32 * MIB, "Bytes of pushed transactions at once."),
    announcedTransactionsPerSecond: rate(
      8_192,
      "Ids of transactions that one peer may announce, after a burst: as many as two cores check.",
    ),
    announcedTransactionsBurst: burst(
      65_536,
      "Ids that it may announce at once: a welcome has 5,000 (`gossip.knownPerPeerMax`), and so has " +
        "each tenth of a second of a reorganisation at most.",
    ),
    relayEdgesPerSecond: rate(
      16,
      "Prunes, grafts and keys of short ids that one peer may send, each, after a burst: this node " +
        "sends one in half a second at most of each tree.",
    ),
    relayEdgesBurst: burst(256, "Those that it may send at once."),
    groupPeers: count(
      2,
      [1, 1_024],
      "All peers of an address group (/24, /48) together may send, and be served in bytes, as much " +
        "as so many peers: who comes back under another key has used it up. Local and trusted ones " +
        "are exempt, see `inbound.exemptLocal`.",
    ),
    groupsMax: count(
      4_096,
      [1, 2 ** 20],
      "Address groups of which that is remembered; the one that was not heard of for longest goes first.",
    ),
  },
  checks: {
    perGroupPerSecond: rate(
      16,
      "Transactions of an address group that has brought no good ones lately which are checked, after " +
        "a burst. Good ones do not count; an invalid one counts as 17.",
    ),
    perGroupBurst: burst(
      4_096,
      "Those that are checked at once, and may be under way: an answer has 1,500 small ones.",
    ),
    strangersPerSecond: rate(
      256,
      "The same of all such groups together: a fiftieth of a core, at 88 µs each.",
    ),
    strangersBurst: burst(16_384, "Those that are checked at once of all of them."),
    groupsMax: count(
      4_096,
      [1, 2 ** 20],
      "Groups, and local peers, of which that is remembered; the one that brought nothing for longest " +
        "goes first.",
    ),
  },
} as const;
