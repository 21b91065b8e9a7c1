// Consensus state as it will be once the blocks at hand are committed: writes on top of a store.
// Pure; lives for one commit.

import { toLatin1 } from "../../bytes/compare.js";
import type { StateView, StateWrite } from "../../ports.js";

export class StateOverlay implements StateView {
  readonly #base: StateView;
  readonly #writes = new Map<string, StateWrite>();

  constructor(base: StateView) {
    this.#base = base;
  }

  state(key: Uint8Array): Uint8Array | undefined {
    const written = this.#writes.get(toLatin1(key));
    return written === undefined ? this.#base.state(key) : written.value;
  }

  apply(writes: readonly StateWrite[]): void {
    for (const write of writes) this.#writes.set(toLatin1(write.key), write);
  }

  /** The last write of each key. */
  writes(): readonly StateWrite[] {
    return [...this.#writes.values()];
  }
}
