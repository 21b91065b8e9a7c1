// What a world is made of: its options, their defaults and the ranges that chance draws from.

import { createPowConsensus } from "../chain/consensus.js";
import { encodeHeader, readHeader } from "../chain/header.js";
import { createMempool } from "../chain/mempool.js";
import { NETWORKS } from "../chain/networks.js";
import type { ChainParams } from "../chain/params.js";
import { readTransaction } from "../chain/transaction.js";
import type { NetworkConfig, NetworkConfigInput } from "../config.js";
import type { HashHex, VerifySignature } from "../types/chain.js";
import { invariant } from "../errors.js";
import type { Consensus, LogLevel, Mempool, Random } from "../ports.js";
import type { Task } from "../workers/jobs.js";
import type { Regions } from "./places.js";
import { PowReference } from "./pow-reference.js";
import type { ByzantineScript } from "./byzantine/script.js";
import type { SimSignatures } from "./signatures.js";
import type { Delivery } from "./trace.js";

/** Lower and upper end, uniformly drawn from. */
export type Range = readonly [number, number];

export interface LinkOptions {
  /** One way; up to `jitterMs` more. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Of each direction of each link; absent: unlimited. */
  readonly bytesPerSecond?: number;
  /** A longer chunk arrives in pieces of random length up to this; absent: whole. */
  readonly pieceBytesMax?: number;
  /** What the distance of two hosts' regions adds; absent: nothing. */
  readonly regions?: Regions;
  /** The region of a host by its name; undefined, or absent: drawn from the seed. */
  readonly regionOf?: (host: string) => string | undefined;
  /** Of each host's own line, which its links share; absent: unlimited. */
  readonly upBytesPerSecond?: Range;
  readonly downBytesPerSecond?: Range;
}

export interface PoolOptions {
  /** Virtual threads of each node. */
  readonly threads: number;
  /** How long a task keeps one busy. */
  taskMs(task: Task, random: Random): number;
}

/** What a node logged. */
export interface LogLine {
  /** Virtual time. */
  readonly atMs: number;
  readonly node: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: object;
}

/** Says of stored blocks, in the order in which nodes first store them, what is wrong. */
export interface ChainReference {
  audit(block: Uint8Array, wallMs: number): string | undefined;
  auditHead(before: HashHex, after: HashHex): string | undefined;
}

/** A chain developer's own rules and mempool. */
export interface SimChain {
  /** A second implementation of the rules, which the auditor holds the nodes' against. */
  readonly reference?: (verify: VerifySignature) => ChainReference;
  readonly consensus: Consensus;
  readonly mempool: (config: NetworkConfig) => Mempool;
  /** Of the default chain; absent: it is another one. */
  readonly params?: ChainParams;
}

export interface WorldOptions {
  /** One seed and one version of the code are one run. */
  readonly seed: number | string;
  /** How many honest ones; they are named n0, n1, … */
  readonly nodes: number;
  /** The first so many produce blocks. Default 1. */
  readonly producers?: number;
  /** The last so many are down at the beginning, to join later. Default 0. */
  readonly late?: number;
  /** Addresses that each node is given at its start: the next node's, others at random. */
  readonly knownPeers?: number;
  /** So many further nodes, named b0, b1, …, follow these scripts; honest ones know some. */
  readonly byzantine?: readonly ByzantineScript[];
  /** For every node, over the defaults of simulations. */
  readonly config?: NetworkConfigInput;
  /** By node, over that. */
  readonly configs?: readonly NetworkConfigInput[];
  readonly links?: Partial<LinkOptions>;
  readonly pool?: Partial<PoolOptions>;
  /** From a commit to its durability. */
  readonly commitMs?: Range;
  /** Nodes' wall clocks differ from the true time by up to this much either way. */
  readonly wallOffsetMaxMs?: number;
  /**
   * Nodes' clocks run faster or slower than the true time by up to so many millionths. Default 200,
   * twice what a cheap crystal has.
   */
  readonly driftMaxPpm?: number;
  /** Default: proof of work, so easy that a search costs 64 hashes. */
  readonly chain?: SimChain;
  /** Default: `fastSignatures`. */
  readonly signatures?: SimSignatures;
  /** Virtual time between two checks of all invariants of all nodes. */
  readonly checkEveryMs?: number;
  /** Called before each delivery. */
  readonly onDelivery?: (delivery: Delivery) => void;
  readonly onLog?: (line: LogLine) => void;
  /** The command that runs this seed again, printed when a check fails. */
  readonly replay?: string;
}

/** The development network, at a difficulty that costs next to nothing. */
export const SIM_PARAMS: ChainParams = Object.freeze({
  ...devParams(),
  name: "vibecoin-sim",
  minDifficulty: 64n,
});

/** What may be different in the default chain. */
export interface ChainChanges {
  readonly params?: Partial<ChainParams>;
  /** Every block that a node makes has so many in the extra field of its header. */
  readonly extraBytes?: number;
}

/** The default chain, with changes. */
export function simChain({ params: changed = {}, extraBytes = 0 }: ChainChanges = {}): SimChain {
  const params = { ...SIM_PARAMS, ...changed };
  const consensus = createPowConsensus(params);
  return {
    params,
    consensus: extraBytes === 0 ? consensus : withExtra(consensus, extraBytes),
    reference: (verify) => new PowReference(params, verify, consensus.genesis),
    mempool: (config) => createMempool(config.mempool, (bytes) => readTransaction(bytes, params)),
  };
}

const EXTRA_HEAD_BYTES_MAX = 3;

function withExtra(consensus: Consensus, extraBytes: number): Consensus {
  const extra = new Uint8Array(extraBytes);
  return {
    ...consensus,
    envelopeBytesMax: (consensus.envelopeBytesMax ?? 0) + EXTRA_HEAD_BYTES_MAX + extraBytes,
    template(parent, transactions, nowMs) {
      const parts = consensus.template(parent, transactions, nowMs);
      if (parts === undefined || !("header" in parts)) return parts;
      const header = readHeader(parts.header);
      invariant(header.ok, "a template has a header");
      return { ...parts, header: encodeHeader({ ...header.value, extra }) };
    },
  };
}

export const SIM_CHAIN: SimChain = simChain();

/** Where simulated nodes differ from real ones. */
export const SIM_CONFIG = {
  // A run of minutes shall see many dials after a partition.
  dial: { backoffMaxMs: 10_000 },
  // With a seal task of a quarter second and 64 hashes a block, a search takes about a second.
  producer: { attemptsPerTask: 16 },
  pool: { signatureCacheEntries: 0 },
} as const satisfies NetworkConfigInput;

export const SIM_LINKS: LinkOptions = { latencyMs: 40, jitterMs: 40 };

export const SIM_POOL: PoolOptions = {
  threads: 2,
  taskMs: ({ kind }, random) =>
    kind === "seal" ? 50 + 400 * random.float() : 0.5 + 4.5 * random.float(),
};

export function drawFrom([low, high]: Range, random: Random): number {
  return low + (high - low) * random.float();
}

function devParams(): ChainParams {
  const params = NETWORKS.get("vibecoin-dev");
  invariant(params !== undefined, "the development network has a name");
  return params;
}
