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
import type { BlockStore, Packed, PeerId } from "../../src/ports.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { threadPoolOptions } from "../../src/workers/pool.js";
import { serveParent, serveRole } from "./child.js";
import { ProcessMeter, stopwatch, type ProcessFigures, type Spent } from "./meter.js";
import { Pinger, type PingLatency } from "../../src/drill/measure/pinger.js";
import { consensus } from "./sync-chain.js";

export interface SyncFigures extends ProcessFigures {
  /** Checked, and connected where there is a chain, in the measured time. */
  readonly transactions: number;
  /** That ended, each for a failure: the chain goes on behind what is measured. */
  readonly sessions?: number;
  readonly pings: PingLatency;
}

export interface LimitFigures extends Spent {
  readonly verified: number;
}

export type HolderMethods = {
  listen(task: { chain: string }): Promise<{ address: string }>;
  /** Measures itself until `finish`. */
  measure(): void;
  finish(): ProcessFigures;
};
export type SyncerMethods = {
  /** Answers when the chain has this height; the sync goes on. */
  warmUp(task: { address: string; height: number; data: string }): Promise<void>;
  /** Measures from now on until the chain has this height. */
  sync(task: { height: number }): Promise<SyncFigures>;
};
/** js-libp2p's, which read the chain from a file and store nothing. */
export type PeerHolderMethods = Pick<HolderMethods, "measure" | "finish"> & {
  listen(task: { file: string }): Promise<{ address: string }>;
};
export type PeerSyncerMethods = Pick<SyncerMethods, "sync"> & {
  warmUp(task: { address: string; height: number }): Promise<void>;
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
      return { address: network.listenAddress! };
    },
    measure() {
      meter = new ProcessMeter();
    },
    finish: () => meter.stop(),
  };
  serveParent(methods, () => network?.stop());
}

function syncer(): void {
  let network: Network;
  let peerId: PeerId;
  let sessions = 0;
  const seen = { height: 0, blocks: 0, transactions: 0 };
  let onBlock: (() => void) | undefined;
  const reached = (height: number): Promise<void> =>
    new Promise((resolve) => {
      invariant(seen.height < height, `the chain was at ${seen.height} before it was measured`);
      onBlock = () => {
        if (seen.height >= height) resolve();
      };
    });
  const methods: SyncerMethods = {
    async warmUp({ address, height, data }) {
      network = await startNode({ dataDir: data });
      network.subscribe(["PeerConnected"], (peer) => (peerId = peer.peerId));
      network.subscribe(["SyncFinished", "SyncFailed"], () => sessions++);
      network.subscribe(["BlockConnected"], (block) => {
        seen.height = block.height;
        seen.blocks++;
        seen.transactions += block.transactionCount;
        onBlock?.();
      });
      const warm = reached(height);
      void network.connect(address);
      await warm;
    },
    async sync({ height }) {
      const before = { ...seen };
      const meter = new ProcessMeter();
      const pinger = new Pinger(network, peerId);
      await reached(height);
      const transactions = seen.transactions - before.transactions;
      const figures = { ...meter.stop(), transactions, sessions };
      invariant(seen.blocks === seen.height, "no block was missed");
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
