// One node of a world: real actors on simulated adapters. It starts, crashes and starts again on
// what its stores kept. The world owns it; scripts use its `network` like any embedder.

import type { HashHex, HeaderSummary } from "../types/chain.js";
import { genesisOf, handleOf, spawnNode, type SpawnedNode } from "../compose.js";
import type { NetworkConfig } from "../config.js";
import { invariant, isCoded } from "../errors.js";
import type { NodeEnv } from "../actors/env.js";
import type { MemoryLedger } from "../actors/memory-ledger.js";
import type { Network } from "../network.js";
import type { ChainView, Clock, Mempool, PeerId, Transport, WorkerPool } from "../ports.js";
import type { ActorInsight } from "../runtime/actor.js";
import type { ActorSystem, FaultReport } from "../runtime/actor-system.js";
import { openMemoryStores, type MemoryStores } from "../storage/memory-stores.js";
import { macrotask } from "../runtime/scheduler.js";
import { BanAuditor } from "./ban-auditor.js";
import { LifeEvents, type OwnEvent } from "./life-events.js";
import { KeptAuditor } from "./kept-auditor.js";
import { nothingAtWork } from "./memory-auditor.js";
import { forgottenKept, forgottenOf } from "./mempool-checks.js";
import type { MempoolWatch } from "./refill-auditor.js";
import { drawFrom } from "./range.js";
import { ActorCrash, isActorCrash, typesOf } from "./actor-crash.js";
import { environmentOf, type SimNodeOptions, type Surroundings } from "./sim-environment.js";
import { SimLoop, type HoldOptions } from "./sim-loop.js";
import { stackOf } from "./violation.js";

export interface CrashOptions {
  /** The machine loses its power: peers see no reset, only silence, until it is back. */
  readonly silent?: boolean;
}

/** What systemd waits, for instance. */
const STARTED_AGAIN_MS = 100;

/** A node between its start and its end. */
interface Life {
  readonly network: Network;
  readonly system: ActorSystem<NodeEnv>;
  readonly memory: MemoryLedger;
  readonly blocks: ChainView;
  readonly transport: Transport;
  readonly workers: WorkerPool;
  readonly loop: SimLoop;
  readonly events: LifeEvents;
  readonly mempool: Mempool;
  /** Blocks that left its chain. */
  readonly abandoned: HashHex[];
  readonly watch: MempoolWatch;
  readonly followed: SpawnedNode["followed"];
}

export class SimNode {
  readonly name: string;
  readonly peerId: PeerId;
  readonly config: NetworkConfig;
  /** The node's own view of time. */
  readonly clock: Clock;
  readonly #options: SimNodeOptions;
  readonly #around: Surroundings;
  #stores: MemoryStores;
  #life: Life | undefined;
  #starts = 0;
  #leaving = false;
  #diskFailed = false;
  /** It ends itself, and who watches over its process starts it again. */
  #gaveUp = false;
  /** Commits take this many times as long as they should. */
  diskSlowdown = 1;
  readonly #actorCrash = new ActorCrash();
  /** Of the tasks that the pool is given, this part is lost with its thread. */
  tasksLost = 0;
  #wallJumpMs = 0;
  /** The latest time that its wall clock showed before it was set back. */
  #wallShownMs = 0;
  readonly #bans: BanAuditor;
  readonly #kept = new KeptAuditor();
  /** Heights of the blocks that a BlockConnected event said are durable, by hash. */
  readonly #acknowledged = new Map<HashHex, number>();

  constructor(options: SimNodeOptions, around: Surroundings) {
    this.name = options.name;
    this.peerId = options.peerId;
    this.config = options.config;
    const { clock } = options;
    this.clock = {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs() + this.#wallJumpMs,
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
    };
    this.#options = options;
    this.#around = around;
    this.#bans = new BanAuditor(this.clock, (what) => around.violated(`${this.name}: ${what}`));
    const random = options.random.fork("disk");
    this.#stores = openMemoryStores({
      genesis: genesisOf(around.chain.consensus),
      delay: {
        clock: around.clock,
        turn: around.turn,
        commitDelayMs: () => this.diskSlowdown * drawFrom(around.commitMs, random),
      },
    });
  }

  /** False also while it stops in order. */
  get up(): boolean {
    return this.#life !== undefined && !this.#leaving && !this.#gaveUp;
  }

  /** Up, and its disk takes writes. */
  get healthy(): boolean {
    return this.up && !this.#diskFailed;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** Nothing is wrong with its process, disk or clock. */
  get sound(): boolean {
    return this.healthy && !this.stoodStill && this.diskSlowdown === 1 && this.#wallJumpMs === 0;
  }

  /** What its actors of these types have and wait for. */
  insights(type: string): readonly ActorInsight[] {
    return this.#life?.system.insights(type) ?? [];
  }

  /** The handle that an embedder has. Throws while the node is down. */
  get network(): Network {
    return this.#alive.network;
  }

  head(): HeaderSummary {
    return this.#alive.blocks.head();
  }

  start(): void {
    const { name } = this;
    invariant(this.#life === undefined, `${name} is down when it starts`);
    this.#gaveUp = false;
    const around = this.#around;
    const random = this.#options.random.fork(`life ${++this.#starts}`);
    const loop = new SimLoop(this.clock, around.scheduler, (path) => this.#actorCrash.meet(path));
    const watch: MempoolWatch = { stale: new Set(), offered: new Set(), given: new Set() };
    const env = environmentOf({
      options: this.#options,
      around,
      random,
      loop,
      stores: this.#stores,
      bans: this.#bans,
      watch,
      kept: this.#kept,
      tasksLost: () => this.tasksLost,
      wallShownMs: () => this.#wallShownMs,
    });
    const spawned = spawnNode(env, {
      scheduler: loop.scheduler,
      run: this.#starts.toString(16).padStart(16, "0"),
      // A path has no room for the dots of an IP address.
      name: name.replaceAll(".", "-"),
      protocols: around.protocolsOf(name),
      onFault: ({ path, action, error }: FaultReport) => {
        if (isActorCrash(error)) return;
        around.violated(`${path} failed (${action}): ${stackOf(error)}`);
      },
      onStarted: (outcome) => {
        if (outcome.type === "Listening" || isCoded(outcome.error, "STORE_FAILED")) return;
        if (isCoded(outcome.error, "STOPPED") && isActorCrash(outcome.error.cause)) {
          // Crashed too often: it ends itself, as it should.
          this.#gaveUp = true;
          return;
        }
        around.violated(`${name} does not listen: ${stackOf(outcome.error)}`);
      },
    });
    const close = (): Promise<void> => this.#close(life);
    const { bindAddr: listenAddresses } = this.config;
    const network = handleOf(env, spawned, { listenAddresses, close, diskWaitMs: () => 0 });
    const { blocks, mempool, workers } = env;
    const transport = [...env.transports.values()][0]!;
    const { memory, system, followed } = spawned;
    const abandoned: HashHex[] = [];
    const events = new LifeEvents({
      network,
      mempool,
      book: around.auditor.book,
      clock: around.clock,
      head: blocks.head().hash,
      withTransactions: around.auditsTransactions,
      crashes: () => this.#actorCrash.total,
      report: (what) => around.violated(`${name}: ${what}`),
      onEvent: (event) => this.#heard(event, abandoned),
    });
    const watched = { events, mempool, abandoned, watch, followed };
    const life = { network, system, memory, blocks, transport, workers, loop, ...watched };
    this.#life = life;
  }

  /** Stops in order, as an operator does it. Resolves when it is down, unless it crashes first. */
  async leave(): Promise<void> {
    const { network } = this.#alive;
    this.#leaving = true;
    await network.stop();
  }

  /** Commits fail from now on. The node ends by itself as soon as it meets that. */
  failDisk(): void {
    this.#diskFailed = true;
    this.#stores.fail();
  }

  /**
   * The process stands still: a turn of its event loop that takes long, a SIGSTOP, or its whole
   * machine asleep. Answers what ends that; undefined when it is held already.
   */
  hold(options?: HoldOptions): (() => void) | undefined {
    const { loop } = this.#alive;
    if (loop.held) return undefined;
    loop.hold(options);
    return () => loop.release();
  }

  /** For a moment, of late. */
  get stoodStill(): boolean {
    return this.#life === undefined || this.#life.loop.held || this.#life.loop.loopDelayMs() > 0;
  }

  /** Sets the wall clock: so much later or earlier than it should be. */
  jumpClock(byMs: number): void {
    this.#wallShownMs = Math.max(this.#wallShownMs, this.clock.wallMs());
    this.#wallJumpMs = byMs;
  }

  /** The types of the actors that live in it. */
  get actorTypes(): readonly string[] {
    return this.#life === undefined ? [] : typesOf(this.#life.system.figures());
  }

  /** An actor of this type throws at the message after `skip` others. Answers what calls it off. */
  crashActor(type: string, skip: number): () => void {
    return this.#actorCrash.arm(type, skip);
  }

  /** How many of its actors crashed by plan, by type. */
  get actorCrashes(): ReadonlyMap<string, number> {
    return this.#actorCrash.counts;
  }

  /** An impatient operator: ends what cannot go on, gives it a sound disk, starts it. */
  revive(): void {
    if (this.#life !== undefined && !this.healthy) this.crash();
    if (this.#life === undefined) this.start();
  }

  /**
   * The process ends between two messages: its connections are reset, and of what it wrote and was
   * not durable yet the stores keep as much as chance says.
   */
  crash({ silent = false }: CrashOptions = {}): void {
    const { system, transport, workers, mempool, watch } = this.#alive;
    const { links } = this.#around;
    this.#kept.ended(mempool, watch.given);
    system.kill();
    this.#life = undefined;
    if (silent) links.powerOff(this.name);
    else links.cut(this.name);
    void transport.close();
    void workers.close();
    this.#reopen();
  }

  /** The stores as the next start finds them. */
  #reopen(): void {
    this.#leaving = false;
    this.#diskFailed = false;
    this.#stores = this.#stores.crash(this.#options.random.fork(`crash ${this.#starts}`));
    const { blocks, peers } = this.#stores;
    this.#bans.crashed(peers);
    const floor = blocks.head().height - this.config.chain.reorgDepthMax;
    for (const [hash, height] of this.#acknowledged) {
      if (height <= floor) this.#acknowledged.delete(hash);
      else if (!blocks.has(hash)) {
        this.#around.violated(`${this.name} lost block ${hash} at ${height}, which was durable`);
      }
    }
    this.checkStores();
  }

  /** Throws nothing: what is wrong is reported. */
  checkActors(): void {
    if (this.#life === undefined) return;
    const { system, memory, loop } = this.#life;
    this.#check("a state is wrong", () => system.invariants());
    this.#check("too much memory is held", () => memory.invariants());
    if (!loop.held) this.#bans.check();
  }

  /** Why this node is not at rest; undefined: nothing is under way, and no actor holds a place. */
  get unrest(): string | undefined {
    try {
      if (this.#life === undefined) return undefined;
      this.#life.system.atRest();
      nothingAtWork(this.#life.memory);
      return this.#life.events.fault;
    } catch (error) {
      return stackOf(error);
    }
  }

  /** Walks all stores: costs time in the length of the chain. */
  checkStores(): void {
    const { blocks, transactions } = this.#stores;
    this.#check("the block store is wrong", () => blocks.invariants());
    if (!this.config.txIndex) return;
    const wrong = this.#around.indexAuditor.audit({ blocks, transactions });
    if (wrong !== undefined) this.#around.violated(`${this.name}: the index is wrong: ${wrong}`);
  }

  /** What follows its chain and has not come to the head; undefined: nothing. */
  get lagging(): "index" | "mempool" | undefined {
    const { blocks, transactions } = this.#stores;
    const { hash } = blocks.head();
    if (this.config.txIndex && transactions.indexedHash?.() !== hash) return "index";
    return (this.#life?.followed.hash ?? hash) === hash ? undefined : "mempool";
  }

  /** What a user who asks for transactions is told: none counts of a block that was abandoned. */
  async checkIndex(): Promise<void> {
    if (!this.config.txIndex) return;
    const { network, blocks } = this.#alive;
    for (const id of this.#around.indexAuditor.abandoned(blocks)) {
      const found = await network.locateTransaction(id);
      // A block may have brought it meanwhile.
      if (found === undefined || !this.#around.indexAuditor.abandoned(blocks).includes(id))
        continue;
      this.#around.violated(`${this.name}: transaction ${id} counts, but its block was abandoned`);
      return;
    }
  }

  /** How many connections it lost in this life. */
  get peersGone(): number {
    return this.#alive.events.peersGone;
  }

  /** What its mempool forgot: of this life's abandoned blocks, or of what was kept for it. */
  checkMempool(): void {
    const { refill, violated } = this.#around;
    const lost =
      forgottenOf(this.#alive, this.config, refill) ?? forgottenKept(this.#kept, this.#alive);
    if (lost !== undefined) violated(`${this.name}: ${lost}`);
  }

  get #alive(): Life {
    invariant(this.#life !== undefined, `${this.name} is up`);
    return this.#life;
  }

  #heard(event: OwnEvent, abandoned: HashHex[]): void {
    if (event.type === "PeerBanned") this.#around.banned(this.name, event);
    if (event.type === "BlockConnected") this.#acknowledged.set(event.hash, event.height);
    else if (event.type === "BlockDisconnected") abandoned.push(event.hash);
    else this.#bans.see(event);
  }

  /** After `network.stop()`, or when it gave up: the node is down, its stores stay. */
  async #close(life: Life): Promise<void> {
    // It may have crashed while it stopped.
    if (this.#life !== life) return;
    const { transport, workers, mempool, watch } = life;
    this.#kept.ended(mempool, watch.given);
    this.#life = undefined;
    if (this.#diskFailed) this.#reopen();
    this.#leaving = false;
    if (this.#gaveUp) {
      this.#around.clock.setTimer(STARTED_AGAIN_MS, () => {
        if (this.#gaveUp) this.start();
      });
    }
    await transport.close();
    await workers.close();
    await macrotask();
    this.#check("memory is held after its end", () => life.memory.nothingLeased());
  }

  #check(what: string, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#around.violated(`${this.name}: ${what}: ${stackOf(error)}`);
    }
  }
}
