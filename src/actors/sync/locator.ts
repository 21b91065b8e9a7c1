// The hashes by which a peer finds the last block that its chain and ours have in common. Pure.

import type { HashHex } from "../../types/chain.js";

/**
 * Block hashes from the head back to genesis, dense at first, then at doubling distances: the other
 * side finds the last one in common in one round (Bitcoin's block locator). The block at `depthMax`
 * is always named: who does not have it forks too deep, and who has it need not begin below it.
 */
export function locatorOf(
  headHeight: number,
  hashAt: (height: number) => HashHex | undefined,
  { hashesMax, depthMax }: { readonly hashesMax: number; readonly depthMax: number },
): HashHex[] {
  const locator: HashHex[] = [];
  const limit = headHeight - depthMax;
  let step = 1;
  let height = headHeight;
  while (height > 0 && locator.length < hashesMax - 1) {
    const hash = hashAt(height);
    if (hash !== undefined) locator.push(hash);
    if (locator.length >= 8) step *= 2;
    const next = height - step;
    height = next < limit && limit < height ? limit : next;
  }
  const genesis = hashAt(0);
  if (genesis !== undefined) locator.push(genesis);
  return locator;
}
