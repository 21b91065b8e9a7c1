// `chain verify`: checks every block of a data directory again, from genesis: in the worker pool
// all that can be said of the bytes, signatures too, and here the state, from an empty one.

import { existsSync } from "node:fs";
import path from "node:path";
import { printable } from "../bytes/printable.js";
import { StateOverlay } from "../actors/integration/state-overlay.js";
import { equalBytes } from "../bytes/compare.js";
import { packBytes } from "../bytes/packed.js";
import { createPowConsensus } from "../chain/consensus.js";
import type { CheckedBlock } from "../types/chain.js";
import { genesisOf, networkParams, openWorkers } from "../compose.js";
import { resolveConfig } from "../config.js";
import { CodedError } from "../errors.js";
import { silentLog } from "../log.js";
import type { BlockStore, BlocksVerdict, Consensus, TxStore, WorkerPool } from "../ports.js";
import { systemClock } from "../runtime/clock.js";
import { readLmdbStores } from "../storage/lmdb-environment.js";
import type { Stores } from "../storage/stores.js";
import { EXIT_FAULT, EXIT_OK } from "./exit.js";
import { openProgress, type Progress } from "./progress.js";

export interface VerifyFlags {
  readonly data: string;
  readonly network: string;
}

export interface StoreFault {
  readonly height: number;
  /** What is wrong, as the end of the sentence "Block 7 …". */
  readonly what: string;
}

/** Resolves with the exit code. */
export async function verify(flags: VerifyFlags): Promise<number> {
  const directory = path.resolve(flags.data);
  if (!existsSync(path.join(directory, "data.mdb"))) {
    const sentence = `The data directory ${directory} holds no chain.`;
    throw new CodedError("DATA_UNREADABLE", sentence);
  }
  const consensus = createPowConsensus(networkParams(flags.network));
  const genesis = genesisOf(consensus);
  const stores = await readLmdbStores({ directory, genesis });
  try {
    const workers = await openWorkers(resolveConfig(), consensus, silentLog);
    const head = stores.blocks.head();
    const progress = openProgress("verifying", head.height);
    try {
      await workers.started;
      const fault = await verifyChain(stores, consensus, workers, progress);
      progress.end();
      if (fault === undefined) {
        process.stdout.write(`${head.height} blocks are valid, head ${head.hash}\n`);
        return EXIT_OK;
      }
      process.stderr.write(`Block ${fault.height} ${printable(fault.what)}.\n`);
      return EXIT_FAULT;
    } finally {
      progress.end();
      await workers.close();
    }
  } finally {
    await stores.close();
  }
}

/** Blocks of one task, together about this large: 2 to 5 ms of signatures. */
const TASK_BYTES = 16 * 1024;
/** Tasks at once: enough that no pool thread waits. */
const TASKS_MAX = 16;

interface Task {
  readonly fromHeight: number;
  /** The hashes that the index names. */
  readonly hashes: readonly string[];
  readonly verdict: Promise<BlocksVerdict>;
}

/** The first fault in the order of height; undefined: all is well. */
async function verifyChain(
  { blocks: store, transactions }: Stores,
  consensus: Consensus,
  workers: WorkerPool,
  progress: Progress,
): Promise<StoreFault | undefined> {
  const state = new StateOverlay({ state: () => undefined });
  const undo = new UndoChecker(store);
  const index = new IndexChecker(store, transactions);
  const reader = new TaskReader(store, consensus, workers);
  const tasks: Task[] = [];
  let fault: StoreFault | undefined;
  for (;;) {
    while (fault === undefined && tasks.length < TASKS_MAX) {
      const task = reader.next();
      if (task === undefined) break;
      tasks.push(task);
    }
    const task = tasks.shift();
    if (task === undefined) break;
    const verdict = await task.verdict;
    fault ??= judge(task, verdict, { consensus, state, undo, index });
    progress.at(task.fromHeight + verdict.accepted.length - 1);
  }
  return fault ?? reader.fault ?? compareState(state, store);
}

/** Reads blocks by the canonical index and gives them to the pool, some at a time. */
class TaskReader {
  /** Where reading ended early, and why. */
  fault: StoreFault | undefined;
  readonly #store: BlockStore;
  readonly #consensus: Consensus;
  readonly #workers: WorkerPool;
  #height = 1;
  #parentHeader: Uint8Array | undefined;

  constructor(store: BlockStore, consensus: Consensus, workers: WorkerPool) {
    this.#store = store;
    this.#consensus = consensus;
    this.#workers = workers;
    const genesis = this.#read(0);
    if (genesis !== undefined && !equalBytes(genesis.bytes, consensus.genesis)) {
      this.fault = { height: 0, what: "is not the genesis of this network" };
    }
    this.#parentHeader = genesis?.header;
  }

  /** Undefined at the end of the chain or of what can be read of it. */
  next(): Task | undefined {
    const fromHeight = this.#height;
    const parentHeader = this.#parentHeader;
    const blocks: Uint8Array[] = [];
    const hashes: string[] = [];
    let bytes = 0;
    while (bytes < TASK_BYTES && this.#height <= this.#store.head().height) {
      const block = this.fault === undefined ? this.#read(this.#height) : undefined;
      if (block === undefined) break;
      blocks.push(block.bytes);
      hashes.push(block.hash);
      bytes += block.bytes.length;
      this.#parentHeader = block.header;
      this.#height++;
    }
    if (blocks.length === 0 || parentHeader === undefined) return undefined;
    const job = { blocks: packBytes(blocks), parentHeader, nowMs: systemClock.wallMs() };
    return { fromHeight, hashes, verdict: this.#workers.validateBlocks(job) };
  }

  #read(height: number): { hash: string; bytes: Uint8Array; header: Uint8Array } | undefined {
    const hash = this.#store.hashAt(height);
    const bytes = hash === undefined ? undefined : this.#store.block(hash);
    if (hash === undefined || bytes === undefined) {
      this.fault = { height, what: hash === undefined ? "is not indexed" : "is not stored" };
      return undefined;
    }
    const parts = this.#consensus.rules.splitBlock(bytes);
    if (!parts.ok) {
      this.fault = { height, what: `breaks the rule ${parts.fault.rule}: ${parts.fault.detail}` };
      return undefined;
    }
    const { header } = parts.value;
    const kept = this.#store.headerBytes(hash);
    if (kept === undefined || !equalBytes(kept, header)) {
      this.fault = { height, what: "is stored beside another header" };
      return undefined;
    }
    return { hash, bytes, header };
  }
}

interface Connecting {
  readonly consensus: Consensus;
  readonly state: StateOverlay;
  readonly undo: UndoChecker;
  readonly index: IndexChecker;
}

function judge(
  { fromHeight, hashes }: Task,
  verdict: BlocksVerdict,
  connecting: Connecting,
): StoreFault | undefined {
  for (const [place, block] of verdict.accepted.entries()) {
    const what = connectFault(block, hashes[place]!, connecting);
    if (what !== undefined) return { height: fromHeight + place, what };
  }
  if (verdict.fault === undefined) return undefined;
  const { rule, detail } = verdict.fault;
  const height = fromHeight + verdict.accepted.length;
  return { height, what: `breaks the rule ${rule}: ${detail}` };
}

function connectFault(
  block: CheckedBlock,
  indexed: string,
  { consensus, state, undo, index }: Connecting,
): string | undefined {
  if (block.header.hash !== indexed) return `is indexed as ${indexed} but is ${block.header.hash}`;
  const connected = consensus.connect(block, state);
  if (!connected.ok) return `breaks the rule ${connected.fault.rule}: ${connected.fault.detail}`;
  state.apply(connected.value.writes);
  return undo.fault(indexed, connected.value.undo) ?? index.fault(block);
}

/** Undo data are what a block's connecting answered, kept from some height on, without a gap. */
class UndoChecker {
  readonly #store: BlockStore;
  #kept = false;

  constructor(store: BlockStore) {
    this.#store = store;
  }

  fault(hash: string, due: Uint8Array): string | undefined {
    const stored = this.#store.undo(hash);
    if (stored !== undefined && !equalBytes(stored, due)) return "is stored with other undo data";
    const isDue = this.#kept || hash === this.#store.head().hash;
    if (stored === undefined && isDue) return "has lost its undo data";
    this.#kept = stored !== undefined;
    return undefined;
  }
}

const ID_BYTES = 32;

/** The transaction index, as far as it goes; one beside the chain is put right by the next start. */
class IndexChecker {
  readonly #transactions: TxStore;
  readonly #height: number;

  constructor(store: BlockStore, transactions: TxStore) {
    const height = transactions.indexedHeight();
    const follows = transactions.indexedHash?.() === store.hashAt(height);
    this.#transactions = transactions;
    this.#height = follows ? height : -1;
  }

  fault({ header, transactionIds }: CheckedBlock): string | undefined {
    if (header.height > this.#height) return undefined;
    for (let index = 0; index * ID_BYTES < transactionIds.length; index++) {
      const id = transactionIds.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
      const found = this.#transactions.locate(id);
      if (found?.blockHash === header.hash && found.index === index) continue;
      return `has transaction ${index}, which the transaction index does not lead to`;
    }
    return undefined;
  }
}

/** What the blocks make of the state must be what is stored. */
function compareState(state: StateOverlay, store: BlockStore): StoreFault | undefined {
  for (const { key, value } of state.writes()) {
    const stored = store.state(key);
    const same =
      value === undefined || stored === undefined ? value === stored : equalBytes(value, stored);
    if (!same) return { height: store.head().height, what: "left another state than is stored" };
  }
  return undefined;
}
