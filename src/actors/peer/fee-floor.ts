// What a floor of prices means for what a peer is told. Pure.

import type { HashHex } from "../../types/chain.js";

/** What transactions pay, in the order of their ids; undefined: nobody knows. */
export type Prices = readonly (bigint | undefined)[];

/**
 * Of these ids, with what each pays, those that a peer with this floor takes:
 * the others it would refuse, whether they are announced, asked for or pushed. A peer gains nothing by a
 * floor that is not its own: with a higher one it hears less itself, with a lower one it refuses more.
 */
export function atFloor(
  floor: bigint,
  ids: readonly HashHex[],
  prices: Prices | undefined,
): readonly HashHex[] {
  if (floor === 0n || prices === undefined) return ids;
  return ids.filter((_, index) => (prices[index] ?? floor) >= floor);
}

const STEP_BITS = 3;

/**
 * What is told of a floor: its first three binary digits, so that it is told anew when it has changed by
 * about an eighth, and says little of what waits here. Never more than the floor itself.
 */
export function toldFloor(floor: bigint): bigint {
  const digits = floor.toString(2).length;
  const rest = BigInt(Math.max(0, digits - STEP_BITS));
  return (floor >> rest) << rest;
}
