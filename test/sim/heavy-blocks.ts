// Chains whose blocks are large and cheap to make: a few transactions full of data.

import { encodeCbor } from "../../src/bytes/cbor.js";
import { sha256, sha256Hex } from "../../src/bytes/sha256.js";
import { signTransaction } from "../../src/chain/transaction.js";
import type { Mempool, MempoolTransaction } from "../../src/ports.js";
import { fastSignatures, SIM_CHAIN, type SimChain } from "../../src/sim/index.js";

const DATA_BYTES = 60_000;

/** A producer's blocks hold so many transactions of 60 KB each. */
export function heavyChain(perBlock: number): SimChain {
  return {
    ...SIM_CHAIN,
    mempool: (config) => {
      const kept = SIM_CHAIN.mempool(config);
      if (!config.produce) return kept;
      const { publicKey, secretKey } = fastSignatures.keyPairFromSeed(
        sha256(encodeCbor([config.nodeId])),
      );
      let nonce = 0;
      const next = (): MempoolTransaction => {
        const fields = {
          sender: publicKey,
          recipient: publicKey,
          value: 1n,
          gasPrice: 1n,
          gasLimit: 21_000,
          nonce: nonce++,
          timestampMs: 0,
          data: new Uint8Array(DATA_BYTES),
        };
        const bytes = signTransaction(fields, secretKey, fastSignatures);
        return { id: sha256Hex(bytes), bytes };
      };
      return {
        add: (transaction, view) => kept.add(transaction, view),
        has: (id) => kept.has(id),
        get: (id) => kept.get(id),
        select: () => Array.from({ length: perBlock }, next),
        confirmed: (ids, view) => kept.confirmed(ids, view),
        best: () => kept.best?.() ?? [].values(),
        remove: (ids) => kept.remove?.(ids),
        takeDropped: () => kept.takeDropped?.() ?? [],
        get count() {
          return kept.count;
        },
        get bytes() {
          return kept.bytes;
        },
      } satisfies Mempool;
    },
  };
}
