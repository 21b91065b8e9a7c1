// Numbers by which an actor knows its own questions again.

import type { Random } from "../ports.js";

/**
 * Where an incarnation starts to count. Anywhere, so that an answer to a question of an earlier
 * incarnation meets no question of this one.
 */
export function firstTag(random: Random): number {
  return random.uint32() * 2 ** 20 + 1;
}
