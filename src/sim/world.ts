// A world: whole nodes in one process on a virtual clock, over simulated links and disks, all of it
// drawn from one seed. It runs them, breaks them on request, and checks them at intervals and at
// every commit. Nothing here waits for real time; promises settle between events.

import { genesisOf } from "../compose.js";
import { invariant } from "../errors.js";
import type { HeaderSummary } from "../types/chain.js";
import { toHex } from "../bytes/hex.js";
import { seededRandom, type SeededRandom } from "../runtime/random.js";
import { macrotask } from "../runtime/scheduler.js";
import { SeededScheduler } from "../runtime/seeded-scheduler.js";
import { VirtualClock } from "../runtime/virtual-clock.js";
import { createMemoryNetwork, type MemoryNetwork } from "../transport/memory.js";
import type { ByzantineNode } from "./byzantine/byzantine-node.js";
import { Population, type Ban } from "./byzantine/population.js";
import { ChainAuditor } from "./chain-auditor.js";
import { SIM_CHAIN, type SimChain } from "./chain.js";
import { connectKnown, converge } from "./convergence.js";
import { addressOf, configOf, nameOf } from "./node-config.js";
import { SIM_POOL, type WorldOptions } from "./options.js";
import { SIM_LINKS } from "./places.js";
import { IndexAuditor } from "./index-auditor.js";
import { fastSignatures, type SimSignatures } from "./signatures.js";
import { createPlaces, type Places } from "./places.js";
import { Propagation } from "./propagation.js";
import { RefillAuditor } from "./refill-auditor.js";
import { RelayAuditor } from "./relay-auditor.js";
import { RegularChecks } from "./regular-checks.js";
import { CROWD_NODES, type Surroundings } from "./sim-environment.js";
import { SimNode, type CrashOptions } from "./sim-node.js";
import { Trace } from "./trace.js";
import { SimulationFailed, type Violation } from "./violation.js";

const WALL_OFFSET_MAX_MS = 500;
/** As the production scheduler has it. */
const SLICE_MESSAGES_MAX = 512;
const DRIFT_MAX_PPM = 200;
const CHECK_EVERY_MS = 1_000;
const SETTLE_MS = 60_000;
const BYZANTINE_TICK_MS = 1_000;

export function createWorld(options: WorldOptions): World {
  return new World(options);
}

export class World {
  readonly seed: number | string;
  /** The honest ones: all checks are theirs. */
  readonly nodes: readonly SimNode[];
  readonly chain: SimChain;
  readonly signatures: SimSignatures;
  /** For scripts: drawing from it changes nothing else. */
  readonly random: SeededRandom;
  readonly violations: Violation[] = [];
  readonly clock = new VirtualClock();
  readonly links: MemoryNetwork;
  readonly #options: WorldOptions;
  readonly #scheduler: SeededScheduler;
  readonly #trace = new Trace();
  readonly #places: Places;
  readonly #auditor: ChainAuditor;
  #propagation = new Propagation();
  readonly #relays: RelayAuditor;
  readonly #population: Population;
  readonly #regular: RegularChecks;
  #running = false;

  constructor(options: WorldOptions) {
    invariant(options.nodes >= 1, "a world has a node");
    const random = seededRandom(options.seed);
    const { clock } = this;
    this.seed = options.seed;
    this.#options = options;
    this.chain = options.chain ?? SIM_CHAIN;
    this.signatures = options.signatures ?? fastSignatures;
    this.random = random.fork("script");
    this.#scheduler = new SeededScheduler({
      random: random.fork("scheduler"),
      sliceMessagesMax: SLICE_MESSAGES_MAX,
      onDeliver: (path, message) => {
        this.#trace.add(clock.monotonicMs(), path, message, options.onDelivery);
        this.#relays.see(path, message);
      },
    });
    const links = { ...SIM_LINKS, ...options.links };
    this.#places = createPlaces(links, random.fork("places"));
    const chance = random.fork("links");
    this.links = createMemoryNetwork({ clock, random: chance, ...links, ...this.#places });
    const violated = (what: string): void => this.report(what);
    this.#auditor = new ChainAuditor(this.chain.consensus, this.signatures.verify, violated, {
      onStored: (node, header) => this.#propagation.stored(node, header, this.nowMs),
      reference: this.chain.reference?.(this.signatures.verify),
    });
    this.#relays = new RelayAuditor({
      book: this.#auditor.book,
      rules: this.chain.consensus.rules,
      report: violated,
      onBlame: (node, report) => this.#population.blamed(node, report),
    });
    this.nodes = this.#createNodes(random);
    this.#regular = new RegularChecks({
      nodes: this.nodes,
      prefers: (one, other) => this.chain.consensus.prefers(one, other),
      reachable: (from, to) => this.links.reachable(from, to),
      report: violated,
    });
    this.#population = this.#createByzantine(random.fork("byzantine"));
    for (const node of this.byzantine) {
      node.start();
      this.every(BYZANTINE_TICK_MS, () => node.tick());
    }
    for (const node of this.nodes.slice(0, options.nodes - (options.late ?? 0))) node.start();
    this.every(options.checkEveryMs ?? CHECK_EVERY_MS, () => this.#regular.look(this.nowMs));
  }

  /** Virtual time since the world began. */
  get nowMs(): number {
    return this.clock.monotonicMs();
  }

  /** Of all deliveries so far: the same in every process for one seed. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  /** Messages and signals delivered so far. */
  get eventCount(): number {
    return this.#trace.count;
  }

  /** Different valid blocks that any node stored, without genesis. */
  get blockCount(): number {
    return this.#auditor.blockCount - 1;
  }

  /** How often a node moved its head to a heavier block that is not as high. */
  get lowerHeads(): number {
    return this.#auditor.lowerHeads;
  }

  /** How fast blocks reached the nodes' stores. */
  get propagation(): Propagation {
    return this.#propagation;
  }

  /** Measures the propagation of the blocks that come from now on. */
  restartPropagation(): void {
    this.#propagation = new Propagation();
  }

  /** Encoded, of all blocks that any node stored. */
  get blockBytes(): number {
    return this.#auditor.blockBytes;
  }

  /** Connections of all nodes: a link is one at either end. */
  get connectionCount(): number {
    return 2 * this.links.linkCount;
  }

  /** Written to all links. */
  get bytesSent(): number {
    return this.links.bytesWritten;
  }

  get byzantine(): readonly ByzantineNode[] {
    return this.#population.nodes;
  }

  /** Byzantine identities that honest nodes banned so far: the right ones. */
  get bans(): readonly Ban[] {
    return this.#population.bans;
  }

  /** Blocks, headers and announcements that honest nodes sent, all of them valid. */
  get relayedCount(): number {
    return this.#relays.relayedCount;
  }

  node(name: string): SimNode {
    const found = this.nodes.find((node) => node.name === name);
    invariant(found !== undefined, `there is a node ${name}`);
    return found;
  }

  /** Where a node stands, when there are regions. */
  regionOf(name: string): string | undefined {
    return this.#places.regionOf(name);
  }

  // ---- time -----------------------------------------------------------------------------------

  /** Rejects with SimulationFailed as soon as a check fails; so do the other two. */
  async runFor(durationMs: number): Promise<void> {
    await this.#run(this.nowMs + durationMs, () => false);
  }

  /** Resolves to false when `withinMs` of virtual time were not enough. */
  runUntil(reached: () => boolean, withinMs: number): Promise<boolean> {
    return this.#run(this.nowMs + withinMs, reached);
  }

  /** Runs until a promise of a node's handle has settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const finish = (): void => void (done = true);
    promise.then(finish, finish);
    await this.runUntil(() => done, SETTLE_MS);
    invariant(done, `a promise settles within ${SETTLE_MS} ms of virtual time`);
    return promise;
  }

  /** Calls a script after `delayMs` of virtual time, between two events. */
  after(delayMs: number, script: () => void): void {
    this.clock.setTimer(delayMs, script);
  }

  /** Calls a script again and again; answers the function that ends it. */
  every(intervalMs: number, script: () => void): () => void {
    let on = true;
    const next = (): void => {
      if (!on) return;
      script();
      this.after(intervalMs, next);
    };
    this.after(intervalMs, next);
    return () => void (on = false);
  }

  // ---- faults ---------------------------------------------------------------------------------

  /** Only nodes of one group reach each other; nodes in no group form one more. */
  partition(groups: readonly (readonly string[])[]): void {
    this.links.partition(groups);
  }

  /**
   * Bytes from one node to another wait while any obstacle says true of them; answers the function
   * that takes it away. Stalls, clogs and one-way partitions are obstacles.
   */
  obstruct(obstacle: (from: string, to: string) => boolean): () => void {
    return this.links.obstruct(obstacle);
  }

  /** Takes the partition and all obstacles away. */
  heal(): void {
    this.links.heal();
  }

  /** Resets the links between two nodes, or all links of one. */
  cut(a: string, b?: string): void {
    this.links.cut(a, b);
  }

  crash(name: string, options?: CrashOptions): void {
    this.node(name).crash(options);
  }

  restart(name: string): void {
    this.node(name).start();
  }

  // ---- checks ---------------------------------------------------------------------------------

  /** Checks every actor and every store now. Throws SimulationFailed. */
  checkInvariants(): void {
    for (const node of this.nodes) {
      node.checkActors();
      node.checkStores();
    }
    this.failWhenViolated();
  }

  /**
   * Liveness, once faults have stopped: within `withinMs` all nodes that are up are on one chain, no
   * lighter than the best head that any of them had; then they follow, and reach what was best by
   * then. A head from the future has to wait for its time before. Resolves to the lowest of their
   * heads; rejects with SimulationFailed.
   */
  converge(withinMs: number): Promise<HeaderSummary> {
    return converge(this, withinMs);
  }

  /** There are slots for all that a node knows: in time it is connected to each that is up. */
  connectKnown(withinMs: number): Promise<void> {
    return connectKnown(this, withinMs);
  }

  /** Undefined: what peers' messages hold is in somebody's hand, and nothing is under way on links. */
  creditFaultAtRest(): string | undefined {
    return this.#regular.creditFault(true);
  }

  /** A check of a script failed: `what` is wrong, in one sentence. The run ends with it. */
  report(what: string): void {
    this.violations.push({ atMs: this.nowMs, what });
  }

  /** Throws SimulationFailed when a check failed. */
  failWhenViolated(): void {
    if (this.violations.length === 0) return;
    throw new SimulationFailed(this.seed, this.violations, this.#options.replay);
  }

  // ---- inside ---------------------------------------------------------------------------------

  #createNodes(random: SeededRandom): SimNode[] {
    const {
      nodes: count,
      commitMs = [1, 20],
      wallOffsetMaxMs = WALL_OFFSET_MAX_MS,
      driftMaxPpm = DRIFT_MAX_PPM,
    } = this.#options;
    const { book } = this.#auditor;
    const { rules } = this.chain.consensus;
    const around: Surroundings = {
      clock: this.clock,
      scheduler: this.#scheduler,
      turn: () => this.#scheduler.turns,
      links: this.links,
      chain: this.chain,
      signatures: this.signatures,
      auditor: this.#auditor,
      indexAuditor: new IndexAuditor(book, rules),
      refill: new RefillAuditor(book, rules, this.chain.params),
      pool: { ...SIM_POOL, ...this.#options.pool },
      commitMs,
      auditsTransactions: count <= CROWD_NODES,
      protocolsOf: this.#options.protocols ?? (() => []),
      banned: (node, ban) => this.#population.banned(node, ban),
      violated: (what) => this.report(what),
      log: (node, level, event, fields = {}) =>
        this.#options.onLog?.({ atMs: this.nowMs, node, level, event, fields }),
    };
    const identities = random.fork("identities");
    const peerIds = Array.from({ length: count }, () => toHex(identities.bytes(32)));
    return peerIds.map((peerId, index) => {
      const name = nameOf(index, this.#options);
      const own = random.fork(name);
      const offsetMs = Math.round((2 * own.float() - 1) * wallOffsetMaxMs);
      const startWallMs = this.#trueStartMs + offsetMs;
      const drift = (2 * own.fork("drift").float() - 1) * driftMaxPpm * 1e-6;
      const clock = this.clock.view({ startWallMs, drift });
      const config = configOf(index, this.#options, own);
      return new SimNode({ name, peerId, config, clock, random: own }, around);
    });
  }

  /** The wall time of a clock without an error when the world begins. */
  get #trueStartMs(): number {
    const { wallOffsetMaxMs = WALL_OFFSET_MAX_MS } = this.#options;
    return genesisOf(this.chain.consensus).header.timestampMs + wallOffsetMaxMs + 1_000;
  }

  #createByzantine(random: SeededRandom): Population {
    return new Population({
      scripts: this.#options.byzantine ?? [],
      addressOf,
      links: this.links,
      around: {
        book: this.#auditor.book,
        chain: this.chain,
        signatures: this.signatures,
        clock: this.clock.view({ startWallMs: this.#trueStartMs }),
        targets: this.nodes.map(({ name }) => ({ name, address: addressOf(name) })),
      },
      random,
      windowBytes: this.nodes[0]!.config.lanes.windowInitialBytes,
      honest: new Map(this.nodes.map(({ name, peerId }) => [peerId, name])),
      violated: (what) => this.report(what),
    });
  }

  async #run(untilMs: number, reached: () => boolean): Promise<boolean> {
    invariant(!this.#running, "one run of a world at a time");
    this.#running = true;
    try {
      for (;;) {
        await this.#settle();
        this.failWhenViolated();
        if (reached()) return true;
        if ((this.clock.nextAtMs ?? Infinity) > untilMs) break;
        this.clock.advanceToNext();
      }
      if (this.nowMs < untilMs) this.clock.advanceBy(untilMs - this.nowMs);
      return false;
    } finally {
      this.#running = false;
    }
  }

  /** Delivers what is ready, and what the promises that it settled make ready. */
  async #settle(): Promise<void> {
    do {
      this.#scheduler.runUntilIdle();
      await macrotask();
    } while (!this.#scheduler.idle);
  }
}
