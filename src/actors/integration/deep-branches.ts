// Branches that begin deeper than can be undone, by the hashes of their blocks: nobody is asked for
// them again. Owned by the consensus integration.

import { LRUCache } from "lru-cache";

import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { ReorganisationEnd } from "./reorganisation.js";

/** So often, as often as a sync comes back to it, then undo data count as damaged. */
const UNDO_TRIES = 16;

type NotUndone = Extract<ReorganisationEnd, { readonly type: "not-undone" }>;
export type BranchEnd = Exclude<ReorganisationEnd, NotUndone>;

export class DeepBranches {
  readonly #hashes: LRUCache<HashHex, true>;
  /** How often the consensus made nothing of the undo data of a block. */
  readonly #notUndone: LRUCache<HashHex, number>;

  constructor(max: number) {
    this.#hashes = new LRUCache({ max });
    this.#notUndone = new LRUCache({ max });
  }

  add(hash: HashHex): void {
    this.#hashes.set(hash, true);
  }

  /** A block is of such a branch, and from now on what follows it is too. */
  has({ hash, previousHash }: HeaderSummary): boolean {
    const known = this.#hashes.has(hash) || this.#hashes.has(previousHash);
    if (known) this.add(hash);
    return known;
  }

  /** What was not undone is the fault of the consensus, which may pass, until that was too often. */
  judge({ hash, height }: NotUndone): BranchEnd {
    const tries = 1 + (this.#notUndone.get(hash) ?? 0);
    this.#notUndone.set(hash, tries);
    const why = `the undo data of block ${height} are unusable`;
    if (tries >= UNDO_TRIES) return { type: "too-deep", floor: height, why };
    return { type: "fault", hash, fault: { rule: "consensus-failed", detail: why } };
  }
}
