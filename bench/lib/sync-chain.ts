// The chain that the sync bench syncs: generated once, kept under .build by its parameters.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain } from "../../src/chain/generate.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { genesisOf, networkParams } from "../../src/compose.js";
import { DEFAULTS } from "../../src/config.js";
import { isCoded } from "../../src/errors.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";

export interface ChainSize {
  readonly blocks: number;
  readonly transactionsPerBlock: number;
  /** Of each transaction; default none. */
  readonly dataBytes?: number;
  /** Chains of different seeds share genesis alone. */
  readonly seed?: string;
}

const ACCOUNTS = 1_000;
const BENCH_DIRECTORY = join(process.cwd(), ".build", "bench");

const params = networkParams(DEFAULTS.network);
export const consensus = createPowConsensus(params);

/** The data directory of a node that holds the chain. Takes some 15 s for 2,000 x 100. */
export async function chainDirectory(size: ChainSize): Promise<string> {
  const { blocks, transactionsPerBlock, dataBytes = 0, seed = "bench" } = size;
  const { hash } = genesisOf(consensus).header;
  const variant = `${seed === "bench" ? "" : `-${seed}`}${dataBytes === 0 ? "" : `-${dataBytes}`}`;
  const name = `chain-${hash.slice(0, 8)}-${blocks}x${transactionsPerBlock}${variant}`;
  const directory = join(BENCH_DIRECTORY, name);
  if (await opens(directory)) return directory;
  await removeDirectory(directory);
  const unfinished = await makeDirectory();
  const stores = await openLmdbStores({ directory: unfinished, genesis: genesisOf(consensus) });
  const scheme = await loadSignatures();
  const options = { params, ...size, accounts: ACCOUNTS, seed };
  await storeChain(generateChain(options, scheme), stores.blocks, consensus);
  await stores.close();
  // Whole or not there at all, also when two benches make it at once.
  await rename(unfinished, directory).catch(() => removeDirectory(unfinished));
  return directory;
}

/** The same blocks from height 1 on in one file, each behind its length, for who has no LMDB. */
export async function chainFile(directory: string): Promise<string> {
  const file = `${directory}.blocks`;
  if (existsSync(file)) return file;
  const stores = await openLmdbStores({ directory, genesis: genesisOf(consensus) });
  const parts: Uint8Array[] = [];
  for (let height = 1; height <= stores.blocks.head().height; height++) {
    const block = stores.blocks.block(stores.blocks.hashAt(height)!)!;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, block.length);
    parts.push(length, block);
  }
  await stores.close();
  await writeFile(`${file}.part`, parts);
  await rename(`${file}.part`, file);
  return file;
}

/** False for none, and for one that an older version of the store wrote. */
async function opens(directory: string): Promise<boolean> {
  if (!existsSync(directory)) return false;
  try {
    const stores = await openLmdbStores({ directory, genesis: genesisOf(consensus) });
    await stores.close();
    return true;
  } catch (error) {
    if (isCoded(error) && error.code === "DATA_UNREADABLE") return false;
    throw error;
  }
}

/** On the same disk as the chain: a memory file system would make storing free. */
export async function makeDirectory(): Promise<string> {
  await mkdir(BENCH_DIRECTORY, { recursive: true });
  return mkdtemp(join(BENCH_DIRECTORY, "temporary-"));
}

export function removeDirectory(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true });
}
