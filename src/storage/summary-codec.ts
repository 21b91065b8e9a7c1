// The binary record of a header, big-endian: height (6), timestamp (6), previous hash (32),
// difficulty (32), total difficulty (32), then the encoded header. The hash is the record's key.

import { toHex } from "../bytes/hex.js";
import type { HashHex, HeaderSummary } from "../types/chain.js";
import { invariant } from "../errors.js";

const PREVIOUS_AT = 12;
const DIFFICULTY_AT = 44;
const TOTAL_AT = 76;
const ENCODED_AT = 108;
const U48_MAX = 2 ** 48 - 1;
const U256_MAX = 2n ** 256n - 1n;
const U64_MASK = 2n ** 64n - 1n;

export function encodeHeaderRecord(summary: HeaderSummary, encoded: Uint8Array): Uint8Array {
  invariant(summary.height <= U48_MAX && summary.timestampMs <= U48_MAX, "summary fits 48 bits");
  const record = Buffer.allocUnsafeSlow(ENCODED_AT + encoded.length);
  record.writeUIntBE(summary.height, 0, 6);
  record.writeUIntBE(summary.timestampMs, 6, 6);
  const written = record.write(summary.previousHash, PREVIOUS_AT, "hex");
  invariant(written === 32, "a previous hash has 32 bytes");
  writeUint256(record, DIFFICULTY_AT, summary.difficulty);
  writeUint256(record, TOTAL_AT, summary.totalDifficulty);
  record.set(encoded, ENCODED_AT);
  return record;
}

export function decodeSummary(hash: HashHex, record: Uint8Array): HeaderSummary {
  invariant(record.length > ENCODED_AT, "a header record has its length");
  const buffer = Buffer.from(record.buffer, record.byteOffset, record.length);
  return {
    hash,
    height: buffer.readUIntBE(0, 6),
    previousHash: toHex(record.subarray(PREVIOUS_AT, DIFFICULTY_AT)),
    timestampMs: buffer.readUIntBE(6, 6),
    difficulty: readUint256(buffer, DIFFICULTY_AT),
    totalDifficulty: readUint256(buffer, TOTAL_AT),
  };
}

/** A copy of the encoded header. */
export function decodeHeaderBytes(record: Uint8Array): Uint8Array {
  return record.slice(ENCODED_AT);
}

function writeUint256(target: Buffer, offset: number, value: bigint): void {
  invariant(value >= 0n && value <= U256_MAX, "a difficulty fits 256 bits");
  let rest = value;
  for (let at = 24; at >= 0; at -= 8) {
    target.writeBigUInt64BE(rest & U64_MASK, offset + at);
    rest >>= 64n;
  }
}

function readUint256(source: Buffer, offset: number): bigint {
  let value = 0n;
  for (let at = 0; at < 32; at += 8) value = (value << 64n) | source.readBigUInt64BE(offset + at);
  return value;
}
