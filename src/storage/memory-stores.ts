// The three stores in memory: for nodes without a data directory, tests and the simulator, which
// gives them a clock and crashes them.

import type { Random, StoredBlock } from "../ports.js";
import { putGenesis } from "./block-store.js";
import { emptyTables, MemoryKeyValue, type CommitDelay } from "./memory-key-value.js";
import { storesOn, type Stores } from "./stores.js";

export interface MemoryStoresOptions {
  readonly genesis: StoredBlock;
  /** Absent: every commit is durable at once. */
  readonly delay?: CommitDelay;
}

export interface MemoryStores extends Stores {
  /**
   * The stores as a machine that loses its power now finds them afterwards: what was durable, and
   * of the later commits a prefix that `random` chooses. These stores are dead from then on.
   */
  readonly crash: (random: Random) => MemoryStores;
  /** Fails like a full disk: pending and later commits reject with STORE_FAILED. */
  readonly fail: () => void;
}

export function openMemoryStores({ genesis, delay }: MemoryStoresOptions): MemoryStores {
  const tables = emptyTables();
  putGenesis(new MemoryKeyValue(undefined, tables), genesis);
  return memoryStoresOn(new MemoryKeyValue(delay, tables));
}

function memoryStoresOn(engine: MemoryKeyValue): MemoryStores {
  return {
    ...storesOn(engine),
    crash: (random) => memoryStoresOn(engine.crash(random)),
    fail: () => engine.fail(),
  };
}
