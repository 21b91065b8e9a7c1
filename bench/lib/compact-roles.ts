// The process of the compact bench: a whole node, which peers of the bench push blocks to.

import { startNode } from "../../src/compose.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import { serveParent, serveRole } from "./child.js";
import { signedTransactions } from "./transactions.js";

/** All transactions that may wait. */
export interface Supply {
  readonly seed: string;
  readonly bytes: number;
  readonly count: number;
}

export type NodeMethods = {
  listen(supply: Supply): Promise<{ address: string }>;
  /** Resolves when these of them, by their places, wait in the mempool. */
  fill(slice: { readonly from: number; readonly to: number }): Promise<void>;
};

/** Handed in at a time. */
const BATCH = 1_000;
/** More than the largest load, so that none gives way. */
const WAITING_MAX = 65_536;

function node(): void {
  let network: Network | undefined;
  let all: readonly Uint8Array[] = [];
  const methods: NodeMethods = {
    async listen({ seed, bytes, count }) {
      all = await signedTransactions(count, bytes, seed);
      network = await startNode({
        bindAddr: "tcp://127.0.0.1:0",
        mempool: { countMax: WAITING_MAX },
      });
      return { address: network.listenAddress! };
    },
    async fill({ from, to }) {
      for (let start = from; start < to; start += BATCH) {
        const batch = all.slice(start, Math.min(to, start + BATCH));
        const outcomes = await Promise.all(
          batch.map((transaction) => network!.broadcastTransaction(transaction)),
        );
        const refused = outcomes.find(({ ok }) => !ok);
        invariant(refused === undefined, `a transaction is refused: ${JSON.stringify(refused)}`);
      }
    },
  };
  serveParent(methods, () => network?.stop());
}

serveRole({ node });
