// What `simulate` takes. Types only; check-options.ts holds what they must be.

import type { NetworkConfig } from "../config.js";
import type { Consensus, Mempool } from "../ports.js";
import type { ChainChanges } from "./chain.js";
import type { FaultOptions, FaultPreset } from "./faults.js";
import type { WorldOptions } from "./options.js";
import type { TrafficOptions } from "./traffic.js";
import type { World } from "./world.js";

/** A rule of the chain developer's own, that must hold at every moment it is looked at. */
export interface WorldCheck {
  readonly name: string;
  /** Virtual time between two looks. Default 1,000. */
  readonly everyMs?: number;
  /** What is wrong, in one sentence; undefined: nothing. */
  readonly check: (world: World) => string | undefined;
}

export interface SimulateOptions extends Omit<WorldOptions, "chain"> {
  /** Virtual time before the faults begin. Default 0. */
  readonly calmMs?: number;
  /** Virtual time under faults. Default one minute. */
  readonly durationMs?: number;
  /** How long the nodes may take to agree once faults have ended. Default two minutes. */
  readonly convergeMs?: number;
  /**
   * In the end, without news: for so long no link may end by itself, and then one node stands still
   * for a moment. Default 0: not tried, and never among byzantine nodes, as the next one.
   */
  readonly quietMs?: number;
  /** In the end all links break, and have to come back soon. Default false. */
  readonly breakLinks?: boolean;
  /** Default: proof of work, so easy that a search costs 64 hashes. */
  readonly consensus?: Consensus;
  /** Of the default chain. */
  readonly chainChanges?: ChainChanges;
  readonly mempool?: (config: NetworkConfig) => Mempool;
  /** Default: none. */
  readonly faults?: FaultPreset | FaultOptions;
  /** Transactions of the default chain, or a function that starts the traffic of another one. */
  readonly traffic?: TrafficOptions | ((world: World) => void);
  readonly checks?: readonly WorldCheck[];
  /** Called with the world before it runs: scripts, subscriptions. */
  readonly onWorld?: (world: World) => void;
}
