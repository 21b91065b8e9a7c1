// How many of the selected transactions the next own block takes, after own blocks were refused.
// The chain goes on whatever is wrong with a transaction, and no innocent one leaves the mempool.
// Pure, with the time passed in; owned by the block producer.

import type { HashHex } from "../../types/chain.js";

export interface TrialOptions {
  /** An empty block may be made. */
  readonly emptyBlocks: boolean;
  /** How long smaller selections are tried before an empty block lets the chain go on. */
  readonly patienceMs: number;
}

/** What a passed block lets the next one take more: a limit of one is gone after six blocks. */
const GROWTH = 8;
const SUSPECTS_MAX = 1_024;
/** Without empty blocks: so many alone refused in a row, and it is not the transactions. */
const SUSPECTS_WITHOUT_EMPTY_MAX = 8;

export interface Refusal {
  /** What the refused block held. */
  readonly ids: readonly HashHex[];
  /** The one to blame, where the rules say so. */
  readonly named: HashHex | undefined;
  /** False: the consensus threw, which it may do for reasons of its own. */
  readonly judged: boolean;
}

/**
 * A refused selection is halved until it passes. A transaction that was refused alone is a suspect:
 * left out from then on, and guilty when a block without it passes; after an exception only the
 * second time. When an empty block is refused, no transaction is to blame: nothing but the emptiest
 * block is tried, ever more rarely.
 */
export class SelectionTrial {
  readonly #options: TrialOptions;
  /** Whether each was judged. */
  readonly #suspects = new Map<HashHex, boolean>();
  /** Were suspects once, on an exception. */
  readonly #doubted = new Set<HashHex>();
  #limit = Infinity;
  #troubleSinceMs: number | undefined;
  #blocked = 0;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  choose<T extends { readonly id: HashHex }>(selected: readonly T[], nowMs: number): readonly T[] {
    const count = this.#count(nowMs);
    if (this.#suspects.size === 0 && count >= selected.length) return selected;
    return selected.filter(({ id }) => !this.#suspects.has(id)).slice(0, count);
  }

  /** A block with so many transactions was taken; answers those that are guilty. */
  passed(count: number): readonly HashHex[] {
    const guilty: HashHex[] = [];
    if (this.#doubted.size + this.#suspects.size > SUSPECTS_MAX) this.#doubted.clear();
    for (const [id, judged] of this.#suspects) {
      if (judged || this.#doubted.delete(id)) guilty.push(id);
      else this.#doubted.add(id);
    }
    this.#suspects.clear();
    this.#troubleSinceMs = undefined;
    if (this.#blocked > 0) this.#limit = Infinity;
    else if (count >= this.#limit) this.#limit *= GROWTH;
    this.#blocked = 0;
    return guilty;
  }

  /** Answers those that are guilty at once. */
  refused({ ids, named, judged }: Refusal, nowMs: number): readonly HashHex[] {
    this.#troubleSinceMs ??= nowMs;
    if (named !== undefined) return [named];
    const [id] = ids;
    if (this.#blocked > 0) {
      this.#blocked++;
    } else if (ids.length > 1) {
      this.#limit = ids.length >> 1;
    } else if (id !== undefined && this.#mayDoubt) {
      this.#limit = 1;
      this.#suspects.set(id, judged);
    } else {
      this.#suspects.clear();
      this.#blocked = 1;
    }
    return [];
  }

  /** Refusals in a row, with nothing left to leave out. */
  get blocked(): number {
    return this.#blocked;
  }

  get #mayDoubt(): boolean {
    return this.#options.emptyBlocks || this.#suspects.size < SUSPECTS_WITHOUT_EMPTY_MAX;
  }

  #count(nowMs: number): number {
    const { emptyBlocks, patienceMs } = this.#options;
    if (this.#blocked > 0) return emptyBlocks ? 0 : 1;
    if (!emptyBlocks || this.#troubleSinceMs === undefined) return this.#limit;
    const isLate = nowMs - this.#troubleSinceMs >= patienceMs;
    return isLate || this.#suspects.size >= SUSPECTS_MAX ? 0 : this.#limit;
  }
}
