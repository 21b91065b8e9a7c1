// Reads blocks off the event loop, where the store can. Pure over the store.

import type { HashHex } from "../../types/chain.js";
import type { ChainView } from "../../ports.js";

/** As the store's `readBlocks`; a store without it is read here and now. Never throws. */
export function readBlocks(
  store: ChainView,
  hashes: readonly HashHex[],
  bytesMax: number,
): Promise<readonly Uint8Array[]> {
  return new Promise((resolve) => {
    resolve(store.readBlocks?.(hashes, bytesMax) ?? readHere(store, hashes, bytesMax));
  });
}

export async function readBlock(store: ChainView, hash: HashHex): Promise<Uint8Array | undefined> {
  const [block] = await readBlocks(store, [hash], 1);
  return block;
}

function readHere(
  store: ChainView,
  hashes: readonly HashHex[],
  bytesMax: number,
): readonly Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  for (const hash of hashes) {
    const block = bytes < bytesMax ? store.block(hash) : undefined;
    if (block === undefined) break;
    bytes += block.length;
    if (blocks.length > 0 && bytes > bytesMax) break;
    blocks.push(block);
  }
  return blocks;
}
