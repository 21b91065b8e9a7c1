// NetworkConfig: one frozen defaults object, the schema of what a user may override, and the
// relations between limits, asserted before anything starts. Tuned numbers cite their reason.

import { z } from "zod";
import { CodedError } from "./errors.js";

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
  memoryBudgetBytes: 512 * MIB,
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
  inbound: {
    /** Raw connections that are not yet ready. */
    pendingMax: 64,
    perAddressPerSecond: 5,
    /** Ready connections from one /24 (IPv4) or /48 (IPv6). */
    perGroupMax: 4,
    /** Loopback and private addresses are exempt from the per-address limits. */
    exemptLocal: true,
  },
  dial: {
    timeoutMs: 5_000,
    concurrentMax: 8,
    backoffMinMs: 1_000,
    backoffMaxMs: 600_000,
    candidatesMax: 1_024,
  },
  lanes: {
    windowInitialBytes: 256 * KIB,
    windowMaxBytes: 4 * MIB,
    /** Encoded messages waiting for one peer; over it the peer is too slow and is dropped. */
    sendQueueBytesMax: 8 * MIB,
    /** The socket's own buffer: a `write` beyond it waits for drain. */
    socketBufferBytes: 256 * KIB,
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
    bytesSoftMax: 2 * MIB,
    /** With so many replies unsent, no more requests of that peer are read. */
    repliesQueuedMax: 4,
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
    requestedMax: 100,
    announceIntervalMs: 100,
    /** Blocks are pushed whole to about the square root of the peers, at least to so many. */
    blockPushMin: 2,
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
    /** A range asks for about this many bytes, by the mean block size seen so far. */
    rangeBytesTarget: 512 * KIB,
    rangeBlocksMax: 128,
    rangesPerPeerMax: 2,
    /** Bodies requested, received, being checked or committed. */
    bytesInFlightMax: 32 * MIB,
    /** Tasks given to the pool at once: enough to keep its threads busy, few enough to cancel. */
    tasksInPoolMax: 12,
    /** Blocks given to the pool in one task, together at most this large. */
    taskBytesTarget: 16 * KIB,
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
  },
  mempool: {
    countMax: 50_000,
    bytesMax: 64 * MIB,
    perSenderMax: 256,
    minGasPrice: 0,
    replaceBumpPercent: 10,
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
  },
  producer: {
    /** The least time between a block and its parent. */
    intervalMs: 2_000,
    /** Nonces tried in one pool task: about 5 ms. */
    attemptsPerTask: 4_096,
    /** Empty blocks are produced too. */
    emptyBlocks: true,
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

type Widen<T> = T extends string | null
  ? T
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends readonly (infer U)[]
        ? readonly U[]
        : { readonly [K in keyof T]: Widen<T[K]> };

/** The whole configuration, deeply frozen and structured-cloneable. */
export type NetworkConfig = {
  readonly [K in keyof typeof DEFAULTS]: K extends "network" | "nodeId"
    ? string
    : Widen<(typeof DEFAULTS)[K]>;
};

type PartialDeep<T> = T extends readonly unknown[] | string | number | boolean | null
  ? T
  : { readonly [K in keyof T]?: PartialDeep<T[K]> | undefined };

/** What a user writes: any part of the configuration. */
export type NetworkConfigInput = PartialDeep<NetworkConfig>;

const count = z.int().min(0);
const peerId = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

/** Fields whose shape says more than the type of their default. */
const SPECIAL: Readonly<Record<string, z.ZodType>> = {
  bindAddr: z.string().min(1).nullable(),
  dataDir: z.string().min(1).nullable(),
  seedPeers: z.array(z.string().min(1)).max(1_024),
  trustedPeers: z.array(peerId).max(256),
  nodeId: z.string().max(64),
  "reputation.banScore": z.int().max(-1),
  "reputation.probationScore": z.int().max(-1),
  "requests.rttFactor": z.number().min(1),
};

function schemaOf(value: unknown, path: string): z.ZodType {
  const special = SPECIAL[path];
  if (special !== undefined) return special.optional();
  if (typeof value === "number") return count.optional();
  if (typeof value === "boolean") return z.boolean().optional();
  if (typeof value === "string") return z.string().optional();
  const shape: Record<string, z.ZodType> = {};
  for (const [key, inner] of Object.entries(value as object)) {
    shape[key] = schemaOf(inner, path === "" ? key : `${path}.${key}`);
  }
  return z.strictObject(shape).optional();
}

/** The schema of NetworkConfigInput, read off the defaults so that neither restates the other. */
export const networkConfigSchema = schemaOf(DEFAULTS, "");

/**
 * Completes and checks a configuration. Throws CONFIG_INVALID with one sentence that names the
 * field or the relation that does not hold.
 */
export function resolveConfig(input: NetworkConfigInput = {}): NetworkConfig {
  const parsed = networkConfigSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue === undefined || issue.path.length === 0 ? "" : ` ${issue.path.join(".")}:`;
    throw invalid(`the configuration is invalid:${where} ${issue?.message ?? "unknown"}`);
  }
  const config = deepFreeze(merge(DEFAULTS, input)) as NetworkConfig;
  for (const [holds, sentence] of relations(config)) if (!holds) throw invalid(sentence);
  return config;
}

/** The most memory that the limits of a configuration can hold, by what holds it. */
export function memoryPlan(config: NetworkConfig): Readonly<Record<string, number>> {
  const peers = config.maxInbound + config.maxOutbound + config.trustedPeers.length;
  const { lanes, sync, mempool, pool } = config;
  return {
    // Three data lanes may each hold one window of unread bytes, at their initial size; growth
    // beyond it is leased from the sync budget, since only a busy sync lane grows.
    receiveWindows: peers * 3 * lanes.windowInitialBytes,
    sendQueues: Math.min(peers, 8) * lanes.sendQueueBytesMax,
    socketBuffers: peers * lanes.socketBufferBytes,
    pendingInbound: config.inbound.pendingMax * 64 * KIB,
    syncBodies: sync.bytesInFlightMax * 2,
    syncHeaders: sync.headersAheadMax * KIB,
    mempool: mempool.bytesMax,
    signatureCache: pool.signatureCacheEntries * 32,
    poolHeaps: 64 * MIB,
  };
}

function relations(config: NetworkConfig): [boolean, string][] {
  const { lanes, reputation, requests, dial, liveness, sync, serve } = config;
  const planned = Object.values(memoryPlan(config)).reduce((sum, bytes) => sum + bytes, 0);
  return [
    [
      planned <= config.memoryBudgetBytes,
      `memoryBudgetBytes is ${config.memoryBudgetBytes}, but the limits of this configuration can ` +
        `hold ${planned} bytes: raise it, or lower maxInbound, mempool.bytesMax or sync.bytesInFlightMax`,
    ],
    [
      lanes.windowInitialBytes >= 64 * KIB && lanes.windowInitialBytes <= lanes.windowMaxBytes,
      "lanes.windowInitialBytes must be at least 65536 and at most lanes.windowMaxBytes",
    ],
    [lanes.windowMaxBytes <= 4 * MIB, "lanes.windowMaxBytes must be at most 4194304, the protocol's limit"],
    [
      requests.timeoutMinMs <= requests.timeoutMaxMs,
      "requests.timeoutMinMs must not exceed requests.timeoutMaxMs",
    ],
    [dial.backoffMinMs <= dial.backoffMaxMs, "dial.backoffMinMs must not exceed dial.backoffMaxMs"],
    [dial.concurrentMax >= 1, "dial.concurrentMax must be at least 1"],
    [
      liveness.pingIntervalMs > 0 && liveness.pingIntervalMs < liveness.deadAfterMs,
      "liveness.pingIntervalMs must be above 0 and below liveness.deadAfterMs",
    ],
    [
      reputation.banScore < reputation.probationScore && reputation.preferredScore > 0,
      "reputation.banScore must be below reputation.probationScore, preferredScore above 0",
    ],
    [
      sync.rangeBytesTarget * 2 <= sync.bytesInFlightMax,
      "sync.bytesInFlightMax must hold at least two ranges of sync.rangeBytesTarget",
    ],
    [sync.headersPerRequest >= 1, "sync.headersPerRequest must be at least 1"],
    [
      sync.rangeBlocksMax >= 1 && sync.rangeBlocksMax <= serve.itemsMax,
      "sync.rangeBlocksMax must be between 1 and serve.itemsMax",
    ],
    [config.pool.queueMax >= 4, "pool.queueMax must be at least 4"],
    [config.mailbox.dataMax >= 64 && config.mailbox.controlMax >= 64, "mailboxes must hold at least 64 messages"],
  ];
}

function invalid(sentence: string): CodedError {
  return new CodedError("CONFIG_INVALID", sentence);
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (base === null || typeof base !== "object" || Array.isArray(base)) return over;
  const merged: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(base)) {
    merged[key] = merge(value, (over as Record<string, unknown>)[key]);
  }
  return merged;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
