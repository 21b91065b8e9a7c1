// A mempool that always has a block's worth of new transactions, for runs in which blocks shall be
// full but the gossip of transactions is not the subject. For the default chain.

import { encodeCbor } from "../bytes/cbor.js";
import { sha256, sha256Hex } from "../bytes/sha256.js";
import type { KeyPair } from "../chain/signatures.js";
import { signTransaction } from "../chain/transaction.js";
import type { Mempool, MempoolTransaction } from "../ports.js";
import type { SimChain } from "./chain.js";
import type { SimSignatures } from "./signatures.js";

const ACCOUNTS = 8;

/**
 * For `SimChain.mempool`: producers fill every block with `transactionsPerBlock` signed transfers
 * between accounts of their own; what peers send is kept as ever.
 */
export function fillBlocks(
  chain: SimChain,
  signatures: SimSignatures,
  transactionsPerBlock: number,
): SimChain["mempool"] {
  return (config) => {
    const kept = chain.mempool(config);
    if (!config.produce) return kept;
    const keys = Array.from({ length: ACCOUNTS }, (_, index) =>
      signatures.keyPairFromSeed(sha256(encodeCbor([config.nodeId, index]))),
    );
    let count = 0;
    const next = (): MempoolTransaction => {
      const bytes = transfer(keys, count++, signatures);
      return { id: sha256Hex(bytes), bytes };
    };
    return {
      add: (...given) => kept.add(...given),
      has: (id) => kept.has(id),
      get: (id) => kept.get(id),
      // A template that loses its race leaves a gap in the nonces, which the rules allow.
      select: () => Array.from({ length: transactionsPerBlock }, next),
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
  };
}

function transfer(keys: readonly KeyPair[], index: number, signatures: SimSignatures) {
  const from = keys[index % ACCOUNTS]!;
  const to = keys[(index + 1) % ACCOUNTS]!;
  const fields = {
    sender: from.publicKey,
    recipient: to.publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce: Math.floor(index / ACCOUNTS),
    timestampMs: 0,
    data: new Uint8Array(),
  };
  return signTransaction(fields, from.secretKey, signatures);
}
