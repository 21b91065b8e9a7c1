// Ports that a network's thread makes by itself, and ways for it to come to grief.

import { writeFile } from "node:fs/promises";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { defaultMempool, genesisOf } from "../../src/compose.js";
import { resolveConfig } from "../../src/config.js";
import { CodedError } from "../../src/errors.js";
import type {
  BlockStore,
  Consensus,
  Mempool,
  PeerStore,
  ServiceProtocol,
} from "../../src/ports.js";
import type { PortModule } from "../../src/thread.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { testParams } from "../support/chain.js";

/** How the owner names an export of this module. */
export function portModule(exportName: string, options?: unknown): PortModule {
  return { moduleUrl: import.meta.url, exportName, options };
}

export function createTestConsensus(): Consensus {
  return createPowConsensus(testParams);
}

/** A protocol that answers what it is asked. */
export function createEcho(): readonly ServiceProtocol[] {
  const limits = { bytesMax: 100, perSecond: 50 };
  const kinds = { Say: limits, Ask: { ...limits, answerBytesMax: 100 } };
  return [{ name: "chat/1", kinds, onMessage: ({ body }) => body }];
}

/** What `add` of the trap mempool does to its thread. */
export type Trap = "exit" | "throw" | "hang";

export interface TrapOptions {
  readonly trap: Trap;
  /** The BroadcastChannel on which it says so first. */
  readonly channel: string;
}

export function createTrapMempool({ trap, channel }: TrapOptions): Mempool {
  const mempool = defaultMempool(resolveConfig());
  mempool.add = () => {
    new BroadcastChannel(channel).postMessage(trap);
    if (trap === "exit") process.exit(7);
    if (trap === "hang") for (;;);
    // Outside of the actor, whose fault it would be otherwise.
    queueMicrotask(() => {
      throw new Error("the mempool came to grief");
    });
    return { ok: true };
  };
  return mempool;
}

/** Whoever asks the trap store for this block cannot have any actor start again. */
export const TRAP_BLOCK = "ab".repeat(32);

export function createTrapBlockStore(): BlockStore {
  const { blocks } = openMemoryStores({ genesis: genesisOf(createTestConsensus()) });
  const [head, summary] = [blocks.head.bind(blocks), blocks.summary.bind(blocks)];
  let sprung = false;
  blocks.summary = (hash) => {
    sprung ||= hash === TRAP_BLOCK;
    return summary(hash);
  };
  blocks.head = () => {
    if (sprung) throw new Error("planned");
    return head();
  };
  return blocks;
}

/** Writes a file when it is closed. */
export function createClosingPeerStore(file: string): PeerStore {
  const { peers } = openMemoryStores({ genesis: genesisOf(createTestConsensus()) });
  return {
    records: () => peers.records(),
    put: (record) => peers.put(record),
    delete: (peerId) => peers.delete(peerId),
    close: () => writeFile(file, "closed"),
  };
}

/** Never answers, and lets nobody else of its thread speak. */
export function createNothing(): never {
  for (;;);
}

export function createDeath(): never {
  process.exit(7);
}

export async function createLockedStore(): Promise<BlockStore> {
  throw new CodedError("DATA_LOCKED", "it is another's");
}

export async function createNoStore(): Promise<BlockStore> {
  throw new Error("there is no disk");
}

export const notAFunction = 1;
