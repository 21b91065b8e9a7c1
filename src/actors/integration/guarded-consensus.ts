// A caller's own consensus may throw, or answer what no store can keep. That costs what it was asked
// about, a block for instance, with a fault that blames nobody, in place of the one writer of the chain.

import { errorText } from "../../errors.js";
import { fault } from "../../chain/faults.js";
import type { CheckedBlock, HeaderSummary } from "../../chain/types.js";
import type { Consensus, Log, StateView, StateWrite } from "../../ports.js";

/** What a store takes as the key of a state: `KEY_BYTES_MAX` of the tables. */
const KEY_BYTES_MAX = 255;

export class GuardedConsensus {
  readonly #consensus: Consensus;
  readonly #log: Log;

  constructor(consensus: Consensus, log: Log) {
    this.#consensus = consensus;
    this.#log = log;
  }

  /** False also when it threw: then the head stays. */
  prefers(candidate: HeaderSummary, current: HeaderSummary): boolean {
    try {
      return this.#consensus.prefers(candidate, current);
    } catch (error) {
      this.#log.write("error", "the consensus failed", failure("prefers", error));
      return false;
    }
  }

  connect(
    block: Pick<CheckedBlock, "header" | "effects">,
    view: StateView,
  ): ReturnType<Consensus["connect"]> {
    try {
      const connected = this.#consensus.connect(block, view);
      if (connected.ok) checkKeys(connected.value.writes);
      return connected;
    } catch (error) {
      return fault("consensus-failed", `connect threw: ${errorText(error)}`);
    }
  }

  /** Undefined: these undo data are of no use. */
  disconnect(undo: Uint8Array): readonly StateWrite[] | undefined {
    try {
      const writes = this.#consensus.disconnect(undo);
      checkKeys(writes);
      return writes;
    } catch (error) {
      this.#log.write("error", "the consensus failed", failure("disconnect", error));
      return undefined;
    }
  }
}

function failure(call: string, error: unknown): { call: string; error: string } {
  return { call, error: errorText(error) };
}

function checkKeys(writes: readonly StateWrite[]): void {
  for (const { key } of writes) {
    if (key.length >= 1 && key.length <= KEY_BYTES_MAX) continue;
    throw new RangeError(
      `a state key has ${key.length} bytes, and must have 1 to ${KEY_BYTES_MAX}`,
    );
  }
}
