// MemoryLedger: who holds how much of `memoryBudgetBytes`. Whoever is about to ask for bytes takes a
// lease of the most that may come; it shrinks to what came and ends with what holds it. An actor
// takes its leases by `context.owns`, so that they end with its incarnation, whatever ends that.
// Pure; one a node, for the actors of one thread.

import { invariant } from "../errors.js";
import { memoryHolders, memoryPlan, type MemoryHolder } from "../config/memory-plan.js";
import type { NetworkConfig } from "../config.js";

export interface HolderReport {
  readonly name: MemoryHolder;
  readonly heldBytes: number;
  /** The most that the configuration lets it hold. */
  readonly limitBytes: number;
  /** The most that it held since the start; of what is only read now and then, as it was seen. */
  readonly peakBytes: number;
}

export interface MemoryReport {
  /** `memoryBudgetBytes`. */
  readonly budgetBytes: number;
  /** All holders at their limits at once: proven to be within the budget at the start. */
  readonly worstCaseBytes: number;
  readonly heldBytes: number;
  readonly holders: readonly HolderReport[];
}

interface Holder {
  readonly name: MemoryHolder;
  readonly limitBytes: number;
  leasedBytes: number;
  peakBytes: number;
  /** What parts beside the actors hold, which count themselves. */
  readonly readings: (() => number)[];
}

export class MemoryLedger {
  /** Of peers that are gone: their messages, which others still have. It outlives every actor. */
  readonly departed: Lease;
  readonly #budgetBytes: number;
  readonly #holders: ReadonlyMap<MemoryHolder, Holder>;

  constructor(config: NetworkConfig) {
    const plan = memoryPlan(config);
    this.#budgetBytes = config.memoryBudgetBytes;
    this.#holders = new Map(
      memoryHolders.map((name) => {
        const limitBytes = plan[name];
        return [name, { name, limitBytes, leasedBytes: 0, peakBytes: 0, readings: [] }];
      }),
    );
    this.departed = this.lease("receiveLanes");
  }

  /** Of nothing yet. */
  lease(name: MemoryHolder): Lease {
    return new Lease(this.#holder(name));
  }

  /** Counts what a part beside the actors holds, which counts itself. */
  read(name: MemoryHolder, bytes: () => number): void {
    this.#holder(name).readings.push(bytes);
  }

  report(): MemoryReport {
    const holders = [...this.#holders.values()].map((holder) => {
      const heldBytes = heldBy(holder);
      holder.peakBytes = Math.max(holder.peakBytes, heldBytes);
      const { name, limitBytes, peakBytes } = holder;
      return { name, heldBytes, limitBytes, peakBytes };
    });
    const heldBytes = holders.reduce((sum, holder) => sum + holder.heldBytes, 0);
    const worstCaseBytes = holders.reduce((sum, holder) => sum + holder.limitBytes, 0);
    return { budgetBytes: this.#budgetBytes, worstCaseBytes, heldBytes, holders };
  }

  /** What all leases of a holder have. */
  leasedBytes(name: MemoryHolder): number {
    return this.#holder(name).leasedBytes;
  }

  /** Throws when a holder has more than its part, or all together more than there is. */
  invariants(): void {
    const { heldBytes, budgetBytes, holders } = this.report();
    for (const { name, heldBytes: bytes, limitBytes } of holders) {
      invariant(bytes >= 0 && bytes <= limitBytes, `${name} holds ${bytes} of ${limitBytes} bytes`);
    }
    invariant(heldBytes <= budgetBytes, `${heldBytes} bytes are held of ${budgetBytes}`);
  }

  /** Throws when anything of these is leased. */
  nothingLeased(names: readonly MemoryHolder[] = memoryHolders): void {
    for (const name of names) {
      const { leasedBytes } = this.#holder(name);
      invariant(
        leasedBytes === 0,
        `${leasedBytes} bytes of ${name} are leased and never come back`,
      );
    }
  }

  #holder(name: MemoryHolder): Holder {
    return this.#holders.get(name)!;
  }
}

/** For the log: whoever reads it can tell who holds what, and what to lower. */
export function memoryInWords(report: MemoryReport): Readonly<Record<string, number | string>> {
  const { budgetBytes, worstCaseBytes, heldBytes, holders } = report;
  const parts = holders.map(({ name, heldBytes: held, limitBytes }) => {
    return `${name} ${inMiB(held)} of ${inMiB(limitBytes)}`;
  });
  return {
    budgetMiB: inMiB(budgetBytes),
    worstCaseMiB: inMiB(worstCaseBytes),
    leasedMiB: inMiB(heldBytes),
    leasedOfWorstCaseMiB: parts.join(", "),
  };
}

function inMiB(bytes: number): number {
  return Math.round((bytes / 1_024 ** 2) * 10) / 10;
}

/** Bytes of one holder. */
export class Lease {
  readonly #holder: Holder;
  #bytes = 0;

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is held now, or may come: whoever holds it sees to it that its holder's part is enough. */
  resize(bytes: number): void {
    const change = bytes - this.#bytes;
    if (change === 0) return;
    const holder = this.#holder;
    this.#bytes = bytes;
    holder.leasedBytes += change;
    if (holder.leasedBytes > holder.peakBytes) holder.peakBytes = holder.leasedBytes;
  }

  /** So many more, if the holder's part has them: all or nothing. */
  take(bytes: number): boolean {
    if (this.#holder.leasedBytes + bytes > this.#holder.limitBytes) return false;
    this.resize(this.#bytes + bytes);
    return true;
  }

  /** So many in all would be within the holder's part. */
  fits(bytes: number): boolean {
    return this.#holder.leasedBytes - this.#bytes + bytes <= this.#holder.limitBytes;
  }

  give(bytes: number): void {
    invariant(bytes <= this.#bytes, "more given back than was taken");
    this.resize(this.#bytes - bytes);
  }

  release(): void {
    this.resize(0);
  }
}

function heldBy({ leasedBytes, readings }: Holder): number {
  return readings.reduce((sum, read) => sum + read(), leasedBytes);
}
