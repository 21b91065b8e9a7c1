// The configuration of each honest node of a world: what simulations change, what the world and the
// node want otherwise, and whom it knows, drawn from its seed.

import { parseAddress } from "../protocol/address.js";
import { resolveConfig, type NetworkConfig } from "../config.js";
import type { SeededRandom } from "../runtime/random.js";
import { byzantineName } from "./byzantine/population.js";
import { SIM_CONFIG, type WorldOptions } from "./options.js";

const PORT = 8_765;
const KNOWN_PEERS = 4;
const KNOWN_BYZANTINE_MAX = 3;

/** Where a node, honest or byzantine, listens. */
export function addressOf(name: string): string {
  return `memory://${name}:${PORT}`;
}

export function nameOf(index: number, { names }: Pick<WorldOptions, "names">): string {
  return names?.(index) ?? `n${index}`;
}

/** Whose address that is. */
export function nameAt(address: string): string {
  return parseAddress(address).host;
}

/** `random`: the node's own. */
export function configOf(
  index: number,
  options: WorldOptions,
  random: SeededRandom,
): NetworkConfig {
  const { producers = 1, config = {}, configs = [] } = options;
  const own = configs[index] ?? {};
  const name = nameOf(index, options);
  const drawn = [...knownTo(index, options, random)].map((other) => nameOf(other, options));
  const known = options.knows?.(index) ?? drawn;
  return resolveConfig({
    ...SIM_CONFIG,
    ...config,
    ...own,
    dial: { ...SIM_CONFIG.dial, ...config.dial, ...own.dial },
    pool: { ...SIM_CONFIG.pool, ...config.pool, ...own.pool },
    producer: { ...SIM_CONFIG.producer, ...config.producer, ...own.producer },
    nodeId: name,
    bindAddr: addressOf(name),
    seedPeers: [...known, ...badSeeds(options, random)].map(addressOf),
    produce: index < producers,
  });
}

/** The next node, and others at random. */
function knownTo(
  index: number,
  { nodes: count, knownPeers = KNOWN_PEERS }: WorldOptions,
  random: SeededRandom,
): ReadonlySet<number> {
  const known = new Set<number>();
  const wanted = Math.min(knownPeers, count - 1);
  if (wanted > 0) known.add((index + 1) % count);
  while (known.size < wanted) {
    const other = random.uint32() % count;
    if (other !== index) known.add(other);
  }
  return known;
}

/** Names of byzantine nodes that this node takes for honest ones. */
function badSeeds({ byzantine = [] }: WorldOptions, random: SeededRandom): string[] {
  const names = byzantine.map((_, index) => byzantineName(index));
  const own = random.fork("byzantine");
  while (names.length > KNOWN_BYZANTINE_MAX) names.splice(own.uint32() % names.length, 1);
  return names;
}
