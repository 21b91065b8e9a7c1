// What is asked of all nodes of a world again and again: of their actors and stores, of the credit
// that is out, and of who follows the chain.

import { creditFault, linkFault, linkSideOf } from "./credit-auditor.js";
import { LagAuditor, type Follower, type LagAuditorParts } from "./lag-auditor.js";
import { nameAt } from "./node-config.js";
import type { SimNode } from "./sim-node.js";

export interface RegularChecksParts extends Omit<LagAuditorParts, "followers"> {
  readonly nodes: readonly SimNode[];
}

/** Stores are walked once in so many checks: that takes as long as the chain. */
const STORE_CHECKS = 60;
/** Names of peer handlers begin so. */
const PEER = "peer-";

/** What is wrong is reported. */
export class RegularChecks {
  readonly #parts: RegularChecksParts;
  readonly #lags: LagAuditor;
  #looks = 0;

  constructor(parts: RegularChecksParts) {
    this.#parts = parts;
    this.#lags = new LagAuditor({ ...parts, followers: parts.nodes.map(followerOf) });
  }

  look(nowMs: number): void {
    const walk = ++this.#looks % STORE_CHECKS === 0;
    for (const node of this.#parts.nodes) {
      node.checkActors();
      if (walk) node.checkStores();
    }
    this.#lags.see(nowMs);
    const wrong = this.creditFault(false);
    if (wrong !== undefined) this.#parts.report(wrong);
  }

  /** `atRest`: nothing is under way on links. */
  creditFault(atRest: boolean): string | undefined {
    const { nodes } = this.#parts;
    const peers = nodes.flatMap((node) => node.insights(PEER));
    const wrong = peers.map(creditFault).find((fault) => fault !== undefined);
    const sides = peers.map(linkSideOf).filter((side) => side !== undefined);
    return wrong ?? linkFault(sides, atRest);
  }
}

function followerOf(node: SimNode): Follower {
  const { name, config } = node;
  return {
    name,
    known: config.seedPeers.map(nameAt),
    get life() {
      return node.starts;
    },
    get isSound() {
      return node.sound;
    },
    head: () => node.head(),
    hashAt: (height) => node.network.header(height)?.hash,
  };
}
