// All scripts by name, and the choice of them for a world in which some nodes are byzantine.

import type { Random } from "../../ports.js";
import { compactLies } from "./compact-lies.js";
import { eclipse } from "./eclipse.js";
import { edgeOfTime } from "./edge-of-time.js";
import { equivocation } from "./equivocation.js";
import { fakeHeights } from "./fake-heights.js";
import { invalidBlocks } from "./invalid-blocks.js";
import { rotation } from "./rotation.js";
import type { ByzantineScript } from "./script.js";
import { mute, slowLoris } from "./slow-loris.js";
import { spam } from "./spam.js";
import { withholding } from "./withholding.js";

export const BYZANTINE_SCRIPTS: readonly ByzantineScript[] = [
  invalidBlocks,
  compactLies,
  withholding,
  equivocation,
  edgeOfTime,
  spam,
  fakeHeights,
  rotation,
  eclipse,
  slowLoris,
  mute,
];

/** Scripts for `count` nodes, by turns from a random one on. */
export function drawScripts(count: number, random: Random): readonly ByzantineScript[] {
  const first = random.uint32() % BYZANTINE_SCRIPTS.length;
  return Array.from(
    { length: count },
    (_, index) => BYZANTINE_SCRIPTS[(first + index) % BYZANTINE_SCRIPTS.length]!,
  );
}
