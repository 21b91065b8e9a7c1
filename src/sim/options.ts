// What a world is made of: its options and their defaults.

import type { NetworkConfigInput } from "../config.js";
import type { LogLevel, Random, ServiceProtocol } from "../ports.js";
import type { Task } from "../workers/jobs.js";
import type { ByzantineScript } from "./byzantine/script.js";
import type { SimChain } from "./chain.js";
import type { LinkOptions } from "./places.js";
import type { Range } from "./range.js";
import type { SimSignatures } from "./signatures.js";
import type { Delivery } from "./trace.js";

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
  /** Of each node by its index, in place of those: the hosts that it is given. */
  readonly knows?: (index: number) => readonly string[];
  /** Of the nodes, which are their hosts too: IP addresses where networks matter. Default n0, n1, … */
  readonly names?: (index: number) => string;
  /** So many further nodes, named b0, b1, …, follow these scripts; honest ones know some. */
  readonly byzantine?: readonly ByzantineScript[];
  /** For every node, over the defaults of simulations. */
  readonly config?: NetworkConfigInput;
  /** By node, over that. */
  readonly configs?: readonly NetworkConfigInput[];
  /** Called at each start of a node, with its name: what services bring to it. */
  readonly protocols?: (node: string) => readonly ServiceProtocol[];
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

/** Where simulated nodes differ from real ones. */
export const SIM_CONFIG = {
  // A run of minutes shall see many dials after a partition.
  // Nobody beside those that its options give to a node, unless a run is about that.
  dial: { backoffMaxMs: 10_000, onlyConfigured: true },
  // With a seal task of a quarter second and 64 hashes a block, a search takes about a second.
  producer: { attemptsPerTask: 16 },
  pool: { signatureCacheEntries: 0 },
} as const satisfies NetworkConfigInput;

export const SIM_POOL: PoolOptions = {
  threads: 2,
  taskMs: ({ kind }, random) =>
    kind === "seal" ? 50 + 400 * random.float() : 0.5 + 4.5 * random.float(),
};
