// The processes of the sync bench: the holder of the chain, the node that syncs it, and the limit,
// which checks the same signatures and does nothing else.

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
import { serveParent, serveRole } from "./child.js";
import { ProcessMeter, stopwatch, type ProcessFigures, type Spent } from "./meter.js";
import { Pinger, type PingLatency } from "./pinger.js";
import { consensus } from "./sync-chain.js";

export interface SyncFigures extends ProcessFigures {
  /** More than one when a request failed: the next session goes on where that one ended. */
  readonly sessions?: number;
  readonly pings: PingLatency;
}

export interface LimitFigures extends Spent {
  readonly verified: number;
}

export type HolderMethods = {
  /** Answers where it listens, and is measured from now on. */
  listen(task: { chain: string }): Promise<{ address: string; height: number }>;
  finish(): ProcessFigures;
};
export type SyncerMethods = {
  sync(task: { address: string; height: number; data: string }): Promise<SyncFigures>;
};
/** js-libp2p's, which read the chain from a file and store nothing. */
export type PeerHolderMethods = {
  listen(task: { file: string }): Promise<{ address: string; height: number }>;
  finish(): ProcessFigures;
};
export type PeerSyncerMethods = {
  sync(task: {
    address: string;
    height: number;
  }): Promise<SyncFigures & { readonly transactions: number }>;
};
export type LimitMethods = {
  /** Verifies the chain's signatures, from the start again at its end, for so many seconds. */
  verify(task: { chain: string; seconds: number }): Promise<LimitFigures>;
};

function holder(): void {
  let network: Network | undefined;
  let meter: ProcessMeter;
  const methods: HolderMethods = {
    async listen({ chain }) {
      network = await startNode({ dataDir: chain, bindAddr: "tcp://127.0.0.1:0" });
      meter = new ProcessMeter();
      return { address: network.listenAddress!, height: network.head().height };
    },
    finish: () => meter.stop(),
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
      const meter = new ProcessMeter();
      const pinger = new Pinger(started, peerId);
      await finished;
      const figures = { ...meter.stop(), sessions };
      return { ...figures, pings: await pinger.stop() };
    },
  };
  serveParent(methods, () => network?.stop());
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
serveRole(roles);
