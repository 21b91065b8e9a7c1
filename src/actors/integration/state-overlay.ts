// Consensus state as it will be once the blocks at hand are committed: writes on top of a store.
// Pure; lives for one commit.

import { fromLatin1, toLatin1 } from "../../bytes/compare.js";
import type { StateView, StateWrite } from "../../ports.js";

/** What an entry costs beside its key and value, roughly, here and in the commit that it goes to. */
const ENTRY_BYTES = 320;

export class StateOverlay implements StateView {
  readonly #base: StateView;
  /** Null: deleted. */
  readonly #writes = new Map<string, Uint8Array | null>();
  #bytes = 0;

  constructor(base: StateView) {
    this.#base = base;
  }

  /** What its writes hold in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  state(key: Uint8Array): Uint8Array | undefined {
    const written = this.#writes.get(toLatin1(key));
    return written === undefined ? this.#base.state(key) : (written ?? undefined);
  }

  apply(writes: readonly StateWrite[]): void {
    for (const { key, value = null } of writes) {
      const name = toLatin1(key);
      const before = this.#writes.get(name);
      if (before === undefined) this.#bytes += ENTRY_BYTES + name.length;
      this.#bytes += (value?.length ?? 0) - (before?.length ?? 0);
      this.#writes.set(name, value);
    }
  }

  /** The last write of each key. */
  writes(): readonly StateWrite[] {
    return [...this.entries()];
  }

  /** The same, one after the other; `apply` must not be called meanwhile. */
  *entries(): Generator<StateWrite, void, void> {
    for (const [name, value] of this.#writes) {
      yield { key: fromLatin1(name), value: value ?? undefined };
    }
  }
}
