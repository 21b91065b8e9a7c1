// The block header: CBOR [height, previousHash, timestampMs, transactionRoot, stateRoot,
// difficulty, totalDifficulty, nonce, extra]. Its hash is sha256 of these very bytes.

import { encodeCbor } from "../bytes/cbor.js";
import { CborCursor } from "../bytes/cbor-cursor.js";
import { fromHex, toHex } from "../bytes/hex.js";
import { SHA256_BYTES, sha256Hex } from "../bytes/sha256.js";
import { fault, valid } from "./faults.js";
import type { Checked, HashHex, HeaderSummary } from "../types/chain.js";

const HEADER_EXTRA_BYTES_MAX = 1024;
/** All fields at their widest, rounded up. */
export const HEADER_BYTES_WITHOUT_EXTRA_MAX = 176;
/** Nothing longer is worth reading. */
export const HEADER_BYTES_MAX = HEADER_EXTRA_BYTES_MAX + HEADER_BYTES_WITHOUT_EXTRA_MAX;
const HEADER_ITEMS = 9;

export interface HeaderFields {
  /** Below 2^53, as is `timestampMs`. Genesis has height 0. */
  readonly height: number;
  readonly previousHash: HashHex;
  readonly timestampMs: number;
  /** Merkle root of the transaction ids, 32 bytes. */
  readonly transactionRoot: Uint8Array;
  /** 32 bytes, opaque to the default consensus. */
  readonly stateRoot: Uint8Array;
  /** Below 2^64, as are `totalDifficulty` and `nonce`. */
  readonly difficulty: bigint;
  readonly totalDifficulty: bigint;
  readonly nonce: bigint;
  /** At most 1 KiB, free for the producer. */
  readonly extra: Uint8Array;
}

export interface Header extends HeaderFields, HeaderSummary {
  /** Where the CBOR of the nonce stands: [nonceStart, nonceEnd). */
  readonly nonceStart: number;
  readonly nonceEnd: number;
}

/** Reads encoding and limits. Byte strings are views into `bytes`. */
export function readHeader(bytes: Uint8Array): Checked<Header> {
  if (bytes.length > HEADER_BYTES_MAX) return fault("size", `a header of ${bytes.length} bytes`);
  const cursor = new CborCursor(bytes);
  if (cursor.array() !== HEADER_ITEMS) return malformed;
  const height = cursor.uint();
  if (height < 0) return malformed;
  const previousHash = cursor.fixedBytes(SHA256_BYTES);
  if (previousHash < 0) return malformed;
  const timestampMs = cursor.uint();
  if (timestampMs < 0) return malformed;
  const transactionRoot = cursor.fixedBytes(SHA256_BYTES);
  if (transactionRoot < 0) return malformed;
  const stateRoot = cursor.fixedBytes(SHA256_BYTES);
  if (stateRoot < 0) return malformed;
  const difficulty = cursor.uint64();
  if (difficulty < 0n) return malformed;
  const totalDifficulty = cursor.uint64();
  if (totalDifficulty < 0n) return malformed;
  const nonceStart = cursor.at;
  const nonce = cursor.uint64();
  if (nonce < 0n) return malformed;
  const nonceEnd = cursor.at;
  const extra = cursor.byteString();
  if (extra < 0 || !cursor.done) return malformed;
  const extraBytes = bytes.length - extra;
  if (extraBytes > HEADER_EXTRA_BYTES_MAX) return fault("size", `${extraBytes} bytes of extra`);
  return valid({
    hash: sha256Hex(bytes),
    height,
    previousHash: toHex(bytes.subarray(previousHash, previousHash + SHA256_BYTES)),
    timestampMs,
    transactionRoot: bytes.subarray(transactionRoot, transactionRoot + SHA256_BYTES),
    stateRoot: bytes.subarray(stateRoot, stateRoot + SHA256_BYTES),
    difficulty,
    totalDifficulty,
    nonce,
    nonceStart,
    nonceEnd,
    extra: bytes.subarray(extra),
  });
}

const malformed = fault("encoding", "not the encoding of a header");

/** Throws for fields out of range. */
export function encodeHeader(fields: HeaderFields): Uint8Array<ArrayBuffer> {
  return encodeCbor([
    fields.height,
    fromHex(fields.previousHash),
    fields.timestampMs,
    fields.transactionRoot,
    fields.stateRoot,
    fields.difficulty,
    fields.totalDifficulty,
    fields.nonce,
    fields.extra,
  ]);
}

/** What consensus and stores keep of a header, without the rest of its fields. */
export function summarize(header: HeaderSummary): HeaderSummary {
  const { hash, height, previousHash, timestampMs, difficulty, totalDifficulty } = header;
  return { hash, height, previousHash, timestampMs, difficulty, totalDifficulty };
}
