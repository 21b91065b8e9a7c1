// Ranges that chance draws from.

import type { Random } from "../ports.js";

/** Lower and upper end, uniformly drawn from. */
export type Range = readonly [number, number];

export function drawFrom([low, high]: Range, random: Random): number {
  return low + (high - low) * random.float();
}
