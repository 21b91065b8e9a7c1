// The default of every setting. Apart from config.ts, which checks what overrides them, so that an
// actor that is embedded alone can have its defaults without loading a schema. Tuned numbers cite
// their reason.

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every value of the configuration. Sizes are bytes, times milliseconds, unless named otherwise. */
export const DEFAULTS = deepFreeze({
  /** A name of src/chain/networks.ts. */
  network: "vibecoin-dev",
  /** The operator's label; not an identity. */
  nodeId: "",
  /** Where to accept peers, `tcp://host:port` or `host:port`; null: accept none. */
  bindAddr: null as string | null,
  seedPeers: [] as readonly string[],
  /** Peer ids that keep their slot and are never banned. */
  trustedPeers: [] as readonly string[],
  maxOutbound: 8,
  maxInbound: 32,
  /** The directory of keys and stores; null: a new identity and memory stores. */
  dataDir: null as string | null,
  /** Produce blocks on this node. */
  produce: false,
  /** Keep an index from transaction id to block: costs about 4% of a sync. */
  txIndex: false,
  /** All that the limits below may hold at once; start is refused when they can exceed it. */
  memoryBudgetBytes: 768 * MIB,
  handshake: {
    /** From accept or dial to ready, never extended by bytes (go-ethereum uses 5 s too). */
    timeoutMs: 5_000,
  },
  liveness: {
    pingIntervalMs: 15_000,
    /** Without any byte for this long the peer is gone. */
    deadAfterMs: 20_000,
    /** A peer that pings more often than this breaks the protocol. */
    pingsPerSecondMax: 500,
  },
  /** What a peer may do with TLS records. */
  tls: {
    /**
     * Raw bytes from the other side before the handshake is done. Ours takes 900, one with a
     * post-quantum key share and a certificate with names 3,000. OpenSSL verifies a chain of RSA keys
     * before anybody can refuse it: 94 KB of them took 100 ms, what fits here takes 3.
     */
    handshakeBytesMax: 4 * KIB,
    /** Records without data (KeyUpdate, session tickets) after it: each KeyUpdate takes 14 µs. */
    silentRecordsMax: 32,
    /** So many bytes of data allow another one: no TLS library renews its keys half as often. */
    bytesPerSilentRecord: MIB,
    /**
     * Then the connection waits while others are served: 0.6 ms of records with one byte. Of 128 bytes
     * and more eight count as one.
     */
    recordsPerTurn: 64,
  },
  inbound: {
    /** Raw connections that are not yet ready. */
    pendingMax: 64,
    /** Connections that have ended and whose sockets still hold bytes; the first to end goes. */
    closingMax: 32,
    perAddressPerSecond: 5,
    /** Ready connections from one /24 (IPv4) or /48 (IPv6). */
    perGroupMax: 4,
    /** Loopback and private addresses are exempt from the per-address limits. */
    exemptLocal: true,
  },
  dial: {
    timeoutMs: 5_000,
    concurrentMax: 8,
    /** Of the time above: a name that nobody answers for must not hold the place of a dial. */
    resolveTimeoutMs: 3_000,
    backoffMinMs: 1_000,
    backoffMaxMs: 600_000,
    /** The same while there is no peer at all: a seed that comes back is found within a minute. */
    backoffAloneMaxMs: 45_000,
    /** How often the log says that there is no peer. */
    aloneWarnMs: 30_000,
    candidatesMax: 1_024,
  },
  lanes: {
    windowInitialBytes: 256 * KIB,
    windowMaxBytes: 4 * MIB,
    /** What all windows together may grow by; past it they keep their size. */
    windowGrowthBytesMax: 64 * MIB,
    /** Encoded messages waiting for one peer; over it the peer is too slow and is dropped. */
    sendQueueBytesMax: 8 * MIB,
    /** The socket's own buffer: a `write` beyond it waits for drain. */
    socketBufferBytes: 64 * KIB,
  },
  requests: {
    inFlightMax: 64,
    /** Timeout = rttFactor x smoothed response time, within these bounds (reth's rule). */
    timeoutMinMs: 2_000,
    timeoutMaxMs: 20_000,
    rttFactor: 3,
  },
  serve: {
    itemsMax: 1_024,
    /** Sixteen replies of it fill half of a send queue. */
    bytesSoftMax: 256 * KIB,
    /** With so many replies unsent, no more requests of that peer are read. */
    repliesQueuedMax: 16,
    /** GCRA per peer and request kind: items a second, after a burst. */
    blocksPerSecond: 4_096,
    blocksBurst: 16_384,
    headersPerSecond: 20_000,
    headersBurst: 200_000,
    transactionsPerSecond: 4_096,
    transactionsBurst: 16_384,
  },
  gossip: {
    knownPerPeerMax: 5_000,
    /** Requests for announced transactions that one peer may owe us; it can fill no more. */
    requestsPerPeerMax: 32,
    /** The mean: each wait is drawn between half of it and half as much again. */
    announceIntervalMs: 100,
    /**
     * A peer that became ready hears of the best transactions that wait here after about so long, and
     * all that became ready meanwhile with it: one walk through the mempool serves many.
     */
    newPeerDelayMs: 500,
    /**
     * The mean time after which transactions that were submitted here and still wait are announced
     * again, to those too who heard of them: three blocks of 10 s. Bitcoin Core waits for one or two.
     */
    announceAgainMs: 30_000,
    /**
     * A block is pushed whole to so many peers and announced to the rest. Every push beyond the first
     * buys 30 ms of 350 to the median node of 200, and costs each as many bytes as another block.
     */
    blockPushes: 1,
    transactionBatchMax: 64,
    transactionQueueMax: 4_096,
  },
  reputation: {
    halfLifeMs: 600_000,
    scoreMax: 1_000,
    gainPerMinuteMax: 100,
    banScore: -100,
    probationScore: -50,
    preferredScore: 50,
    banMs: 3_600_000,
    banMaxMs: 86_400_000,
    bansKeptMax: 4_096,
    bansPerWindowMax: 16,
    bansWindowMs: 60_000,
    /** With fewer ready peers than this nobody is banned for slowness. */
    peersFloor: 2,
    /** Over this loop delay a timeout is our own fault. */
    selfBlameLoopDelayMs: 250,
    ledgerEntriesMax: 32,
    peersTrackedMax: 4_096,
  },
  sync: {
    /** Their verdict is cloned to the event loop: 512 summaries cost about 1 ms of it. */
    headersPerRequest: 512,
    /** Proven headers held ahead of the bodies. */
    headersAheadMax: 16_384,
    /**
     * Headers of one branch that are checked while their work does not exceed ours: beyond a window
     * of them only one in a window is kept. Ours would have to be a thousand times as heavy a block.
     */
    headersSurveyedMax: 1_048_576,
    /**
     * Whoever brings headers more slowly, while others wait to be asked, loses its turn: 1 KiB each
     * at this rate is 256 kbit/s.
     */
    headersPerSecondMin: 32,
    /** Peers whose refuted claims are remembered after they left. */
    refutedPeersMax: 1_024,
    /**
     * A range asks for about this many bytes, by the mean block size seen so far. It is connected in
     * one turn: 512 KiB of small transactions held the event loop for 7 ms on a loaded machine.
     */
    rangeBytesTarget: 128 * KIB,
    rangeBlocksMax: 128,
    /** In all 1 MiB, so that a peer 100 ms away can still send 10 MB/s. */
    rangesPerPeerMax: 8,
    /** Bodies requested, received, being checked or committed. */
    bytesInFlightMax: 32 * MIB,
    /** Tasks given to the pool at once: enough to keep its threads busy, few enough to cancel. */
    tasksInPoolMax: 12,
    /**
     * A task for the pool takes blocks until it has so many bytes: 200 small transactions, 11 ms. With
     * a third of it the loop is late more often; a gossiped transaction waits behind the tasks above.
     */
    taskBytesTarget: 24 * KIB,
    /** Bitcoin Core's stall rule: double at each stall, x0.85 at each range that arrives. */
    stallMinMs: 2_000,
    stallMaxMs: 64_000,
    /** A gap of up to this many blocks is the tip: one peer, no session. */
    incrementalBlocksMax: 16,
    invalidHashesMax: 1_024,
    retryMs: 1_000,
  },
  chain: {
    /** Forks deeper than this are not followed; undo data below is pruned. */
    reorgDepthMax: 1_024,
    pruneEveryBlocks: 1_024,
    /**
     * Blocks beside the best chain, in the store or in memory: four of the largest. What must be kept
     * to move to a branch that is proven to be heavier comes on top.
     */
    sideBytesMax: 16 * MIB,
    /** Of these, what one peer may have sent. */
    sideBytesPerPeerMax: 8 * MIB,
    /**
     * What one reorganisation may hold until it is committed as one: the state that it writes, about
     * 360 bytes a sender, and 1 KiB a block. A branch that needs more counts as too deep.
     */
    reorgBytesMax: 24 * MIB,
  },
  mempool: {
    countMax: 50_000,
    bytesMax: 64 * MIB,
    perSenderMax: 256,
    minGasPrice: 0,
    replaceBumpPercent: 10,
    /**
     * What waits longer leaves the mempool: 2,160 blocks of 10 s. Bitcoin Core's 336 hours are 2,016
     * of its blocks.
     */
    expiryMs: 21_600_000,
    /**
     * A transaction that made a block of this node fail is not taken again for so long: by then what
     * it lacked may have come.
     */
    refusedMs: 600_000,
  },
  pool: {
    /** Pool threads; 0: one a core. Negative is refused; `inline` runs tasks on the loop. */
    threads: 0,
    inline: false,
    /** Added to the threads' niceness on Linux, so that the event loop comes first. */
    nice: 10,
    queueMax: 256,
    heapMiB: 256,
    /** 4-way, 32 bytes each; 0 turns the cache off. */
    signatureCacheEntries: 131_072,
    /** A task is 2 to 11 ms of work; rules that are at one for so long loop, and their thread is ended. */
    taskMsMax: 30_000,
    /**
     * Threads that may end by themselves (rules that exit, loop or fill the heap), plus one for every
     * 1,000 tasks done, before the network ends: such rules check nothing any more.
     */
    threadEndsMax: 16,
  },
  producer: {
    /** The least time between a block and its parent. */
    intervalMs: 2_000,
    /** Nonces tried in one pool task: about 5 ms. */
    attemptsPerTask: 4_096,
    /**
     * Kept free in a block, though no more than a quarter of it, where the consensus does not say what
     * it needs beside the transactions: room for a header, a few signatures and proofs.
     */
    envelopeBytes: 4 * KIB,
    /** Empty blocks are produced too. */
    emptyBlocks: true,
  },
  calls: {
    /** A question to a network that is too busy to answer fails after this long. */
    timeoutMs: 10_000,
    /** The same to a network thread: longer, so that a thread that lives says itself what is wrong. */
    threadTimeoutMs: 15_000,
    /** A network thread that has not started by then is ended: its ports may take a while to open. */
    threadStartMs: 60_000,
  },
  clock: {
    /** Against most outbound peers; the chain refuses blocks that are 15 s ahead of its clock. */
    offsetMaxMs: 10_000,
    checkEveryMs: 30_000,
    /** How often the log says that the clock is wrong. */
    warnEveryMs: 600_000,
  },
  http: {
    /** Names of this node in a request's Host header, besides localhost and IP addresses. */
    hosts: [] as readonly string[],
    /** Over it the connection that has waited longest for its next request gives way. */
    connectionsMax: 256,
    /** Of one remote address; this machine's own are exempt. */
    perAddressMax: 64,
    /** Places that only this machine's own connections may take. */
    loopbackReserve: 16,
    /** A whole request must arrive, and its body too, in this time. */
    requestTimeoutMs: 10_000,
    /** Between two requests of one connection: Prometheus asks every 15 s and connects again. */
    keepAliveMs: 5_000,
    headerBytesMax: 8 * KIB,
  },
  mailbox: {
    dataMax: 16_384,
    controlMax: 16_384,
  },
  shutdown: {
    /** Given to peers to take the last frames. */
    drainMs: 2_000,
  },
});

export function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
