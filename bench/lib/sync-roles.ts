// The processes of the sync bench: the holder of the chain, the node that syncs it, and the limit,
// which checks the same signatures and does nothing else.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { Piscina } from "piscina";
import { packBytes } from "../../src/bytes/packed.js";
import { concatBytes } from "../../src/bytes/compare.js";
import { readTransaction } from "../../src/chain/transaction.js";
import { genesisOf, networkParams, startNode } from "../../src/compose.js";
import { DEFAULTS } from "../../src/config.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import type { BlockStore, Packed } from "../../src/ports.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { threadPoolOptions } from "../../src/workers/pool.js";
import { serveParent } from "./child.js";
import { LoopMeter, type LoopDelay } from "./loop-meter.js";
import { Pinger, type PingLatency } from "./pinger.js";
import { consensus } from "./sync-chain.js";

interface Spent {
  readonly seconds: number;
  /** Processor time of this process. */
  readonly cpuSeconds: number;
  /** Processor time of everybody. */
  readonly machineSeconds: number;
}

export interface SyncFigures extends Spent {
  /** More than one when a request failed: the next session goes on where that one ended. */
  readonly sessions: number;
  readonly pings: PingLatency;
  readonly loop: LoopDelay;
  /** The most that was seen. */
  readonly rssMiB: number;
  readonly rssAnonMiB: number;
}

export interface LimitFigures extends Spent {
  readonly verified: number;
}

export type HolderMethods = {
  /** Answers where it listens, and counts processor time from now on. */
  listen(task: { chain: string }): Promise<{ address: string; height: number }>;
  finish(): { cpuSeconds: number };
};
export type SyncerMethods = {
  sync(task: { address: string; height: number; data: string }): Promise<SyncFigures>;
};
export type LimitMethods = {
  /** Verifies the chain's signatures, from the start again at its end, for so many seconds. */
  verify(task: { chain: string; seconds: number }): Promise<LimitFigures>;
};

const MEMORY_INTERVAL_MS = 100;

function holder(): void {
  let network: Network | undefined;
  let before: NodeJS.CpuUsage;
  const methods: HolderMethods = {
    async listen({ chain }) {
      network = await startNode({ dataDir: chain, bindAddr: "tcp://127.0.0.1:0" });
      before = process.cpuUsage();
      return { address: network.listenAddress!, height: network.head().height };
    },
    finish: () => ({ cpuSeconds: cpuSecondsSince(before) }),
  };
  serveParent(methods, () => network?.stop());
}

function syncer(): void {
  let network: Network | undefined;
  const methods: SyncerMethods = {
    async sync({ address, height, data }) {
      const started = await startNode({ dataDir: data });
      network = started;
      let sessions = 0;
      const finished = new Promise<void>((resolve) => {
        started.subscribe(["SyncFinished", "SyncFailed"], (event) => {
          sessions++;
          if (event.type === "SyncFinished" && event.height === height) resolve();
        });
      });
      const connected = new Promise<string>((resolve) => {
        started.subscribe(["PeerConnected"], ({ peerId }) => resolve(peerId));
      });
      started.connect(address);
      // The first request for headers goes out in this turn.
      const peerId = await connected;
      const spent = stopwatch();
      const loop = new LoopMeter();
      const memory = new MemoryMeter();
      const pinger = new Pinger(started, peerId);
      await finished;
      const figures = { ...spent(), sessions, loop: loop.stop() };
      return {
        ...figures,
        ...memory.stop(),
        pings: await pinger.stop(),
      };
    },
  };
  serveParent(methods, () => network?.stop());
}

class MemoryMeter {
  #rssMiB = 0;
  #rssAnonMiB = 0;
  readonly #timer = setInterval(() => this.#sample(), MEMORY_INTERVAL_MS);

  stop(): { rssMiB: number; rssAnonMiB: number } {
    clearInterval(this.#timer);
    this.#sample();
    return { rssMiB: this.#rssMiB, rssAnonMiB: this.#rssAnonMiB };
  }

  #sample(): void {
    this.#rssMiB = Math.max(this.#rssMiB, process.memoryUsage.rss() / 2 ** 20);
    if (process.platform !== "linux") return;
    // The mapped pages of LMDB are the kernel's to take back; anonymous ones are not.
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    this.#rssAnonMiB = Math.max(this.#rssAnonMiB, Number(kib?.[1] ?? 0) / 1_024);
  }
}

function stopwatch(): () => Spent {
  const startMs = performance.now();
  const before = process.cpuUsage();
  const machineBefore = machineSeconds();
  return () => ({
    seconds: (performance.now() - startMs) / 1_000,
    cpuSeconds: cpuSecondsSince(before),
    machineSeconds: machineSeconds() - machineBefore,
  });
}

function machineSeconds(): number {
  const busyMs = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return busyMs.reduce((sum, ms) => sum + ms, 0) / 1_000;
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const LIMIT_BATCH = 100;
/** Enough that no thread waits for the loop. */
const LIMIT_TASKS = 16;

function limit(): void {
  const methods: LimitMethods = {
    async verify({ chain, seconds }) {
      const { nice, threads, queueMax, heapMiB } = DEFAULTS.pool;
      const pool = new Piscina<Packed, number>(
        threadPoolOptions({
          moduleUrl: new URL("../tasks/verify-limit.js", import.meta.url),
          exportName: "verifyBatch",
          workerData: { nice },
          threads,
          queueMax,
          heapMiB,
        }),
      );
      const batches = await signatureBatches(chain);
      const verify = async (batch: Packed): Promise<void> => {
        const task = { buffer: batch.buffer.slice(0), ends: batch.ends };
        const valid = await pool.run(task, { transferList: [task.buffer] });
        invariant(valid === batch.ends.length, "every signature of the chain is valid");
      };
      // Both threads have loaded and compiled their code.
      await Promise.all(batches.slice(0, LIMIT_TASKS).map(verify));
      let next = 0;
      let verified = 0;
      const spent = stopwatch();
      const untilMs = performance.now() + seconds * 1_000;
      const work = async (): Promise<void> => {
        while (performance.now() < untilMs) {
          const batch = batches[next++ % batches.length]!;
          await verify(batch);
          verified += batch.ends.length;
        }
      };
      await Promise.all(Array.from({ length: LIMIT_TASKS }, work));
      const figures = { verified, ...spent() };
      await pool.destroy();
      return figures;
    },
  };
  serveParent(methods, () => undefined);
}

async function signatureBatches(directory: string): Promise<Packed[]> {
  const stores = await openLmdbStores({ directory, genesis: genesisOf(consensus) });
  const items = [...signaturesOf(stores.blocks)];
  await stores.close();
  const batches: Packed[] = [];
  for (let start = 0; start < items.length; start += LIMIT_BATCH) {
    batches.push(packBytes(items.slice(start, start + LIMIT_BATCH)));
  }
  return batches;
}

/** Of every transaction what its check needs, in the form that the limit's task takes. */
function* signaturesOf(store: BlockStore): Generator<Uint8Array> {
  const params = networkParams(DEFAULTS.network);
  for (let height = 1; height <= store.head().height; height++) {
    const parts = consensus.rules.splitBlock(store.block(store.hashAt(height)!)!);
    invariant(parts.ok, "a stored block splits");
    for (const bytes of parts.value.transactions) {
      const read = readTransaction(bytes, params);
      invariant(read.ok, "a stored transaction can be read");
      const { signature, sender, body } = read.value;
      yield concatBytes([signature, sender, body]);
    }
  }
}

const roles: Readonly<Record<string, () => void>> = { holder, syncer, limit };
roles[process.argv[2] ?? ""]?.();
