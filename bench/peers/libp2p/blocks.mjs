// The check of one block of the bench's chain, as both syncers of js-libp2p make it.

import { createHash } from "node:crypto";
import { Encoder } from "cbor-x";

const cbor = new Encoder({ useRecords: false, tagUint8Array: false });
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** A block is [header, [[body, signature] ...]], each inside a byte string. */
export function checkBlock(block, verify) {
  const [header, transactions] = cbor.decode(block);
  for (const bytes of transactions) {
    sha256(bytes);
    const [body, signature] = cbor.decode(bytes);
    const [sender] = cbor.decode(body);
    if (!verify(signature, body, sender)) throw new Error("an invalid signature");
  }
  const [, previous] = cbor.decode(header);
  return { transactions: transactions.length, previous, hash: sha256(header) };
}
