// The block: CBOR [header, [transaction, …]], where the header and each transaction are byte
// strings. Splitting gives views into the bytes that arrived; nothing is re-encoded.

import { encodeCbor } from "../bytes/cbor.js";
import { CborCursor, splitArray } from "../bytes/cbor-cursor.js";
import { fault, valid } from "./faults.js";
import type { BlockParts, Checked } from "../types/chain.js";

/** A transaction has at least two addresses and a signature, so no block holds more than this. */
const TRANSACTION_BYTES_MIN = 128;

/** The heads of block, header and list of transactions: what a block takes beside their bytes. */
export const ENVELOPE_HEADS_BYTES_MAX = 1 + 3 + 5;

export function splitBlock(block: Uint8Array, blockBytesMax: number): Checked<BlockParts> {
  if (block.length > blockBytesMax) return fault("size", `a block of ${block.length} bytes`);
  const cursor = new CborCursor(block);
  if (cursor.array() !== 2) return malformed;
  const start = cursor.byteString();
  if (start < 0) return malformed;
  const end = cursor.at;
  const ranges = splitArray(block, Math.ceil(block.length / TRANSACTION_BYTES_MIN), end);
  if (ranges === undefined) return malformed;
  const transactions: Uint8Array[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    transactions.push(block.subarray(ranges[i], ranges[i + 1]));
  }
  return valid({ header: block.subarray(start, end), transactions });
}

const malformed = fault("encoding", "not the encoding of a block");

export function encodeBlock(parts: BlockParts): Uint8Array<ArrayBuffer> {
  return encodeCbor([parts.header, parts.transactions]);
}
