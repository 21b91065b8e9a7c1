// The process of one size of the sim bench: a world of so many nodes runs until so many blocks stand,
// and tells what it cost. A process each, so that sizes do not share a heap.

import { createWorld, fastSignatures, fillBlocks, SIM_CHAIN } from "../../src/sim/index.js";
import type { PropagationTimes } from "../../src/sim/index.js";
import { serveParent } from "./child.js";

export interface SimSize {
  readonly nodes: number;
  readonly blocks: number;
  readonly transactionsPerBlock: number;
}

export interface SimFigures {
  readonly blocks: number;
  readonly nodes: number;
  readonly transactionsPerBlock: number;
  readonly propagation: PropagationTimes;
  /** Of blocks that were alone at their height. */
  readonly unrivalled: PropagationTimes;
  /** Heights at which several producers found a block. */
  readonly races: number;
  /** Written by the mean node for each block, announcements and pings included. */
  readonly bytesPerNodeAndBlock: number;
  /** Encoded, of the mean block. */
  readonly blockBytes: number;
  /** Ready connections of the mean node, in both directions. */
  readonly connections: number;
  readonly events: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly rssMaxMiB: number;
  readonly traceHash: string;
}

export type SimMethods = {
  measure(task: SimSize & { seed: string }): Promise<SimFigures>;
};

/** Slow enough that most blocks reach most nodes before the next one. */
const INTERVAL_MS = 5_000;
const PRODUCERS = 5;
/** Up to this for 16 nonces of some 64: producers on one head seldom finish together. */
const SEAL_MS = 2_000;
/** Dials, handshakes and the first gossip are over. */
const SETTLE_MS = 20_000;
const STEP_MS = 1_000;

const methods: SimMethods = {
  async measure({ nodes, blocks, transactionsPerBlock, seed }) {
    const startMs = performance.now();
    const mempool = fillBlocks(SIM_CHAIN, fastSignatures, transactionsPerBlock);
    const world = createWorld({
      seed,
      nodes,
      producers: Math.min(PRODUCERS, nodes),
      knownPeers: Math.min(nodes - 1, 8),
      chain: { consensus: SIM_CHAIN.consensus, mempool },
      config: { producer: { intervalMs: INTERVAL_MS } },
      pool: { taskMs: ({ kind }, random) => (kind === "seal" ? SEAL_MS : 5) * random.float() },
      // Invariants of every node once a minute: this run measures, others search.
      checkEveryMs: 60_000,
    });
    let rssMaxMiB = 0;
    const step = async (): Promise<void> => {
      await world.runFor(STEP_MS);
      rssMaxMiB = Math.max(rssMaxMiB, process.memoryUsage.rss() / 2 ** 20);
    };
    while (world.nowMs < SETTLE_MS) await step();
    world.restartPropagation();
    const before = { blocks: world.blockCount, bytes: world.bytesSent };
    while (world.blockCount < blocks + before.blocks) await step();
    const made = world.blockCount - before.blocks;
    return {
      blocks: made,
      nodes,
      transactionsPerBlock,
      propagation: world.propagation.times(),
      unrivalled: world.propagation.unrivalledTimes(),
      races: world.propagation.racesCount,
      bytesPerNodeAndBlock: (world.bytesSent - before.bytes) / nodes / made,
      blockBytes: world.blockBytes / world.blockCount,
      connections: world.connectionCount / nodes,
      events: world.eventCount,
      virtualSeconds: world.nowMs / 1_000,
      wallSeconds: (performance.now() - startMs) / 1_000,
      rssMaxMiB,
      traceHash: world.traceHash,
    };
  },
};

serveParent(methods, () => undefined);
