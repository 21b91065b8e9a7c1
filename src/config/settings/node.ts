// The settings of a node as a whole, and of what surrounds the network: threads, HTTP, clocks.

import {
  bytes,
  count,
  DAY_MS,
  FILLED,
  flag,
  HOUR_MS,
  KIB,
  list,
  listOrOne,
  MIB,
  MINUTE_MS,
  ms,
  number,
  SECOND_MS,
  text,
  told,
} from "../setting.js";

const PEER_ID = {
  holds: (value: string) => /^[0-9a-f]{64}$/.test(value),
  must: "must be 64 lower-case hex digits",
};

const HOST_NAME = {
  holds: (value: string) => /^[a-z0-9.-]{1,253}$/.test(value),
  must: "must be a lower-case name",
};

export const NODE = {
  network: text("vibecoin-dev", FILLED, "A name of src/chain/networks.ts."),
  nodeId: text("", told(0, 64), "The operator's label, told to peers; it is no identity."),
  bindAddr: listOrOne(
    8,
    told(1, 128),
    "Where to accept peers, `tcp://host:port` or `host:port`; none: accept none.",
  ),
  advertise: list(
    8,
    told(1, 128),
    "Where others can dial this node, `tcp://host:port`; empty: the addresses that it is bound to, " +
      "but those that stand for all interfaces or, beside others, for this machine. For nodes that " +
      "listen on all interfaces, or behind a router that forwards a port.",
  ),
  seedPeers: list(
    1_024,
    FILLED,
    "Addresses of the first peers, `host:port` or with a peer id. They are dialed while few others are " +
      "connected.",
  ),
  staticPeers: list(
    256,
    FILLED,
    "Addresses that are dialed for ever, each in a slot of its own beside `maxOutbound`.",
  ),
  trustedPeers: list(256, PEER_ID, "Peer ids that keep their slot and are never banned."),
  trustedMax: number(
    4,
    "peers",
    [0, 256],
    "Peers beside `trustedPeers` that the operator may trust while the node runs; each has a slot beside " +
      "the others. Where it is not set and `memoryBudgetBytes` is, as many of them as there is room for.",
  ),
  maxOutbound: number(
    8,
    "peers",
    [0, 1_024],
    "Connections that this node makes, for all that peers say to each other.",
  ),
  maxInbound: number(32, "peers", [0, 65_536], "Connections that it accepts."),
  dataDir: text(
    null,
    FILLED,
    "The directory of keys and stores; null: a new identity and stores in memory.",
  ),
  produce: flag(false, "Produce blocks on this node."),
  alone: flag(
    false,
    "Call this node synced while no peer's headers were checked: for a network of one node.",
  ),
  txIndex: flag(false, "Keep an index from transaction id to block: about 4% of a sync."),
  memoryBudgetBytes: bytes(
    1_216 * MIB,
    [MIB, 2 ** 50],
    "All that the limits below may hold at once; a start where they can exceed it is refused. " +
      "Where it is not set, each of `trustedPeers` and `staticPeers` adds what one peer can hold, about " +
      "12 MiB by default.",
  ),
} as const;

export const HOST = {
  pool: {
    threads: count(
      0,
      [0, 256],
      "Threads that check blocks, each with up to `pool.heapMiB`; 0: one a core.",
    ),
    inline: flag(false, "Run the pool's tasks on the event loop, without threads."),
    nice: count(
      10,
      [0, 19],
      "Added to the threads' niceness on Linux, so that the event loop comes first.",
    ),
    queueMax: count(256, [4, 65_536], "Tasks that wait for a thread; a further one is refused."),
    jobBytesMax: bytes(
      64 * MIB,
      [16 * MIB, 2 ** 40],
      "Bytes of the tasks that wait for a thread or are at one: copies of what came. At least what the " +
        "windows of one connection hold; a task beyond it is refused as one beyond `pool.queueMax` is.",
    ),
    heapMiB: number(256, "MiB", [16, 65_536], "The old generation of each thread's heap."),
    signatureCacheEntries: count(
      131_072,
      [0, 2 ** 24],
      "Signatures that were checked and are not checked again, 32 bytes each; 0: none.",
    ),
    taskMsMax: ms(
      30_000,
      [SECOND_MS, HOUR_MS],
      "A task is 2 to 11 ms of work; rules that are at one for so long loop, and their thread is " +
        "ended. Loading the rules is a task, too.",
    ),
    threadEndsMax: count(
      16,
      [0, 65_536],
      "Threads that may end by themselves (rules that exit, loop or fill the heap), plus one for " +
        "every 1,000 tasks done, before the network ends: such rules check nothing any more.",
    ),
  },
  calls: {
    timeoutMs: ms(
      10_000,
      [1, HOUR_MS],
      "A question to a network that is too busy to answer fails after this long.",
    ),
    threadTimeoutMs: ms(
      15_000,
      [1, HOUR_MS],
      "The same to a network thread: longer, so that a thread that lives says itself what is wrong.",
    ),
    threadStartMs: ms(
      60_000,
      [SECOND_MS, HOUR_MS],
      "A network thread that has not started by then is ended: its ports may take a while to open.",
    ),
  },
  clock: {
    offsetMaxMs: ms(
      10_000,
      [SECOND_MS, DAY_MS],
      "Against most outbound peers; the chain refuses blocks that are 15 s ahead of its clock.",
    ),
    checkEveryMs: ms(30_000, [SECOND_MS, DAY_MS], "How often the offset is looked at."),
    warnEveryMs: ms(600_000, [0, DAY_MS], "How often the log says that the clock is wrong."),
  },
  http: {
    hosts: list(
      64,
      HOST_NAME,
      "Names of this node in a request's Host header, besides localhost and IP addresses.",
    ),
    connectionsMax: count(
      256,
      [1, 65_536],
      "Over it the connection that has waited longest for its next request gives way.",
    ),
    perAddressMax: count(
      64,
      [1, 65_536],
      "Connections of one remote address; this machine's own are exempt.",
    ),
    loopbackReserve: count(
      16,
      [0, 65_535],
      "Places that only this machine's own connections may take.",
    ),
    requestTimeoutMs: ms(
      10_000,
      [100, HOUR_MS],
      "A whole request must arrive, and its body too, in this time.",
    ),
    keepAliveMs: ms(
      5_000,
      [1, HOUR_MS],
      "Between two requests of one connection: Prometheus asks every 15 s and connects again.",
    ),
    headerBytesMax: bytes(8 * KIB, [KIB, MIB], "Of a request's headers."),
    streamsMax: count(
      32,
      [2, 4_096],
      "Streams of events that are open at once; other machines may have half of them.",
    ),
    streamStallMs: ms(
      15_000,
      [100, HOUR_MS],
      "A reader of events that takes nothing for so long is cut off; it may come back for the rest.",
    ),
  },
  events: {
    keptBytesMax: bytes(
      8 * MIB,
      [64 * KIB, 2 ** 40],
      "Of events that are kept for readers who fall behind or come back, about 400 bytes each; half of it " +
        "is for those of transactions.",
    ),
  },
  mailbox: {
    dataMax: count(16_384, [64, 2 ** 24], "Messages that wait for one actor; more are refused."),
    controlMax: count(
      16_384,
      [64, 2 ** 24],
      "Control messages that wait for one actor; more are a fault of the program.",
    ),
  },
  shutdown: {
    drainMs: ms(2_000, [0, 10 * MINUTE_MS], "Given to peers to take the last frames."),
  },
} as const;
