// Puts a generated chain into stores as if it had been synced: the same rules, the same state, the
// same commits. Used by `chain generate`, benches and tests.

import type { GeneratedBlock } from "../chain/generate.js";
import { invariant } from "../errors.js";
import type { BlockStore, ChainCommit, Consensus } from "../ports.js";
import { StateOverlay } from "../actors/integration/state-overlay.js";

/** Blocks committed together. */
const COMMIT_BLOCKS = 64;

/** Connects blocks that follow the store's head; resolves when all of them are durable. */
export async function storeChain(
  blocks: Iterable<GeneratedBlock>,
  store: BlockStore,
  consensus: Consensus,
): Promise<void> {
  let batch: GeneratedBlock[] = [];
  for (const block of blocks) {
    batch.push(block);
    if (batch.length < COMMIT_BLOCKS) continue;
    await store.commit(commitOf(batch, store, consensus));
    batch = [];
  }
  if (batch.length > 0) await store.commit(commitOf(batch, store, consensus));
}

function commitOf(
  batch: readonly GeneratedBlock[],
  store: BlockStore,
  consensus: Consensus,
): ChainCommit {
  const overlay = new StateOverlay(store);
  const undo = batch.map(({ header, bytes }) => {
    const effects = effectsOf(bytes, consensus);
    const connected = consensus.connect({ header, effects }, overlay);
    invariant(connected.ok, `block ${header.height} does not connect`);
    overlay.apply(connected.value.writes);
    return { hash: header.hash, bytes: connected.value.undo };
  });
  return {
    blocks: batch,
    undo,
    canonical: {
      fromHeight: batch[0]!.header.height,
      hashes: batch.map(({ header }) => header.hash),
    },
    state: overlay.writes(),
  };
}

function effectsOf(block: Uint8Array, { rules }: Consensus): Uint8Array {
  const parts = rules.splitBlock(block);
  invariant(parts.ok, "a generated block splits");
  const transactions = parts.value.transactions.map((bytes) => {
    const read = rules.readTransaction(bytes);
    invariant(read.ok, "a generated transaction can be read");
    return read.value;
  });
  const effects = rules.checkBody(parts.value.header, transactions);
  invariant(effects.ok, "a generated block is valid");
  return effects.value;
}
