// What one incarnation of an actor has a share of, to be released when it ends. Owned by its cell.

import type { Releasable } from "./actor.js";

export class Shares {
  /** Made for the first one: most actors have none. */
  private held: Releasable[] | undefined;

  add(held: Releasable): void {
    // Made to measure: an array that is filled one by one, or by a spread, takes room for 17.
    this.held = this.held === undefined ? [held] : this.held.concat([held]);
  }

  release(): void {
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) for (const one of held) one.release();
  }
}
