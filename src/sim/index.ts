// The simulator as a library: whole networks of real nodes in one process, on virtual time, from
// one seed. For tests of this project and of chains that are built on it.

export { startFaults, type FaultOptions, type Faults } from "./faults.js";
export {
  SIM_CHAIN,
  SIM_CONFIG,
  SIM_PARAMS,
  type LinkOptions,
  type PoolOptions,
  type Range,
  type SimChain,
  type WorldOptions,
} from "./options.js";
export { fastSignatures, type SimSignatures } from "./signatures.js";
export type { SimNode } from "./sim-node.js";
export { StructuralHash } from "./structural-hash.js";
export { formatDelivery, type Delivery } from "./trace.js";
export { startTraffic, type Traffic, type TrafficOptions } from "./traffic.js";
export { createWorld, SimulationFailed, type Violation, type World } from "./world.js";
