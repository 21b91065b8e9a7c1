// `chain generate`: fills a new data directory with a chain that `run --data` serves. The blocks go
// through the same rules and commits as if they had been synced.

import path from "node:path";
import { createPowConsensus } from "../chain/consensus.js";
import { generateChain, type GeneratedBlock } from "../chain/generate.js";
import { loadSignatures } from "../chain/signatures.js";
import { genesisOf, networkParams } from "../compose.js";
import { CodedError } from "../errors.js";
import { systemClock } from "../runtime/clock.js";
import { openLmdbStores } from "../storage/lmdb-environment.js";
import { storeChain } from "../compose/chain-store.js";
import { openProgress, type Progress } from "./progress.js";

export interface GenerateFlags {
  readonly blocks: number;
  readonly txs: number;
  readonly data: string;
  readonly seed: string;
  readonly accounts: number;
  readonly network: string;
}

/** Rejects with CONFIG_INVALID when the directory already holds blocks beyond genesis. */
export async function generate(flags: GenerateFlags): Promise<void> {
  const params = networkParams(flags.network);
  const consensus = createPowConsensus(params);
  const directory = path.resolve(flags.data);
  const genesis = genesisOf(consensus);
  const stores = await openLmdbStores({ directory, genesis, clock: systemClock });
  try {
    const { height } = stores.blocks.head();
    if (height > 0) {
      const sentence = `The data directory ${directory} already holds ${height} blocks.`;
      throw new CodedError("CONFIG_INVALID", sentence);
    }
    const { blocks, txs: transactionsPerBlock, accounts, seed } = flags;
    const options = { params, blocks, transactionsPerBlock, accounts, seed };
    const chain = generateChain(options, await loadSignatures());
    const progress = openProgress("generating", blocks);
    try {
      await storeChain(counted(chain, progress), stores.blocks, consensus);
    } finally {
      progress.end();
    }
    const head = stores.blocks.head();
    process.stdout.write(`${head.height} blocks in ${directory}, head ${head.hash}\n`);
  } finally {
    await stores.close();
  }
}

function* counted(
  chain: Iterable<GeneratedBlock>,
  progress: Progress,
): Generator<GeneratedBlock, void, void> {
  for (const block of chain) {
    yield block;
    progress.at(block.header.height);
  }
}
