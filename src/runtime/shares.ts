// What one incarnation of an actor has a share of, to be released when it ends. Owned by its cell.

import type { Releasable } from "./actor.js";

export class Shares {
  /** Made for the first one: most actors have none. */
  private held: Releasable[] | undefined;

  add(held: Releasable): void {
    (this.held ??= []).push(held);
  }

  release(): void {
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) for (const one of held) one.release();
  }
}
