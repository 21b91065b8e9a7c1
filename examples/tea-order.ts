// What the users of the tea chain do: make a key, sign an order.
import { loadSignatures, signTransaction, type KeyPair } from "vibecoin-network";

const signatures = await loadSignatures();

export function keyOf(user: number): KeyPair {
  return signatures.keyPairFromSeed(new Uint8Array(32).fill(user));
}

export function orderTea(
  { publicKey, secretKey }: KeyPair,
  nonce: number,
  timestampMs = Date.now(),
): Uint8Array {
  const fields = {
    sender: publicKey,
    recipient: publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs,
    data: new TextEncoder().encode("one tea, please"),
  };
  return signTransaction(fields, secretKey, signatures);
}
