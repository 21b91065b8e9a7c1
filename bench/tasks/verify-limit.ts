// The physical limit of validation: a pool thread that verifies the signatures of a batch of
// transactions and does nothing else. Started with `threadPoolOptions`, as the node's pool is.

import { workerData } from "node:worker_threads";
import { packedItems } from "../../src/bytes/packed.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import type { Packed } from "../../src/ports.js";
import { lowerThreadPriority } from "../../src/workers/thread-priority.js";

lowerThreadPriority((workerData as { nice: number }).nice);
const { verify } = await loadSignatures();

/** Signature 64 bytes, public key 32 bytes, message: the form of each item of a batch. */
export function verifyBatch(batch: Packed): number {
  let valid = 0;
  for (const item of packedItems(batch)) {
    if (verify(item.subarray(0, 64), item.subarray(96), item.subarray(64, 96))) valid++;
  }
  return valid;
}
