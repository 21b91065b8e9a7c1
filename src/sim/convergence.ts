// Liveness once faults have stopped: all nodes come to one chain, are connected to whom they know, and
// have put in order what follows the chain.

import type { HeaderSummary } from "../types/chain.js";
import type { SimChain } from "./chain.js";
import type { SimNode } from "./sim-node.js";

const FOLLOWED_WITHIN_MS = 10_000;
const LOOK_MS = 1_000;

/** The world, as far as this needs it. */
export interface Converging {
  readonly nodes: readonly SimNode[];
  readonly byzantine: readonly unknown[];
  readonly chain: SimChain;
  readonly nowMs: number;
  runUntil(reached: () => boolean, withinMs: number): Promise<boolean>;
  settled<T>(promise: Promise<T>): Promise<T>;
  report(what: string): void;
  /** Throws SimulationFailed. */
  checkInvariants(): void;
  failWhenViolated(): void;
}

/** `World.converge`. */
export async function converge(world: Converging, durationMs: number): Promise<HeaderSummary> {
  const withinMs = durationMs + aheadMs(world);
  const untilMs = world.nowMs + withinMs;
  const up = world.nodes.filter((node) => node.up);
  await reachBest(world, up, untilMs, withinMs);
  // Byzantine nodes may hold the slots of those that a node knows.
  if (world.byzantine.length === 0) await connectKnown(world, untilMs - world.nowMs);
  await reachBest(world, up, untilMs, withinMs);
  for (const node of up) {
    await world.runUntil(() => node.lagging === undefined, FOLLOWED_WITHIN_MS);
    if (node.lagging === "index") world.report(`${node.name}: the index does not follow the chain`);
    // A mempool that gave up follows nothing; what another one lost is found here.
    node.checkMempool();
    await world.settled(node.checkIndex());
  }
  world.checkInvariants();
  return lowestHead(up);
}

/** `World.connectKnown`. */
export async function connectKnown(world: Converging, withinMs: number): Promise<void> {
  const up = world.nodes.filter((node) => node.up);
  const untilMs = world.nowMs + withinMs;
  const ids = new Map(up.map(({ config, peerId }) => [config.bindAddr[0], peerId]));
  const missing: (string | undefined)[] = [];
  do {
    missing.length = 0;
    for (const { name, config, network } of up) {
      const peers = new Set((await world.settled(network.peers())).map(({ peerId }) => peerId));
      const absent = config.seedPeers.find((address) => {
        const peerId = ids.get(address);
        return peerId !== undefined && !peers.has(peerId);
      });
      if (absent !== undefined) missing.push(`${name} to ${absent}`);
    }
    if (missing.length === 0) return;
  } while (!(await world.runUntil(() => false, LOOK_MS)) && world.nowMs < untilMs);
  world.report(`not connected after ${withinMs} ms without faults: ${missing.join(", ")}`);
  world.failWhenViolated();
}

/** So far is the newest head ahead of the slowest clock. */
function aheadMs({ nodes }: Converging): number {
  const up = nodes.filter((node) => node.up);
  const newestMs = Math.max(...up.map((node) => node.head().timestampMs));
  return Math.max(0, newestMs - Math.min(...up.map(({ clock }) => clock.wallMs())));
}

async function reachBest(
  world: Converging,
  up: readonly SimNode[],
  untilMs: number,
  withinMs: number,
): Promise<void> {
  const { consensus } = world.chain;
  const heads = up.map((node) => node.head());
  const best = heads.reduce((a, b) => (consensus.prefers(b, a) ? b : a));
  const reached = (): boolean => {
    if (up.some((node) => node.head().totalDifficulty < best.totalDifficulty)) return false;
    // Blocks go on meanwhile, and the newest are never everywhere at once.
    const { height, hash } = lowestHead(up);
    return up.every((node) => node.network.header(height)?.hash === hash);
  };
  if (await world.runUntil(reached, untilMs - world.nowMs)) return;
  const seen = up.map((node) => `${node.name} ${node.head().height} ${node.head().hash}`);
  world.report(`no common chain after ${withinMs} ms without faults: ${seen.join(", ")}`);
  world.failWhenViolated();
}

function lowestHead(nodes: readonly SimNode[]): HeaderSummary {
  const heads = nodes.map((node) => node.head());
  return heads.reduce((a, b) => (b.height < a.height ? b : a));
}
