// Swarm runs: everything is drawn from the seed, the parameters too (swarm testing, Groce et al.,
// ISSTA 2012: a run that leaves out some faults finds what a run with all of them hides).

import type { ChainParams } from "../chain/params.js";
import { DEFAULTS, type NetworkConfigInput } from "../config.js";
import { seededRandom, type SeededRandom } from "../runtime/random.js";
import { drawScripts } from "./byzantine/scripts.js";
import { FAULT_PRESETS, type FaultOptions, type FaultTimes } from "./faults.js";
import type { ChainChanges } from "./chain.js";
import type { LinkOptions } from "./places.js";
import { hostIn } from "./peers/networks.js";
import { FIVE_REGIONS } from "./places.js";
import type { SimulateOptions } from "./simulate-options.js";
import type { TrafficOptions } from "./traffic.js";

const KIB = 1_024;

type Whole = (low: number, high: number) => number;

const CROWD_EVERY = 15;
const CROWD_NODES = 15;
const LARGE = [5, 51] as const;
const CROWD_MS = 20_000;
/**
 * Undo data and forks are pruned within the run, and still no fork may be too deep to follow: there
 * are fewer blocks in the time of the faults, and some calm before it.
 */
const SHALLOW_EVERY = 4;
const SHALLOW = { reorgDepthMax: 30, pruneEveryBlocks: 2 } as const;
const SHALLOW_CALM_MS = 60_000;
/**
 * A step of the difficulty is a large part of it, so that of two branches the heavier one may be the
 * shorter one. To find a block takes as long as ever, but the next one may be begun sooner.
 */
const COARSE_EVERY = 3;
const COARSE = { minDifficulty: 8n } as const;
const COARSE_PRODUCER = { attemptsPerTask: 2, intervalMs: 500 } as const;
/** So often that addresses are told, drawn and dialed several times in a run. */
const DISCOVERY_EVERY = 4;
const DISCOVERY = {
  dial: { onlyConfigured: false, feelerEveryMs: 5_000 },
  exchange: { askAgainMinMs: 2_000 },
} as const;
const BREAK_EVERY = 2;
const QUIET_EVERY = 2;
/** Several times what a silent peer is given. */
const QUIET_MS = 65_000;
const IMPATIENT = { pingIntervalMs: 3_000, deadAfterMs: 8_000 } as const;
const PATIENT = { pingIntervalMs: 7_000, deadAfterMs: 20_000 } as const;
const BULK_PER_SECOND = 160_000;
/**
 * Four times as many as a branch grows by at most: a fork is followed by its headers, which may come
 * twice, while both of its branches go on.
 */
const HEADERS_PER_SECOND = 4;

export interface SwarmOptions {
  /** 5 to 50 honest nodes, as often 5 to 16 as more, and byzantine ones in every world. */
  readonly large?: boolean;
}

/** A short run of a few nodes: half a second to a few seconds of real time; a large one, 5 to 60. */
export function drawSwarm(seed: number | string, options: SwarmOptions = {}): SimulateOptions {
  const draw = seededRandom(`swarm ${seed}`);
  const discovers = draw.fork("discovery").float() < 1 / DISCOVERY_EVERY;
  const world = drawWorld(seed, draw, options);
  return discovers ? withDiscovery(world) : world;
}

/** Nodes dial whom peers tell of too, in worlds where they need not be connected to all they know. */
function withDiscovery(world: SimulateOptions): SimulateOptions {
  const { nodes, byzantine = [], config = {} } = world;
  if (byzantine.length === 0 && nodes >= CROWD_NODES) return world;
  // Those that a node was given need slots beside those it heard of.
  const maxOutbound = nodes - 1 + byzantine.length;
  return {
    ...world,
    // Peers are told of IP addresses alone.
    names: (index) => hostIn(index, index),
    config: {
      ...config,
      ...(config.maxOutbound === undefined ? {} : { maxOutbound }),
      ...DISCOVERY,
      dial: { ...config.dial, ...DISCOVERY.dial },
    },
    // Links end by themselves that only saw whether somebody is there.
    quietMs: 0,
  };
}

function drawWorld(
  seed: number | string,
  draw: SeededRandom,
  { large = false }: SwarmOptions,
): SimulateOptions {
  const between = (low: number, high: number): number => low + (high - low) * draw.float();
  const whole = (low: number, high: number): number => Math.floor(between(low, high + 1));
  const maybe = <T extends object>(part: T): T | object => (draw.float() < 0.5 ? part : {});
  // Now and then as many as a small real network has: what needs distance, or a crowd, to show.
  const size = draw.float();
  const few = size < 1 / CROWD_EVERY ? whole(30, 50) : whole(2, 7);
  const nodes = large ? Math.floor(LARGE[0] * (LARGE[1] / LARGE[0]) ** size) : few;
  const crowd = nodes >= CROWD_NODES;
  // Each kind is in every other run, as rare or as frequent as chance says.
  const faults: FaultOptions = Object.fromEntries(
    Object.entries(FAULT_PRESETS.wild)
      .filter(() => draw.float() < 0.5)
      .map(([name, times]) => [name, rarer(times, between(0.5, 2))]),
  );
  const [latencyMs, jitterMs] = [between(0, 200), between(0, 200)];
  // More producers on slow links make blocks faster than these spread: never would all have one.
  const producersMax = latencyMs + jitterMs > 200 ? 2 : 3;
  // A minority, of nodes that are enough to relay without it.
  const attackers = whole(1, Math.max(1, Math.floor(((crowd ? 1 : 3) * nodes) / 7)));
  const attacked = (draw.float() < 0.5 && nodes >= 3) || large;
  const byzantine = attacked ? drawScripts(attackers, draw) : [];
  const knownPeers = whole(1, 4);
  // Just room for all honest nodes and for what one attacker's address gets (nobody is evicted).
  const slots = {
    maxInbound: nodes - 1 + DEFAULTS.inbound.perGroupMax * byzantine.length + whole(0, 1),
    maxOutbound: knownPeers + byzantine.length + whole(0, 1),
  };
  const links: Partial<LinkOptions> = {
    latencyMs,
    jitterMs,
    ...maybe({ regions: FIVE_REGIONS }),
    ...maybe({ upBytesPerSecond: [100_000, between(100_000, 2_000_000)] as const }),
    ...maybe({ downBytesPerSecond: [100_000, between(100_000, 2_000_000)] as const }),
    ...maybe({ pieceBytesMax: whole(1, 2_000) }),
    ...maybe({ bytesPerSecond: whole(20_000, 1_000_000) }),
  };
  const perSecond = between(1, 20);
  const dataBytes = whole(0, 300);
  const shallow = draw.float() < 1 / SHALLOW_EVERY && !crowd;
  const breakLinks = draw.float() < 1 / BREAK_EVERY && byzantine.length === 0 && !crowd;
  const quiet = draw.float() < 1 / QUIET_EVERY && byzantine.length === 0 && !crowd;
  const chainChanges = drawChain(draw.float(), whole);
  const coarse = draw.float() < 1 / COARSE_EVERY;
  const config: NetworkConfigInput = {
    // Nothing here comes near it, whatever slots are drawn.
    memoryBudgetBytes: 4 * KIB ** 3,
    txIndex: draw.float() < 0.5,
    // So short that bans end, and begin again, within the run.
    ...maybe({ reputation: { banMs: whole(1_000, 20_000), banMaxMs: whole(20_000, 60_000) } }),
    ...maybe({ ...slots, ...drawLimits(whole, links) }),
  };
  return {
    seed,
    nodes,
    byzantine,
    producers: whole(1, Math.min(producersMax, nodes)),
    knownPeers,
    links,
    commitMs: [0, between(0, 500)],
    wallOffsetMaxMs: between(0, 2_000),
    driftMaxPpm: between(0, 1_000),
    late: whole(0, nodes - 1),
    config: {
      ...config,
      ...(shallow ? { chain: SHALLOW } : {}),
      ...(breakLinks ? { dial: { backoffMaxMs: 40_000 } } : {}),
      producer: {
        ...(quiet ? { emptyBlocks: false } : {}),
        ...(coarse ? COARSE_PRODUCER : {}),
      },
    },
    ...(quiet && whole(0, 1) === 1 ? { configs: impatientFirst(nodes) } : {}),
    chainChanges: coarse ? withParams(chainChanges, COARSE) : chainChanges,
    traffic: { perSecond, dataBytes, ...drawBulk(links, perSecond, whole) },
    faults,
    calmMs: shallow ? SHALLOW_CALM_MS : 0,
    durationMs: crowd ? CROWD_MS : 40_000,
    convergeMs: 120_000,
    ...(quiet ? { quietMs: QUIET_MS } : {}),
    breakLinks,
  };
}

/** One node gives up soon; it stands still for longer than that, and the others wait for it. */
function impatientFirst(nodes: number): NetworkConfigInput[] {
  return Array.from({ length: nodes }, (_, index) => ({
    liveness: index === 0 ? IMPATIENT : PATIENT,
  }));
}

/**
 * Blocks with much in their headers, or so small that the selection of a producer, whose mempool has
 * more than it takes, ends just at their limit; or as they are.
 */
function drawChain(chance: number, whole: Whole): ChainChanges {
  if (chance < 0.25) return { extraBytes: whole(1, 1_024) };
  if (chance >= 0.5) return {};
  const blockBytesMax = whole(1_200, 3_000);
  return { params: { blockBytesMax, transactionBytesMax: blockBytesMax >> 1 } };
}

function withParams(changes: ChainChanges, params: Partial<ChainParams>): ChainChanges {
  return { ...changes, params: { ...changes.params, ...params } };
}

/** Blocks of very unequal size, where links carry them and do not cut them into a thousand pieces. */
function drawBulk(
  { bytesPerSecond = Infinity, pieceBytesMax = Infinity }: Partial<LinkOptions>,
  perSecond: number,
  whole: Whole,
): Pick<TrafficOptions, "bulkyDataBytes"> {
  const bulkyDataBytes = Math.min(whole(1_000, 60_000), Math.floor(BULK_PER_SECOND / perSecond));
  const carried = bytesPerSecond > 200_000 && pieceBytesMax > 500;
  return carried && whole(0, 1) === 1 ? { bulkyDataBytes } : {};
}

/** Limits so low that they are reached, and never so low that a node cannot do its work. */
function drawLimits(whole: Whole, links: Partial<LinkOptions>): NetworkConfigInput {
  const { latencyMs = 0, jitterMs = 0, regions } = links;
  const farthestMs = regions === undefined ? 0 : Math.max(...regions.oneWayMs.flat());
  const roundTripMs = 2 * (latencyMs + jitterMs + farthestMs);
  const headersLeast = Math.ceil((HEADERS_PER_SECOND * roundTripMs) / 1_000);
  const limits = {
    gossip: {
      knownPerPeerMax: whole(10, 100),
      transactionBatchMax: whole(1, 64),
      blockPushes: whole(0, 3),
      relayTrees: whole(0, 3) > 0,
    },
    lanes: { windowInitialBytes: 64 * KIB, windowMaxBytes: whole(64, 256) * KIB },
    overload: drawOverload(whole),
    mempool: { countMax: whole(1, 50), perSenderMax: whole(1, 10) },
    pool: { queueMax: whole(4, 16) },
    requests: { inFlightMax: whole(2, 8) },
    serve: { repliesQueuedMax: whole(1, 4), bytesSoftMax: whole(1, 32) * KIB },
    sync: {
      headersPerRequest: whole(headersLeast, 32),
      headersAheadMax: whole(32, 64),
      rangeBlocksMax: whole(1, 8),
      rangesPerPeerMax: whole(1, 4),
      tasksInPoolMax: whole(1, 4),
      incrementalBlocksMax: whole(0, 16),
    },
  };
  // Nobody brings more than one answer in a round trip, which may take a second here, and a little.
  const { headersPerRequest } = limits.sync;
  const headersPerSecondMin = Math.ceil(headersPerRequest / 2);
  return { ...limits, sync: { ...limits.sync, headersPerSecondMin } };
}

function drawOverload(whole: Whole): NetworkConfigInput["overload"] {
  const dropAll = whole(16, 256);
  return { dropFrom: whole(1, dropAll), dropAll };
}

function rarer({ everyMs: [low, high], ...rest }: FaultTimes, factor: number): FaultTimes {
  return { ...rest, everyMs: [low * factor, high * factor] };
}
