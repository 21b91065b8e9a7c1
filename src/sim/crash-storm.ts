// The storm of crashes: twenty nodes under wild faults, of which every type of actor crashes once a minute
// besides. In the end all is quiet, and whatever a crash may have lost is missing in a sum.

import { CRASHES } from "./faults.js";
import type { SimulateOptions } from "./simulate-options.js";

const NODES = 20;
const PRODUCERS = 3;
const PER_SECOND = 4;
const DATA_BYTES = 200;
/** Several times what a silent peer is given. */
const QUIET_MS = 65_000;

/** `minutes`: of virtual time under faults. */
export function crashStorm(seed: number | string, minutes: number, nodes = NODES): SimulateOptions {
  return {
    seed,
    nodes,
    producers: Math.min(PRODUCERS, nodes),
    // In the quiet nobody has anything to say.
    config: { txIndex: true, producer: { emptyBlocks: false } },
    traffic: { perSecond: PER_SECOND, dataBytes: DATA_BYTES },
    faults: CRASHES,
    durationMs: minutes * 60_000,
    convergeMs: 120_000,
    quietMs: QUIET_MS,
    breakLinks: true,
  };
}
