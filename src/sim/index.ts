// The simulator as a library: whole networks of real nodes in one process, on virtual time, from
// one seed. For tests of this project and of chains that are built on it.

export {
  FAULT_PRESETS,
  startFaults,
  type FaultOptions,
  type FaultPreset,
  type Faults,
  type FaultTimes,
} from "./faults.js";
export { crashStorm } from "./crash-storm.js";
export { checkTrace } from "./check-options.js";
export type { FaultName } from "./fault-kinds.js";
export { FIVE_REGIONS, type Regions } from "./places.js";
export { BYZANTINE_SCRIPTS, drawScripts } from "./byzantine/scripts.js";
export type { Behaviour, ByzantineHost, ByzantineScript, Target } from "./byzantine/script.js";
export type { Ban } from "./byzantine/population.js";
export type { ByzantineNode } from "./byzantine/byzantine-node.js";
export type { Session } from "./byzantine/session.js";
export type { Served } from "./byzantine/chain-view.js";
export type { BlockBook, BookBlock } from "./block-book.js";
export { SIM_CONFIG, type LogLine, type PoolOptions, type WorldOptions } from "./options.js";
export { SIM_CHAIN, SIM_PARAMS, type ChainChanges, type SimChain } from "./chain.js";
export type { LinkOptions } from "./places.js";
export type { Range } from "./range.js";
export type { Propagation, PropagationTimes } from "./propagation.js";
export { fillBlocks } from "./fill-blocks.js";
export { fastSignatures, type SimSignatures } from "./signatures.js";
export { simulate, type Verdict } from "./simulate.js";
export type { SimulateOptions, WorldCheck } from "./simulate-options.js";
export type { CrashOptions, SimNode } from "./sim-node.js";
export { StructuralHash } from "./structural-hash.js";
export { formatDelivery, type Delivery } from "./trace.js";
export { drawSwarm } from "./swarm.js";
export { createTimeline } from "./timeline.js";
export { startTraffic, type Traffic, type TrafficOptions } from "./traffic.js";
export { SimulationFailed, type Violation } from "./violation.js";
export { createWorld, type World } from "./world.js";
