// One actor at a time on a virtual clock and a seeded scheduler, with memory stores and the pool's
// work done in line: what the tests of the actors are written with. Its neighbours are probes, which
// keep what they are told, and fake connections, whose other end speaks real bytes.

import { packBytes } from "../../src/bytes/packed.js";
import {
  defineActor,
  NO_DEADLINE,
  replyToOf,
  type ActorRef,
  type ActorType,
  type AskOutcome,
  type Context,
} from "../../src/runtime/actor.js";
import { createActorSystem, type FaultReport } from "../../src/runtime/actor-system.js";
import { seededRandom } from "../../src/runtime/random.js";
import type { Runnable, Scheduler } from "../../src/runtime/scheduler.js";
import { SeededScheduler } from "../../src/runtime/seeded-scheduler.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { createMempool } from "../../src/chain/mempool.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { genesisHeader } from "../../src/chain/networks.js";
import type { CheckedBlock } from "../../src/types/chain.js";
import { resolveConfig, type NetworkConfigInput } from "../../src/config.js";
import { genesisOf } from "../../src/compose.js";
import type { BlockStore, LogLevel } from "../../src/ports.js";
import type { NodeEnv } from "../../src/actors/env.js";
import { Throttle } from "../../src/actors/throttle/throttle.js";
import { MemoryLedger } from "../../src/actors/memory-ledger.js";
import type { EventBusMessage } from "../../src/actors/events/event-bus.js";
import type { NetworkEvent } from "../../src/actors/events/event-types.js";
import { StateOverlay } from "../../src/actors/integration/state-overlay.js";
import { chainView } from "../../src/storage/chain-view.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { createExecutor } from "../../src/workers/executor.js";
import { createInlineExecutor } from "../../src/workers/inline-executor.js";
import { signatures, testParams, type MadeBlock } from "../support/chain.js";

export const consensus = createPowConsensus(testParams);
export const genesis = genesisOf(consensus);
const parts = { rules: consensus.rules, verify: signatures.verify };
/** An hour after genesis, so that a few hundred blocks lie in the past. */
export const START_WALL_MS = genesisHeader(testParams).timestampMs + 3_600_000;

/** A peer id that sorts by its number. */
export function peerIdOf(number: number): string {
  return number.toString(16).padStart(64, "0");
}

/** Own id in the middle of those of `peerIdOf`. */
export const SELF = peerIdOf(0x8000);

/** A seeded scheduler that can keep an actor from running and let it take several messages a turn. */
export class TestScheduler implements Scheduler {
  readonly inner: SeededScheduler;
  messagesPerTurn = 1;
  readonly #held = new Map<string, Runnable | undefined>();

  constructor(seed: number | string) {
    this.inner = new SeededScheduler({ random: seededRandom(seed) });
  }

  schedule(cell: Runnable): void {
    if (this.#held.has(cell.path)) {
      this.#held.set(cell.path, cell);
      return;
    }
    this.inner.schedule({
      path: cell.path,
      drain: () => cell.drain(this.messagesPerTurn),
      endSlice: () => cell.endSlice(),
      charge: (elapsedMs, nowMs) => cell.charge(elapsedMs, nowMs),
    });
  }

  post(fn: () => void): void {
    this.inner.post(fn);
  }

  /** From now on the actor of this path, idle now, takes nothing. */
  hold(path: string): void {
    this.#held.set(path, undefined);
  }

  release(path: string): void {
    const cell = this.#held.get(path);
    this.#held.delete(path);
    if (cell !== undefined) this.schedule(cell);
  }
}

export interface LogLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface HarnessOptions {
  readonly seed?: number | string;
  readonly config?: NetworkConfigInput;
  /** Connected on genesis before anything starts. */
  readonly chain?: readonly MadeBlock[];
  /** Parts of the environment that differ. */
  readonly env?: Partial<NodeEnv>;
}

export type Harness = ReturnType<typeof createHarness>;

/** An actor system, its environment and the hands that move its time. */
export function createHarness(options: HarnessOptions = {}) {
  const { seed = "actors" } = options;
  const clock = new VirtualClock({ startWallMs: START_WALL_MS });
  const random = seededRandom(seed);
  const scheduler = new TestScheduler(`${seed}/scheduler`);
  const config = resolveConfig({ pool: { inline: true }, ...options.config });
  const stores = openMemoryStores({ genesis });
  if (options.chain !== undefined) connectAll(stores.blocks, checkedBlocks(options.chain));
  const log: LogLine[] = [];
  const loop = { delayMs: 0 };
  const memory = new MemoryLedger(config);
  const env: NodeEnv = {
    config,
    memory,
    throttle: new Throttle(config, clock),
    clock,
    random: random.fork("env"),
    log: { write: (level, event, fields = {}) => log.push({ level, event, fields }) },
    health: { loopDelayMs: () => loop.delayMs },
    shortIdKey: new Uint8Array(16),
    peerId: SELF,
    agent: "test/1",
    transports: new Map(),
    workers: createInlineExecutor(parts),
    store: stores.blocks,
    blocks: chainView(options.env?.store ?? stores.blocks),
    transactions: stores.transactions,
    peers: stores.peers,
    mempool: createMempool(config.mempool, (bytes) => readTransaction(bytes, testParams)),
    consensus,
    ...options.env,
  };
  const faults: FaultReport[] = [];
  const expectedFaults: string[] = [];
  const system = createActorSystem({
    env,
    clock,
    random: random.fork("jitter"),
    scheduler,
    name: "test",
    onFault: (report) => faults.push(report),
  });
  let probes = 0;

  /** Runs until nothing is left to do now. Throws a fault that no test asked for. */
  async function settle(): Promise<void> {
    do {
      scheduler.inner.runUntilIdle();
      await new Promise((resolve) => setImmediate(resolve));
    } while (!scheduler.inner.idle);
    system.invariants();
    memory.invariants();
    const fault = faults.find(({ path }) => !expectedFaults.includes(path));
    if (fault !== undefined) throw fault.error;
  }

  return {
    clock,
    scheduler,
    stores,
    env,
    config,
    log,
    loop,
    faults,
    system,
    settle,
    /** How a question of somebody outside of every actor ends. */
    async outcomeOf<Q, R>(
      to: ActorRef<Q>,
      question: (replyTo: ActorRef<R>) => Q,
    ): Promise<AskOutcome<R>> {
      let outcome: AskOutcome<R> | undefined;
      const asker = system.spawn(askerActor, null, { name: `asker-${++probes}` });
      asker.tell((context) =>
        context.ask<Q, R>(to, question, NO_DEADLINE, (settled) => () => void (outcome = settled)),
      );
      await settle();
      if (outcome === undefined) throw new Error(`${to.path} has not answered`);
      return outcome;
    },
    /** Faults of this actor are part of the test. */
    expectFault: (ref: { readonly path: string }) => void expectedFaults.push(ref.path),
    spawn: <A, M, S>(type: ActorType<A, M, S, NodeEnv>, args: A, name?: string): ActorRef<M> =>
      system.spawn(type, args, { name: name ?? type.name }),
    /** Moves time, firing what is due in order. */
    async advance(durationMs: number): Promise<void> {
      const untilMs = clock.monotonicMs() + durationMs;
      await settle();
      while ((clock.nextAtMs ?? Infinity) <= untilMs) {
        clock.advanceToNext();
        await settle();
      }
      clock.advanceBy(untilMs - clock.monotonicMs());
    },
    probe: <M>(onMessage?: (message: M) => void, dataMax?: number): Probe<M> => {
      const received: M[] = [];
      const args = {
        dataMax: dataMax ?? 100_000,
        onMessage: (message: unknown) => {
          received.push(message as M);
          onMessage?.(message as M);
        },
      };
      const ref = system.spawn(probeActor, args, { name: `probe-${++probes}` });
      return new Probe<M>(ref, received);
    },
  };
}

type Script = (context: Context<Script, unknown>) => void;

const askerActor = defineActor<null, Script, null, unknown>({
  name: "asker",
  mailbox: { dataMax: 1, controlMax: 1, overflow: "reject" },
  onFault: { kind: "stop" },
  init: () => null,
  receive: (_state, script, context) => script(context),
});

interface ProbeArgs {
  readonly dataMax: number;
  readonly onMessage: (message: unknown) => void;
}

const STOP = Symbol("stop");

const probeActor = defineActor<ProbeArgs, unknown, ProbeArgs, unknown>({
  name: "probe",
  mailbox: ({ dataMax }) => ({ dataMax, controlMax: 64, overflow: "reject", replyOf: replyIn }),
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ onMessage }, message, context) {
    if (message === STOP) context.stop();
    else onMessage(message);
  },
});

/** Of a question, or of one on its way to a subsystem. */
function replyIn(message: unknown): ActorRef<never> | undefined {
  const { message: inner } = message as { readonly message?: object };
  return replyToOf(message as object) ?? (inner && replyToOf(inner));
}

type TypeOf<M> = M extends { readonly type: infer T extends string } ? T : never;

/** An actor that keeps what it is told. */
export class Probe<M> {
  readonly ref: ActorRef<M>;
  readonly received: M[];

  constructor(ref: ActorRef<M>, received: M[]) {
    this.ref = ref;
    this.received = received;
  }

  /** What came since the last call. */
  take(): M[] {
    return this.received.splice(0);
  }

  of<T extends TypeOf<M>>(type: T): Extract<M, { readonly type: T }>[] {
    return this.received.filter(
      (message): message is Extract<M, { readonly type: T }> =>
        (message as { readonly type?: string }).type === type,
    );
  }

  get last(): M | undefined {
    return this.received.at(-1);
  }

  stop(): void {
    (this.ref as ActorRef<unknown>).tell(STOP);
  }
}

/** The events that a probe in the place of the bus was told to publish. */
export function published(bus: Probe<EventBusMessage>): NetworkEvent[] {
  return bus.of("Publish").map(({ event }) => event);
}

/** A target that is always full. */
export function refusing<M>(path = "/full"): ActorRef<M> {
  return { path, tell: () => false };
}

// ---- chain -----------------------------------------------------------------------------------

/** Blocks as the pool hands them back. Throws when one breaks a stateless rule. */
export function checkedBlocks(blocks: readonly MadeBlock[]): readonly CheckedBlock[] {
  if (blocks.length === 0) return [];
  const accepted: CheckedBlock[] = [];
  const parents = new Map([[genesis.header.hash, genesis.headerBytes]]);
  for (const block of blocks) parents.set(block.header.hash, block.headerBytes);
  for (const block of blocks) {
    const parentHeader = parents.get(block.header.previousHash);
    if (parentHeader === undefined) throw new Error("a test block has no parent");
    const verdict = createExecutor(parts).validateBlocks({
      blocks: packBytes([block.bytes]),
      parentHeader,
      nowMs: START_WALL_MS,
    });
    if (verdict.fault !== undefined) throw new Error(verdict.fault.detail);
    accepted.push(...verdict.accepted);
  }
  return accepted;
}

/** Extends the head of a store, with state and undo data. */
export function connectAll(store: BlockStore, blocks: readonly CheckedBlock[]): void {
  const overlay = new StateOverlay(store);
  const undo: { hash: string; bytes: Uint8Array }[] = [];
  for (const block of blocks) {
    const applied = consensus.connect(block, overlay);
    if (!applied.ok) throw new Error(applied.fault.detail);
    overlay.apply(applied.value.writes);
    undo.push({ hash: block.header.hash, bytes: applied.value.undo });
  }
  const hashes = blocks.map(({ header }) => header.hash);
  const canonical = { fromHeight: store.head().height + 1, hashes };
  void store.commit({ blocks, undo, canonical, state: overlay.writes() });
}
