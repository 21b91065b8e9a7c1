// What the consensus integration holds of the node's memory, looked at once after each of its turns.

import { sideBytes } from "../../config/memory-plan.js";
import type { NetworkConfig } from "../../config.js";
import type { Lease, MemoryLedger } from "../memory-ledger.js";

interface Holding {
  readonly waitingBytes: number;
  readonly undoBytes: number;
  readonly reorganisation: { readonly plan: { readonly heldBytes: number } } | undefined;
  readonly side: { readonly weight: number };
}

export class ChainLeases {
  readonly #connects: Lease;
  readonly #reorganisation: Lease;
  readonly #sideBranches: Lease;

  constructor(memory: MemoryLedger) {
    this.#connects = memory.lease("connects");
    this.#reorganisation = memory.lease("reorganisation");
    this.#sideBranches = memory.lease("sideBranches");
  }

  settle(holding: Holding, config: NetworkConfig): void {
    this.#connects.resize(holding.waitingBytes + holding.undoBytes);
    this.#reorganisation.resize(holding.reorganisation?.plan.heldBytes ?? 0);
    this.#sideBranches.resize(sideBytes(holding.side.weight, config));
  }

  release(): void {
    for (const lease of [this.#connects, this.#reorganisation, this.#sideBranches]) lease.release();
  }
}
