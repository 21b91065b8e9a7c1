// The settings of connections and messages.

import {
  burst,
  burstBytes,
  bytes,
  count,
  DAY_MS,
  ENTRIES,
  flag,
  HOUR_MS,
  KIB,
  MIB,
  MINUTE_MS,
  ms,
  number,
  rate,
  SECOND_MS,
} from "../setting.js";

export const PEERS = {
  handshake: {
    timeoutMs: ms(
      5_000,
      [1, HOUR_MS],
      "From accept or dial to ready, never extended by bytes (go-ethereum uses 5 s too).",
    ),
  },
  liveness: {
    pingIntervalMs: ms(15_000, [1, DAY_MS], "A peer that was silent for so long is pinged."),
    deadAfterMs: ms(20_000, [2, DAY_MS], "Without any byte for this long the peer is gone."),
    pingsPerSecondMax: number(
      500,
      "a second",
      [1, 1_000_000],
      "A peer that pings more often than this breaks the protocol.",
    ),
  },
  tls: {
    handshakeBytesMax: bytes(
      4 * KIB,
      [2 * KIB, 64 * KIB],
      "Raw bytes from the other side before the handshake is done. Ours takes 900, one with a " +
        "post-quantum key share and a certificate with names 3,000. OpenSSL verifies a chain of RSA " +
        "keys before anybody can refuse it: 94 KB of them took 100 ms, what fits here takes 3.",
    ),
    silentRecordsMax: count(
      32,
      [2, 65_536],
      "Records without data (KeyUpdate, session tickets) after it: each KeyUpdate takes 14 µs. A " +
        "listener with OpenSSL sends two tickets, and nobody could be dialed without room for them.",
    ),
    bytesPerSilentRecord: bytes(
      MIB,
      [1, 2 ** 40],
      "So many bytes of data allow another one: no TLS library renews its keys half as often.",
    ),
    recordsPerTurn: count(
      64,
      [1, 65_536],
      "Then the connection waits while others are served: 0.6 ms of records with one byte. Of 128 " +
        "bytes and more eight count as one.",
    ),
  },
  inbound: {
    pendingMax: count(
      64,
      [1, 65_536],
      "Raw connections whose TLS handshake goes on. For a further one the oldest of the largest " +
        "network (/16, IPv6 /32) gives way, those first that said nothing.",
    ),
    closingMax: count(
      32,
      [1, 65_536],
      "Connections that have ended and whose sockets still hold bytes; the first to end goes.",
    ),
    perAddressPerSecond: number(
      5,
      "a second",
      [1, 1_000_000],
      "New connections from one address (IPv6: one /64).",
    ),
    perGroupPerSecond: number(
      20,
      "a second",
      [1, 1_000_000],
      "New connections from one /24 (IPv6: one /48).",
    ),
    perGroupMax: count(
      4,
      [1, 65_536],
      "Ready connections from one /24 (IPv4) or /48 (IPv6), and as many whose handshake goes on.",
    ),
    handshakesPerSecond: number(
      100,
      "a second",
      [1, 1_000_000],
      "Handshakes that are begun with whoever connects: each takes 1 to 2 ms of the event loop. " +
        "Beyond it they wait, and networks take turns.",
    ),
    protectedEachMax: count(
      4,
      [0, 65_536],
      "When all slots are taken, so many inbound peers stay for each of three merits, an eighth at " +
        "most: short pings, new blocks, new transactions; of the rest the older half.",
    ),
    exemptLocal: flag(
      true,
      "Loopback and private addresses are exempt from the limits per address and group.",
    ),
  },
  lanes: {
    windowInitialBytes: bytes(
      256 * KIB,
      [64 * KIB, 4 * MIB],
      "What a peer may send on a lane before it is given more.",
    ),
    windowMaxBytes: bytes(
      4 * MIB,
      [64 * KIB, 4 * MIB],
      "How far that grows with the measured bandwidth-delay product; the protocol's limit is 4 MiB.",
    ),
    windowGrowthBytesMax: bytes(
      64 * MIB,
      [0, 2 ** 40],
      "What all windows together may grow by; past it they keep their size.",
    ),
    sendQueueBytesMax: bytes(
      8 * MIB,
      [KIB, 2 ** 40],
      "Encoded messages waiting for one peer: with half of it no more replies are made, news past it are dropped.",
    ),
    socketBufferBytes: bytes(
      64 * KIB,
      [KIB, 64 * MIB],
      "The socket's own buffer: a write beyond it waits until it drains.",
    ),
  },
  requests: {
    inFlightMax: count(64, [1, 64], "Requests that a peer owes an answer; the protocol allows 64."),
    timeoutMinMs: ms(
      2_000,
      [1, DAY_MS],
      "A request may take `requests.rttFactor` times the usual response, at least this long.",
    ),
    timeoutMaxMs: ms(20_000, [1, DAY_MS], "And at most this long (reth's rule)."),
    rttFactor: {
      ...count(3, [1, 1_000], "How much longer than usual a response may take."),
      fractions: true,
    },
  },
  serve: {
    itemsMax: count(1_024, [1, 1_024], "Items in one response; the protocol allows 1,024."),
    bytesSoftMax: bytes(
      256 * KIB,
      [1, 256 * KIB],
      "A response of several items ends before it is larger; the protocol allows 262,144. Sixteen " +
        "of them fill half of a send queue.",
    ),
    repliesQueuedMax: count(
      16,
      [1, 64],
      "With so many replies unsent, no more requests of that peer are read.",
    ),
    ownOpenPerPeerMax: count(
      1_024,
      [1, 65_536],
      "Messages of one peer that a service's own protocol takes its time with. Each takes about 2 KiB, " +
        "whatever its size; further ones are refused as busy, or dropped where nobody is answered.",
    ),
    blocksPerSecond: rate(4_096, "Blocks that one peer may ask for, after a burst."),
    blocksBurst: burst(16_384, "Blocks that it may ask for at once."),
    headersPerSecond: rate(20_000, "The same of headers."),
    headersBurst: burst(200_000, "Headers that it may ask for at once."),
    transactionsPerSecond: rate(4_096, "The same of transactions."),
    transactionsBurst: burst(16_384, "Transactions that it may ask for at once."),
    addressesPerSecond: rate(1, "The same of addresses of peers."),
    addressesBurst: burst(512, "Addresses that it may ask for at once: two answers' worth."),
    blockBytesPerSecond: rate(
      32 * MIB,
      "Bytes of blocks that one peer is served, after a burst; what exceeds it is served later. Two " +
        "cores check 5 MB a second.",
    ),
    blockBytesBurst: burstBytes(256 * MIB, "Bytes of blocks that it is served at once."),
    headerBytesPerSecond: rate(8 * MIB, "Bytes of headers that it is served, after a burst."),
    headerBytesBurst: burstBytes(64 * MIB, "Bytes of headers that it is served at once."),
    transactionBytesPerSecond: rate(
      16 * MIB,
      "Bytes of transactions that it is served, after a burst.",
    ),
    transactionBytesBurst: burstBytes(64 * MIB, "Bytes of transactions that it is served at once."),
  },
  gossip: {
    knownPerPeerMax: count(5_000, ENTRIES, "Ids that a peer is known to know."),
    requestsPerPeerMax: count(
      32,
      [1, 1_024],
      "Requests for announced transactions that one peer may owe us; it can fill no more.",
    ),
    wantedPerPeerMax: count(
      16_384,
      [1, 1_048_576],
      "Ids of one peer's announcements that it was not asked for yet, and that nobody sent: a welcome " +
        "(`gossip.knownPerPeerMax`) and what came since. Bitcoin Core keeps 5,000.",
    ),
    wantedMax: count(
      65_536,
      [1, 1_048_576],
      "The same of all peers: when it is full, whoever announced most gives way.",
    ),
    transactionFetchBytesMax: bytes(
      32 * MIB,
      [4 * MIB, 2 ** 40],
      "Transactions that are asked for, by the most that may come, or came and wait to be checked.",
    ),
    submittedBytesMax: bytes(
      16 * MIB,
      [MIB, 2 ** 40],
      "Transactions that were submitted here and wait to be checked, beside what is fetched; and " +
        "transactions and blocks that were handed in and have no answer.",
    ),
    transactionPatienceMs: ms(
      500,
      [1, HOUR_MS],
      "Twice as long as an announcer usually takes, and at least so long, it is waited for before " +
        "another one is asked for the same: a large answer over a thin line must not come twice.",
    ),
    blockFetchBytesMax: bytes(
      16 * MIB,
      [4 * MIB, 2 ** 40],
      "Blocks at the tip that are asked for, by the most that may come.",
    ),
    blockPatienceMs: ms(
      100,
      [1, HOUR_MS],
      "As `gossip.transactionPatienceMs`, for a block at the tip: about a round trip.",
    ),
    relayTrees: flag(
      true,
      "Transactions and blocks are pushed along relay trees (`relay/1`); without them they are announced, " +
        "and pushed as `gossip.blockPushes` says.",
    ),
    announceIntervalMs: ms(
      100,
      [1, HOUR_MS],
      "The mean before what was heard is announced: each wait is drawn between half of it and half " +
        "as much again.",
    ),
    shortIdsIntervalMs: ms(
      400,
      [1, HOUR_MS],
      "The same over lazy edges of a relay tree, by short ids: they repair what no eager edge brings, " +
        "and the more of them go together the less each costs.",
    ),
    blockWaitMinMs: ms(
      20,
      [0, HOUR_MS],
      "As `gossip.pushWaitMinMs`, for a block at the tip: three peers push it, and it is wanted soon.",
    ),
    pushWaitMinMs: ms(
      1_000,
      [0, HOUR_MS],
      "What was announced and is likely to be pushed too is waited for so long at least, and as long as " +
        "such pushes took of late, before it is asked for.",
    ),
    pushWaitMaxMs: ms(3_000, [0, HOUR_MS], "The longest that is waited for such a push."),
    newPeerDelayMs: ms(
      500,
      [0, HOUR_MS],
      "A peer that became ready hears of the best transactions that wait here after about so long, " +
        "and all that became ready meanwhile with it: one walk through the mempool serves many.",
    ),
    floorEveryMs: ms(
      10_000,
      [1, HOUR_MS],
      "The mean time between two looks at the least price that the mempool takes, of which peers are " +
        "told when it has changed by an eighth.",
    ),
    announceAgainMs: ms(
      30_000,
      [SECOND_MS, DAY_MS],
      "The mean time after which transactions that were submitted here and still wait are announced " +
        "again, to those too who heard of them: three blocks of 10 s. Bitcoin Core waits for one or two.",
    ),
    blockPushes: count(
      1,
      [0, 1_024],
      "A block is pushed whole to so many peers and announced to the rest. Every push beyond the " +
        "first buys 30 ms of 350 to the median node of 200, and costs each as many bytes as another block.",
    ),
    transactionBatchMax: count(64, [1, 1_024], "Transactions in one task of the pool."),
  },
  control: {
    awayMs: ms(
      10 * MINUTE_MS,
      [SECOND_MS, 30 * DAY_MS],
      "A peer that the operator disconnects stays away for so long, where they do not say how long.",
    ),
    awayMaxMs: ms(30 * DAY_MS, [SECOND_MS, 365 * DAY_MS], "The longest that they can say."),
    awayPeersMax: count(
      1_024,
      ENTRIES,
      "Peers that stay away because of that; of more the one that may come back first does.",
    ),
    commandsMax: count(
      256,
      [1, 4_096],
      "Bans and trust that the operator has spoken and that are not carried out yet; more are refused.",
    ),
  },
} as const;
