// The operator's configuration as a drill uses it: on loopback, on free ports, in a directory of its
// own. Every change is told, for a drill says something of the rest alone.

import { resolveConfig, type NetworkConfig, type NetworkConfigInput } from "../config.js";
import { CodedError } from "../errors.js";
import { DRILL_NETWORK } from "./drill-chain.js";

export interface DrillConfig {
  /** To be completed with `dataDir`, where it has one. */
  readonly input: NetworkConfigInput;
  readonly resolved: NetworkConfig;
  /** The operator's node has a data directory, so this one has one of its own. */
  readonly keepsData: boolean;
  /** A sentence for each change. */
  readonly changes: readonly string[];
}

/** Connections of honest peers that dial the node: two, and a newcomer. */
const HONEST_INBOUND = 3;

/** Throws CONFIG_INVALID. */
export function drillConfig(input: NetworkConfigInput): DrillConfig {
  const given = resolveConfig(input);
  if (given.maxInbound < HONEST_INBOUND || given.maxOutbound < 1) {
    throw new CodedError(
      "CONFIG_INVALID",
      `A drill needs a node with at least ${HONEST_INBOUND} inbound places and 1 outbound one.`,
    );
  }
  const changes = [
    "bindAddr: a free port of 127.0.0.1",
    "seedPeers: nobody but an honest peer of the drill",
  ];
  const changed: { -readonly [K in keyof NetworkConfigInput]: NetworkConfigInput[K] } = {
    ...input,
    bindAddr: ["tcp://127.0.0.1:0"],
    seedPeers: [],
  };
  if (given.inbound.exemptLocal) {
    changed.inbound = { ...input.inbound, exemptLocal: false };
    changes.push("inbound.exemptLocal: false, so that 127.a.b.c counts as networks of their own");
  }
  if (given.network !== DRILL_NETWORK) {
    changed.network = DRILL_NETWORK;
    changes.push(`network: ${DRILL_NETWORK}, whose blocks are made in a millisecond`);
  }
  if (given.dataDir !== null) {
    changed.dataDir = null;
    changes.push("dataDir: a temporary directory, removed at the end");
  }
  if (given.advertise.length > 0) {
    changed.advertise = [];
    changes.push("advertise: nothing");
  }
  if (given.staticPeers.length > 0) {
    changed.staticPeers = [];
    changes.push("staticPeers: nobody");
  }
  if (given.produce) {
    changed.produce = false;
    changes.push("produce: false: an honest peer makes the blocks");
  }
  // What it weighs depends on whether it keeps data.
  const resolved = resolveConfig({ ...changed, dataDir: given.dataDir });
  return { input: changed, resolved, keepsData: given.dataDir !== null, changes };
}
