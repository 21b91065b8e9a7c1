// Signed transactions for loads: enough senders that no limit of a mempool is met.

import { sha256 } from "../../src/bytes/sha256.js";
import { loadSignatures, type KeyPair } from "../../src/chain/signatures.js";
import { signTransaction } from "../../src/chain/transaction.js";

/** Half of what a mempool keeps of one sender. */
const PER_SENDER = 128;
const TIMESTAMP_MS = Date.UTC(2026, 0, 1);

/** `count` transactions of exactly `bytes` bytes each, different for each `seed`. */
export async function signedTransactions(
  count: number,
  bytes: number,
  seed: string,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const scheme = await loadSignatures();
  const sign = (from: KeyPair, nonce: number, dataBytes: number) =>
    signTransaction(
      {
        sender: from.publicKey,
        recipient: from.publicKey,
        value: 1_000n,
        gasPrice: 1_000n,
        gasLimit: 21_000,
        // Two bytes in CBOR, whichever it is.
        nonce: 256 + nonce,
        timestampMs: TIMESTAMP_MS,
        data: new Uint8Array(dataBytes),
      },
      from.secretKey,
      scheme,
    );
  const keyPair = (number: number): KeyPair =>
    scheme.keyPairFromSeed(sha256(new TextEncoder().encode(`${seed} ${number}`)));
  const dataBytes = dataBytesFor(bytes, (length) => sign(keyPair(0), 0, length).length);
  const transactions: Uint8Array<ArrayBuffer>[] = [];
  for (let sender = 0; transactions.length < count; sender++) {
    const from = keyPair(sender);
    for (let nonce = 0; nonce < PER_SENDER && transactions.length < count; nonce++) {
      transactions.push(sign(from, nonce, dataBytes));
    }
  }
  return transactions;
}

/** The heads of byte strings grow with them, so the length is tried. */
function dataBytesFor(bytes: number, lengthWith: (dataBytes: number) => number): number {
  for (let dataBytes = 0; dataBytes <= bytes; dataBytes++) {
    if (lengthWith(dataBytes) === bytes) return dataBytes;
  }
  throw new Error(`no transaction has ${bytes} bytes`);
}
