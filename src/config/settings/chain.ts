// The settings of the chain: its synchronisation, branches, mempool and producer.

import {
  bytes,
  count,
  DAY_MS,
  flag,
  HOUR_MS,
  KIB,
  MIB,
  ms,
  number,
  SECOND_MS,
} from "../setting.js";

/** Of caches that take memory for all their entries at once. */
const ENTRIES = [1, 2 ** 20] as const;

export const CHAIN = {
  sync: {
    headersPerRequest: number(
      512,
      "headers",
      [1, 2_000],
      "Their verdict is cloned to the event loop: 512 summaries cost about 1 ms of it. The protocol " +
        "allows 2,000.",
    ),
    headersFirst: number(
      32,
      "headers",
      [1, 2_000],
      "So many are asked for at first, then twice as many each time: several peers are asked at once, " +
        "and a few headers prove the heavier chain unless it forks deeply.",
    ),
    headerPeersMax: count(
      4,
      [1, 64],
      "Peers that are asked for headers at once: as many that this node dialed, and as many that " +
        "dialed it. Before one is chosen they share what may be held.",
    ),
    headersAheadMax: number(
      16_384,
      "headers",
      [2, 2 ** 20],
      "Proven headers held ahead of the bodies, or fewer: together they take no more than 1 KiB each, " +
        "640 bytes of which are not the header's own.",
    ),
    headersSurveyedMax: number(
      1_048_576,
      "headers",
      [2, 2 ** 32],
      "Headers of one branch that are checked while their work does not exceed ours: beyond a window " +
        "of them only one in a window is kept. Ours would have to be a thousand times as heavy a block.",
    ),
    headersPerSecondMin: number(
      32,
      "a second",
      [1, 2_000],
      "Whoever brings headers more slowly, while others wait to be asked, loses its turn: 1 KiB each " +
        "at this rate is 256 kbit/s. A peer a second away brings one answer a second.",
    ),
    refutedPeersMax: count(
      1_024,
      ENTRIES,
      "Peers whose refuted claims and failures are remembered after they left.",
    ),
    rangeBytesTarget: bytes(
      128 * KIB,
      [1, 4 * MIB],
      "A range asks for about this many bytes, by the mean block size seen so far. It is connected in " +
        "one turn: 512 KiB of small transactions held the event loop for 7 ms on a loaded machine.",
    ),
    rangeBlocksMax: number(128, "blocks", [1, 1_024], "Blocks in a range."),
    rangesPerPeerMax: count(
      8,
      [1, 64],
      "Ranges that one peer owes us: in all 1 MiB, so that one 100 ms away can still send 10 MB/s.",
    ),
    bytesInFlightMax: bytes(
      32 * MIB,
      [12 * MIB, 2 ** 40],
      "Bodies received, being checked or committed, and 4 MiB for each answer that may still come: that " +
        "is the most that a server can send. Two such answers are kept free for the next range.",
    ),
    tasksInPoolMax: count(
      12,
      [1, 65_536],
      "Tasks given to the pool at once: enough to keep its threads busy, few enough to cancel.",
    ),
    taskBytesTarget: bytes(
      24 * KIB,
      [1, 4 * MIB],
      "A task for the pool takes blocks until it has so many bytes: 200 small transactions, 11 ms. With " +
        "a third of it the loop is late more often; a gossiped transaction waits behind the tasks above.",
    ),
    stallMinMs: ms(
      2_000,
      [1, HOUR_MS],
      "How long the range that all others wait for may take before another peer is asked too (after " +
        "Bitcoin Core's rule: doubled when that was too soon, x0.85 at each range that arrives).",
    ),
    stallMaxMs: ms(64_000, [1, DAY_MS], "How far that doubles."),
    frontWaitMaxMs: ms(
      35_000,
      [1, DAY_MS],
      "How long that range may be waited for in all, whoever is asked, while others have chains to offer.",
    ),
    rivalWaitMaxMs: ms(
      30_000,
      [1, DAY_MS],
      "How long a chain is synced while a peer that says to be on another one claims more work than its " +
        "headers have; that peer is asked for proof then. Sooner, where the next range does not come.",
    ),
    blocksPerSecondMin: number(
      1,
      "a second",
      [1, 1_000_000],
      "What connected blocks earn of that time.",
    ),
    bodyBytesPerSecondMin: bytes(
      8 * KIB,
      [1, 2 ** 40],
      "The same of large ones, a second: 64 kbit/s.",
    ),
    incrementalBlocksMax: number(
      16,
      "blocks",
      [0, 1_024],
      "A gap of up to this many blocks is the tip: one peer, no session.",
    ),
    invalidHashesMax: count(1_024, ENTRIES, "Hashes of refused blocks that are remembered."),
    retryMs: ms(
      1_000,
      [1, HOUR_MS],
      "Before a peer that failed is asked again; doubled at each time.",
    ),
  },
  chain: {
    reorgDepthMax: number(
      1_024,
      "blocks",
      [1, 2 ** 31],
      "Forks deeper than this are not followed; undo data below is pruned.",
    ),
    pruneEveryBlocks: number(1_024, "blocks", [1, 2 ** 31], "How often it is."),
    sideBytesMax: bytes(
      16 * MIB,
      [4 * MIB + 4 * KIB, 2 ** 40],
      "Blocks beside the best chain, in the store or in memory: four of the largest. What must be kept " +
        "to move to a branch that is proven to be heavier comes on top.",
    ),
    sideBytesPerPeerMax: bytes(
      8 * MIB,
      [4 * MIB + 4 * KIB, 2 ** 40],
      "Of these, what one peer may have sent: at least the largest block and 4 KiB.",
    ),
    reorgBytesMax: bytes(
      24 * MIB,
      [64 * KIB, 2 ** 40],
      "What one reorganisation may hold until it is committed as one: the state that it writes, about " +
        "360 bytes a sender, and 1 KiB a block. A branch that needs more counts as too deep.",
    ),
  },
  mempool: {
    countMax: number(50_000, "transactions", [1, 2 ** 24], "Transactions that wait."),
    bytesMax: bytes(64 * MIB, [1, 2 ** 40], "Their bytes; the cheapest give way."),
    perSenderMax: number(256, "transactions", [1, 2 ** 24], "Of one sender."),
    minGasPrice: count(
      0,
      [0, Number.MAX_SAFE_INTEGER],
      "A transaction that offers less is refused.",
    ),
    replaceBumpPercent: number(
      10,
      "percent",
      [0, 10_000],
      "So much more must a transaction offer to replace the one with its nonce, twice as much the next " +
        "time, and for its bytes in all no less, and one more for each of its own.",
    ),
    sendersMin: count(
      64,
      [1, 2 ** 24],
      "When the mempool is full, what a sender has beyond this part of it gives way to others' at any " +
        "price, and pushes out nobody: 1 MiB of 64. Below it whoever pays more stays.",
    ),
    gapWaitMs: ms(
      3_000,
      [0, HOUR_MS],
      "So long a transaction waits for lower nonces of its sender before a block may take it and make " +
        "them void: on two routes of unequal speed they come about a second apart.",
    ),
    floorHalfLifeMs: ms(
      720_000,
      [0, DAY_MS],
      "In so long the price halves that was asked when the mempool was full, 0: at once. 72 blocks of " +
        "10 s, as Bitcoin Core's 12 hours are; below half of its room nothing is asked.",
    ),
    expiryMs: ms(
      21_600_000,
      [SECOND_MS, 20 * DAY_MS],
      "What waits longer leaves the mempool: 2,160 blocks of 10 s. Bitcoin Core's 336 hours are 2,016 " +
        "of its blocks.",
    ),
    keepEveryMs: ms(
      1_000,
      [1, HOUR_MS],
      "With a data directory, what came is on its way to the disk after so long at most, and waits again " +
        "after a restart: a killed process forgets what it took since.",
    ),
    refusedMs: ms(
      600_000,
      [0, 20 * DAY_MS],
      "A transaction that made a block of this node fail is not taken again for so long: by then what " +
        "it lacked may have come.",
    ),
  },
  producer: {
    intervalMs: ms(2_000, [1, DAY_MS], "The least time between a block and its parent."),
    attemptsPerTask: count(4_096, [1, 2 ** 24], "Nonces tried in one pool task: about 5 ms."),
    envelopeBytes: bytes(
      4 * KIB,
      [0, MIB],
      "Kept free in a block, though no more than a quarter of it, where the consensus does not say what " +
        "it needs beside the transactions: room for a header, a few signatures and proofs.",
    ),
    emptyBlocks: flag(true, "Empty blocks are produced too."),
  },
} as const;
