// Liveness of gossip: once faults have stopped, a transaction that is submitted to a node which
// produces nothing must get into a block. `simulate` asks for it on the default chain.

import { encodeCbor } from "../bytes/cbor.js";
import { equalBytes } from "../bytes/compare.js";
import { sha256 } from "../bytes/sha256.js";
import { signTransaction } from "../chain/transaction.js";
import type { HashHex } from "../types/chain.js";
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
  const looked = new Set([node.head().hash]);
  const confirmed = await world.runUntil(
    () => newBlocksOf(node, looked).some((block) => includesAny(world, block, submitted)),
    withinMs,
  );
  stop();
  return confirmed;
}

/** Of its chain, those that were not looked at: after a reorganisation the whole new branch. */
function newBlocksOf({ network }: SimNode, looked: Set<HashHex>): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let { hash, previousHash, height } = network.head();
  while (!looked.has(hash) && height > 0) {
    looked.add(hash);
    blocks.push(network.block(hash)!);
    ({ hash, previousHash, height } = network.header(previousHash)!);
  }
  return blocks;
}

function includesAny({ chain }: World, block: Uint8Array, submitted: readonly Uint8Array[]) {
  const parts = chain.consensus.rules.splitBlock(block);
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
