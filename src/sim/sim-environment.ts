// What a simulated node runs on: ports of one life, which the world's auditors watch.

import type { NodeEnv } from "../actors/env.js";
import type { NodeParts } from "../actors/node-memory.js";
import type { NetworkEventOf } from "../actors/events/event-types.js";
import { AGENT } from "../compose.js";
import type { NetworkConfig } from "../config.js";
import type { Clock, PeerId, ServiceProtocol } from "../ports.js";
import type { SeededRandom } from "../runtime/random.js";
import type { Scheduler } from "../runtime/scheduler.js";
import { chainView } from "../storage/chain-view.js";
import type { MemoryStores } from "../storage/memory-stores.js";
import type { MemoryNetwork } from "../transport/memory.js";
import { createScheduledExecutor } from "../workers/inline-executor.js";
import type { BanAuditor } from "./ban-auditor.js";
import type { SimChain } from "./chain.js";
import type { ChainAuditor } from "./chain-auditor.js";
import type { IndexAuditor } from "./index-auditor.js";
import type { KeptAuditor } from "./kept-auditor.js";
import { losingPool } from "./losing-pool.js";
import type { PoolOptions } from "./options.js";
import type { Range } from "./range.js";
import { watchMempool, type MempoolWatch, type RefillAuditor } from "./refill-auditor.js";
import type { SimSignatures } from "./signatures.js";
import type { SimLoop } from "./sim-loop.js";

/** In larger worlds the events of transactions would take longer than their way. */
export const CROWD_NODES = 64;

/** What the nodes of a world share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Deliveries so far. */
  readonly turn: () => number;
  readonly links: MemoryNetwork;
  readonly chain: SimChain;
  readonly signatures: SimSignatures;
  readonly auditor: ChainAuditor;
  readonly indexAuditor: IndexAuditor;
  readonly refill: RefillAuditor;
  readonly pool: PoolOptions;
  readonly commitMs: Range;
  /** Whether each of their transactions is followed, which costs several events each. */
  readonly auditsTransactions: boolean;
  readonly protocolsOf: (node: string) => readonly ServiceProtocol[];
  /** A node banned a peer. */
  readonly banned: (node: string, ban: NetworkEventOf<"PeerBanned">) => void;
  /** A check failed: in one sentence. */
  readonly violated: (sentence: string) => void;
  readonly log: (node: string, ...line: Parameters<NodeEnv["log"]["write"]>) => void;
}

export interface SimNodeOptions {
  readonly name: string;
  readonly peerId: PeerId;
  readonly config: NetworkConfig;
  /** The node's own view of time. */
  readonly clock: Clock;
  readonly random: SeededRandom;
}

/** Of one life. */
export interface EnvironmentParts {
  readonly options: SimNodeOptions;
  readonly around: Surroundings;
  readonly random: SeededRandom;
  readonly loop: SimLoop;
  readonly stores: MemoryStores;
  readonly bans: BanAuditor;
  readonly watch: MempoolWatch;
  readonly kept: KeptAuditor;
  /** Of the tasks that the pool is given, this part is lost with its thread. */
  readonly tasksLost: () => number;
  /** The latest time that the wall clock showed before it was set back. */
  readonly wallShownMs: () => number;
}

export function environmentOf(parts: EnvironmentParts): NodeParts {
  const { options, around, random, loop, stores, bans, watch, kept, tasksLost, wallShownMs } =
    parts;
  const { name, peerId, config } = options;
  const { clock } = loop;
  const { auditor, chain, links, log, pool, signatures } = around;
  const { consensus } = chain;
  const transport = loop.transport(links.transport(peerId, { host: name, clock }));
  const poolRandom = random.fork("pool");
  const pooled = createScheduledExecutor({
    rules: consensus.rules,
    verify: signatures.verify,
    clock,
    threads: pool.threads,
    queueMax: config.pool.queueMax,
    delayMs: (task) => pool.taskMs(task, poolRandom),
  });
  const workers = losingPool(pooled, { fraction: tasksLost, random: random.fork("losses"), clock });
  // What it checked by the clock before it was set back may be committed after.
  const auditClock = { wallMs: () => Math.max(clock.wallMs(), wallShownMs()) };
  const store = auditor.watch(stores.blocks, { name, clock: auditClock });
  return {
    config,
    clock,
    random: random.fork("actors"),
    log: { write: (...line) => log(name, ...line) },
    health: loop,
    peerId,
    agent: AGENT,
    transports: new Map([[transport.scheme, transport]]),
    workers,
    store,
    blocks: chainView(store),
    ...(config.txIndex ? { transactions: stores.joinIndex() } : {}),
    peers: bans.watch(stores.peers, clock),
    mempool: watchMempool(chain.mempool(config), watch),
    mempoolStore: kept.watch(stores.mempool),
    consensus,
  };
}
