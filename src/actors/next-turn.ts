// Work that is too long for one turn goes on in the next: the event loop is let in between.

import type { Context } from "../runtime/actor.js";

const DONE = Promise.resolve();

/**
 * Tells `message` to this actor after its present slice. A plain message to itself could be taken
 * in the same slice, as the 64th of a batch whose first ones were short.
 */
export function nextTurn<M>(context: Context<M, unknown>, message: M): void {
  context.pipe(DONE, () => message);
}
