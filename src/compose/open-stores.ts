// The stores of a node: in its data directory or in memory, with a caller's own in place of some.

import type { NodeEnv } from "../actors/env.js";
import type { NetworkConfig } from "../config.js";
import type { CodedError } from "../errors.js";
import type { Log, StoredBlock, TxStore } from "../ports.js";
import { systemClock } from "../runtime/clock.js";
import { chainView } from "../storage/chain-view.js";
import type { Disk, DiskWatch } from "../storage/disk-watch.js";
import type { Closers, OwnPorts } from "./own-ports.js";

export type NodeStores = Pick<
  NodeEnv,
  "blocks" | "store" | "transactions" | "peers" | "mempoolStore"
> & {
  readonly started: Promise<void>;
  /** Resolves to why, once nothing can be written any more, or the store proves to be damaged. */
  readonly storesFailed: Promise<CodedError>;
  readonly diskWaitMs: () => number;
};

export async function openStores(
  config: NetworkConfig,
  own: OwnPorts,
  genesis: StoredBlock,
  closers: Closers,
  log: Log,
): Promise<NodeStores> {
  let stores;
  let diskWaitMs = (): number => 0;
  if (config.dataDir === null) {
    const { openMemoryStores } = await import("../storage/memory-stores.js");
    stores = openMemoryStores({ genesis });
    closers.push(stores.close);
  } else {
    const { openLmdbStores } = await import("../storage/lmdb-environment.js");
    stores = await openLmdbStores({ directory: config.dataDir, genesis, clock: systemClock });
    const { disk, close } = stores;
    closers.push(close);
    const watch = await openDiskWatch(disk, config.dataDir, log);
    closers.push(() => watch.stop());
    diskWaitMs = () => watch.waitMs();
  }
  const joined = (): TxStore =>
    own.blockStore === undefined ? stores.joinIndex() : stores.transactions;
  const transactions = own.txStore ?? (config.txIndex ? joined() : undefined);
  const store = own.blockStore ?? stores.blocks;
  // In memory it would outlive nothing.
  const mempoolStore = own.mempoolStore ?? (config.dataDir === null ? undefined : stores.mempool);
  return {
    store,
    blocks: chainView(store),
    ...(transactions === undefined ? {} : { transactions }),
    peers: own.peerStore ?? stores.peers,
    ...(mempoolStore === undefined ? {} : { mempoolStore }),
    started: stores.started,
    storesFailed: stores.failed,
    diskWaitMs,
  };
}

async function openDiskWatch(disk: Disk, directory: string, log: Log): Promise<DiskWatch> {
  const { watchDisk } = await import("../storage/disk-watch.js");
  return watchDisk(disk, {
    clock: systemClock,
    onSlow: (waitMs) =>
      log.write("error", "the disk does not answer", { directory, waitMs: Math.round(waitMs) }),
    onAnswer: () => log.write("warn", "the disk answers again", { directory }),
  });
}
