// `simulate`: one whole run with a verdict. Safety first: checks run throughout, under faults. Then
// liveness: the faults end, and the honest nodes must agree on one head. For chain developers, with
// their own consensus and mempool, and for the `sim` command.

import { systemClock } from "../runtime/clock.js";
import type { SimulateOptions, WorldCheck } from "./simulate-options.js";
import { checkOptions } from "./check-options.js";
import { FAULT_PRESETS, startFaults, type FaultOptions, type FaultPreset } from "./faults.js";
import { SIM_CHAIN, simChain, type SimChain } from "./chain.js";
import type { PropagationTimes } from "./propagation.js";
import { brokenLinks, quietLinks } from "./quiet.js";
import { transactionsTravel } from "./gossip-probe.js";
import { startTraffic } from "./traffic.js";
import { SimulationFailed, type Violation } from "./violation.js";
import { createWorld, type World } from "./world.js";

/** What a run showed. All but `wallSeconds` is the same for one seed and one version of the code. */
export interface Verdict {
  readonly ok: boolean;
  readonly seed: number | string;
  /** Of every delivery, in order; 16 hex digits. */
  readonly traceHash: string;
  /** Honest and byzantine. */
  readonly nodes: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  /** Deliveries of a message or signal to an actor. */
  readonly events: number;
  /** Different valid blocks that any node stored. */
  readonly blocks: number;
  readonly propagation: PropagationTimes;
  /** Written to links, by the mean node. */
  readonly bytesPerNode: number;
  /** How many actors crashed by plan, by type. */
  readonly actorCrashes: Readonly<Record<string, number>>;
  /** Of byzantine nodes: a ban of an honest one is a violation. */
  readonly bans: number;
  readonly violations: readonly Violation[];
}

const DURATION_MS = 60_000;
const CONVERGE_MS = 120_000;
const CHECK_EVERY_MS = 1_000;

/** Never rejects for what a check found: that is the verdict. Bad options: CONFIG_INVALID. */
export async function simulate(options: SimulateOptions): Promise<Verdict> {
  checkOptions(options);
  const { durationMs = DURATION_MS, convergeMs = CONVERGE_MS } = options;
  const { calmMs = 0, quietMs = 0 } = options;
  const startMs = systemClock.monotonicMs();
  const elapsedSeconds = (): number => (systemClock.monotonicMs() - startMs) / 1_000;
  const chain = chainOf(options);
  const world = createWorld({ ...options, chain });
  options.onWorld?.(world);
  for (const check of options.checks ?? []) watch(world, check);
  if (typeof options.traffic === "function") options.traffic(world);
  const traffic =
    typeof options.traffic === "object" ? startTraffic(world, options.traffic) : undefined;
  try {
    await world.runFor(calmMs);
    const faults = startFaults(world, faultsOf(options.faults));
    await world.runFor(durationMs);
    faults.stop();
    await world.converge(convergeMs);
    traffic?.stop();
    if (traffic !== undefined && !(await transactionsTravel(world, convergeMs))) {
      world.report(`no transaction got from a node into a block within ${convergeMs} ms`);
    }
    // Byzantine nodes may end links, and hold the slots of those that a node knows.
    if (world.byzantine.length > 0) return verdictOf(world, elapsedSeconds());
    if (quietMs > 0) await quietLinks(world, quietMs);
    if (options.breakLinks === true) await brokenLinks(world);
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error;
  }
  return verdictOf(world, elapsedSeconds());
}

function chainOf({ consensus, mempool, chainChanges }: SimulateOptions): SimChain {
  const standard = chainChanges === undefined ? SIM_CHAIN : simChain(chainChanges);
  if (consensus === undefined) return { ...standard, mempool: mempool ?? standard.mempool };
  return { consensus, mempool: mempool ?? standard.mempool };
}

function watch(world: World, { name, everyMs = CHECK_EVERY_MS, check }: WorldCheck): void {
  world.every(everyMs, () => {
    const wrong = check(world);
    if (wrong !== undefined) world.report(`${name}: ${wrong}`);
  });
}

function faultsOf(faults: FaultPreset | FaultOptions | undefined): FaultOptions {
  if (faults === undefined) return {};
  return typeof faults === "string" ? FAULT_PRESETS[faults] : faults;
}

function verdictOf(world: World, wallSeconds: number): Verdict {
  return {
    ok: world.violations.length === 0,
    seed: world.seed,
    traceHash: world.traceHash,
    nodes: world.nodes.length + world.byzantine.length,
    virtualSeconds: rounded(world.nowMs / 1_000),
    wallSeconds: rounded(wallSeconds),
    events: world.eventCount,
    blocks: world.blockCount,
    propagation: world.propagation.times(),
    bytesPerNode: Math.round(world.bytesSent / (world.nodes.length + world.byzantine.length)),
    actorCrashes: crashesIn(world),
    bans: world.bans.length,
    violations: world.violations,
  };
}

function crashesIn({ nodes }: World): Readonly<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const node of nodes) {
    for (const [type, count] of node.actorCrashes) sums.set(type, (sums.get(type) ?? 0) + count);
  }
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
