// Which blocks beside our head are worth their bytes. Pure.

import type { HeaderSummary } from "../../types/chain.js";
import type { Consensus } from "../../ports.js";

/**
 * Whether the next block on this one may become the head. What cannot is not worth its bytes: once
 * its branch is the heavier one, sync fetches it.
 */
export function mayWin(
  block: Pick<HeaderSummary, "hash" | "height" | "totalDifficulty">,
  head: HeaderSummary,
  consensus: Pick<Consensus, "prefers">,
): boolean {
  const next = {
    ...head,
    height: block.height + 1,
    previousHash: block.hash,
    totalDifficulty: block.totalDifficulty + head.difficulty,
  };
  return consensus.prefers(next, head);
}
