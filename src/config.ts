// NetworkConfig: the schema of what a user may override in the defaults, and the relations between
// limits, asserted before anything starts.

import { z } from "zod";
import { DEFAULTS, deepFreeze } from "./config/defaults.js";
import { CodedError } from "./errors.js";

export { DEFAULTS } from "./config/defaults.js";

const KIB = 1024;
const MIB = 1024 * KIB;

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
/** What the handshake tells in four bytes. */
const rate = z
  .int()
  .min(1)
  .max(2 ** 32 - 1);
/** Of a cache that takes memory for all its entries at once. */
const entries = z
  .int()
  .min(1)
  .max(2 ** 20);
const peerId = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

/** A text that the handshake carries: a longer one, or another one, could not be sent at all. */
function told(bytesMax: number): z.ZodString {
  return z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) <= bytesMax && !/\p{Cc}/u.test(text),
      `must be at most ${bytesMax} bytes of UTF-8 without control characters`,
    );
}

/** Fields whose shape says more than the type of their default. */
const SPECIAL: Readonly<Record<string, z.ZodType>> = {
  bindAddr: told(128).min(1).nullable(),
  dataDir: z.string().min(1).nullable(),
  seedPeers: z.array(z.string().min(1)).max(1_024),
  trustedPeers: z.array(peerId).max(256),
  nodeId: told(64),
  "http.hosts": z
    .array(z.string().regex(/^[a-z0-9.-]{1,253}$/, "must be a lower-case name"))
    .max(64),
  "http.connectionsMax": z.int().min(1).max(65_536),
  "http.perAddressMax": z.int().min(1),
  "http.requestTimeoutMs": z.int().min(100),
  "http.keepAliveMs": z.int().min(1),
  "http.headerBytesMax": z.int().min(1_024),
  "reputation.banScore": z.int().max(-1),
  "reputation.probationScore": z.int().max(-1),
  // Beyond the cores of any machine; each thread may have `pool.heapMiB`.
  "pool.threads": z.int().min(0).max(256),
  // Loading the rules is a task, too.
  "pool.taskMsMax": z.int().min(1_000),
  "chain.reorgBytesMax": z.int().min(64 * KIB),
  "sync.invalidHashesMax": entries,
  "sync.refutedPeersMax": entries,
  "requests.rttFactor": z.number().min(1),
  "serve.blocksPerSecond": rate,
  "serve.blocksBurst": rate,
  "serve.headersPerSecond": rate,
  "serve.headersBurst": rate,
  "serve.transactionsPerSecond": rate,
  "serve.transactionsBurst": rate,
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

/** The largest message of the protocol. */
const MESSAGE_BYTES_MAX = 4 * MIB;

/** The most memory that the limits of a configuration can hold, by what holds it. */
function memoryPlan(config: NetworkConfig): Readonly<Record<string, number>> {
  const peers = config.maxInbound + config.maxOutbound + config.trustedPeers.length;
  const { chain, lanes, sync, mempool, pool } = config;
  return {
    // Three data lanes, whose unfinished messages may have twice the room of what arrived, and one
    // message a peer that is larger than its window.
    receiveLanes: peers * (3 * 2 * lanes.windowInitialBytes + MESSAGE_BYTES_MAX),
    windowGrowth: lanes.windowGrowthBytesMax,
    inboxes: peers * MIB,
    // Half of a queue is for replies, which are its own; what is broadcast all queues share.
    sendQueues: (peers * lanes.sendQueueBytesMax) / 2 + lanes.sendQueueBytesMax,
    // Read ahead: a chunk that is being fed to TLS and the next one.
    socketBuffers: peers * (lanes.socketBufferBytes + 2 * 64 * KIB),
    // In the socket's buffer one write over its mark, and as much of it encrypted.
    closing: config.inbound.closingMax * 2 * (lanes.socketBufferBytes + 128 * KIB),
    pendingInbound: config.inbound.pendingMax * 64 * KIB,
    syncBodies: sync.bytesInFlightMax * 2,
    syncHeaders: sync.headersAheadMax * KIB,
    mempool: mempool.bytesMax,
    // Without a data directory the blocks themselves, with one what is known of them.
    sideBranches: config.dataDir === null ? chain.sideBytesMax : chain.sideBytesMax / 8,
    reorganisation: config.chain.reorgBytesMax,
    signatureCache: pool.signatureCacheEntries * 32,
    poolHeaps: 64 * MIB,
  };
}

function tlsRelations({ inbound, tls }: NetworkConfig): [boolean, string][] {
  return [
    [inbound.closingMax >= 1, "inbound.closingMax must be at least 1"],
    [
      tls.recordsPerTurn >= 1 && tls.bytesPerSilentRecord >= 1,
      "tls.recordsPerTurn and tls.bytesPerSilentRecord must be at least 1",
    ],
  ];
}

function relations(config: NetworkConfig): [boolean, string][] {
  const { chain, lanes, reputation, requests, liveness, sync, serve } = config;
  const planned = Object.values(memoryPlan(config)).reduce((sum, bytes) => sum + bytes, 0);
  return [
    [
      planned <= config.memoryBudgetBytes,
      `memoryBudgetBytes is ${mib(config.memoryBudgetBytes)} MiB, but the limits of this ` +
        `configuration can hold ${mib(planned)} MiB: set it to ${mib(planned) * MIB} ` +
        `(--memory ${mib(planned)}), or lower maxInbound, mempool.bytesMax or sync.bytesInFlightMax`,
    ],
    [
      lanes.windowInitialBytes >= 64 * KIB && lanes.windowInitialBytes <= lanes.windowMaxBytes,
      "lanes.windowInitialBytes must be at least 65536 and at most lanes.windowMaxBytes",
    ],
    [
      lanes.windowMaxBytes <= 4 * MIB,
      "lanes.windowMaxBytes must be at most 4194304, the protocol's limit",
    ],
    [
      requests.timeoutMinMs <= requests.timeoutMaxMs,
      "requests.timeoutMinMs must not exceed requests.timeoutMaxMs",
    ],
    [
      chain.sideBytesPerPeerMax >= MESSAGE_BYTES_MAX + 4 * KIB &&
        chain.sideBytesPerPeerMax <= chain.sideBytesMax,
      "chain.sideBytesPerPeerMax must hold the largest block and 4 KiB, 4198400 bytes, and must " +
        "not exceed chain.sideBytesMax",
    ],
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
    [
      serve.bytesSoftMax * serve.repliesQueuedMax * 2 <= lanes.sendQueueBytesMax,
      "half of lanes.sendQueueBytesMax must hold serve.repliesQueuedMax replies of serve.bytesSoftMax",
    ],
    [
      config.tls.handshakeBytesMax >= 2 * KIB && config.tls.handshakeBytesMax <= 64 * KIB,
      "tls.handshakeBytesMax must be between 2048 and 65536",
    ],
    ...tlsRelations(config),
    ...hostRelations(config),
    [config.pool.queueMax >= 4, "pool.queueMax must be at least 4"],
    [config.gossip.announceAgainMs >= 1_000, "gossip.announceAgainMs must be at least 1000"],
    [config.mempool.expiryMs >= 1_000, "mempool.expiryMs must be at least 1000"],
    [
      config.mailbox.dataMax >= 64 && config.mailbox.controlMax >= 64,
      "mailboxes must hold at least 64 messages",
    ],
  ];
}

/** Of what reaches outside the protocol: names, other threads, HTTP, clocks. */
function hostRelations({ calls, clock, dial, http }: NetworkConfig): [boolean, string][] {
  return [
    [dial.backoffMinMs <= dial.backoffMaxMs, "dial.backoffMinMs must not exceed dial.backoffMaxMs"],
    [
      dial.resolveTimeoutMs >= 100 && dial.resolveTimeoutMs <= dial.timeoutMs,
      "dial.resolveTimeoutMs must be at least 100 and at most dial.timeoutMs",
    ],
    [dial.backoffAloneMaxMs >= 1_000, "dial.backoffAloneMaxMs must be at least 1000"],
    [dial.concurrentMax >= 1, "dial.concurrentMax must be at least 1"],
    [
      calls.timeoutMs >= 1 && calls.timeoutMs < calls.threadTimeoutMs,
      "calls.timeoutMs must be at least 1 and below calls.threadTimeoutMs",
    ],
    [
      http.loopbackReserve < http.connectionsMax,
      "http.loopbackReserve must be below http.connectionsMax",
    ],
    [
      clock.offsetMaxMs >= 1_000 && clock.checkEveryMs >= 1_000,
      "clock.offsetMaxMs and clock.checkEveryMs must be at least 1000",
    ],
    [calls.threadStartMs >= 1_000, "calls.threadStartMs must be at least 1000"],
  ];
}

function mib(bytes: number): number {
  return Math.ceil(bytes / MIB);
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
