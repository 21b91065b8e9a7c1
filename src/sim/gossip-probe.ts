// Liveness of gossip: once faults have stopped, a transaction that is submitted to a node which
// produces nothing must get into a block. `simulate` asks for it on the default chain.

import { encodeCbor } from "../bytes/cbor.js";
import { equalBytes } from "../bytes/compare.js";
import { sha256 } from "../bytes/sha256.js";
import { signTransaction } from "../chain/transaction.js";
import type { SimNode } from "./sim-node.js";
import type { World } from "./world.js";

/** A mempool may be full and a queue may drop one: its user tries again. */
const TRY_EVERY_MS = 2_000;

/** Resolves to false when no such transaction was confirmed within `withinMs`. */
export async function transactionsTravel(world: World, withinMs: number): Promise<boolean> {
  const random = world.random.fork("probe");
  const relays = world.nodes.filter((node) => node.up && !node.config.produce);
  const node = relays[random.uint32() % relays.length];
  if (node === undefined) return true;
  const submitted: Uint8Array[] = [];
  const submit = (): void => {
    const transaction = payment(world, submitted.length);
    submitted.push(transaction);
    node.network.broadcastTransaction(transaction).catch(() => undefined);
  };
  submit();
  const stop = world.every(TRY_EVERY_MS, submit);
  let height = node.head().height;
  const confirmed = await world.runUntil(() => {
    for (; height <= node.head().height; height++) {
      if (includesAny(world, node, height, submitted)) return true;
    }
    return false;
  }, withinMs);
  stop();
  return confirmed;
}

function includesAny(
  { chain }: World,
  { network }: SimNode,
  height: number,
  submitted: readonly Uint8Array[],
): boolean {
  const parts = chain.consensus.rules.splitBlock(network.block(height)!);
  if (!parts.ok) return false;
  return parts.value.transactions.some((bytes) => submitted.some((own) => equalBytes(own, bytes)));
}

/** One more than any attacker offers, who offers more than any traffic. */
function payment({ seed, signatures, nowMs }: World, nonce: number): Uint8Array {
  const key = signatures.keyPairFromSeed(sha256(encodeCbor([`${seed}`, "probe"])));
  const fields = {
    sender: key.publicKey,
    recipient: key.publicKey,
    value: 1n,
    gasPrice: 1_001n,
    gasLimit: 21_000,
    nonce,
    timestampMs: Math.floor(nowMs),
    data: new Uint8Array(),
  };
  return signTransaction(fields, key.secretKey, signatures);
}
