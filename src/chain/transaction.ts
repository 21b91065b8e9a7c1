// The transaction: CBOR [body, signature], both byte strings, where the body is CBOR
// [sender, recipient, value, gasPrice, gasLimit, nonce, timestampMs, data]. The signature is over
// the body's bytes and the id is sha256 of the whole encoding, so nothing is ever re-encoded.

import { encodeCbor } from "../bytes/cbor.js";
import { CborCursor } from "../bytes/cbor-cursor.js";
import { sha256 } from "../bytes/sha256.js";
import { fault, valid } from "./faults.js";
import type { ChainParams } from "./params.js";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type SignatureScheme } from "./signatures.js";
import type { Checked, TransactionSummary } from "../types/chain.js";

export const ADDRESS_BYTES = PUBLIC_KEY_BYTES;
const BODY_ITEMS = 8;

export interface TransactionFields {
  /** The ed25519 public key of the signer, 32 bytes. */
  readonly sender: Uint8Array;
  readonly recipient: Uint8Array;
  /** Below 2^64, as is `gasPrice`. */
  readonly value: bigint;
  readonly gasPrice: bigint;
  /** Below 2^53, as are `nonce` and `timestampMs`. */
  readonly gasLimit: number;
  /** Strictly increasing for each sender; gaps are allowed. */
  readonly nonce: number;
  readonly timestampMs: number;
  readonly data: Uint8Array;
}

export type TransactionLimits = Pick<
  ChainParams,
  "transactionBytesMax" | "transactionDataBytesMax"
>;

/**
 * A read transaction. Blocks are checked a hundred transactions at a time, so reading keeps
 * offsets only; byte strings are made as views when they are asked for.
 */
export class Transaction implements TransactionFields, TransactionSummary {
  readonly bytes: Uint8Array;
  readonly gasLimit: number;
  readonly nonce: number;
  readonly timestampMs: number;
  readonly gasPrice: bigint;
  readonly value: bigint;
  readonly #at: Offsets;
  #id: Uint8Array | undefined;

  constructor(bytes: Uint8Array, fields: NumberFields, at: Offsets) {
    this.bytes = bytes;
    this.gasLimit = fields.gasLimit;
    this.nonce = fields.nonce;
    this.timestampMs = fields.timestampMs;
    this.gasPrice = fields.gasPrice;
    this.value = fields.value;
    this.#at = at;
  }

  /** Computed when it is first asked for: the mempool knows it already, and 64 KiB take a while. */
  get id(): Uint8Array {
    return (this.#id ??= sha256(this.bytes));
  }

  get body(): Uint8Array {
    return this.bytes.subarray(this.#at.body, this.#at.bodyEnd);
  }

  get signature(): Uint8Array {
    return this.bytes.subarray(this.#at.signature, this.#at.signature + SIGNATURE_BYTES);
  }

  get sender(): Uint8Array {
    return this.bytes.subarray(this.#at.sender, this.#at.sender + ADDRESS_BYTES);
  }

  get recipient(): Uint8Array {
    return this.bytes.subarray(this.#at.recipient, this.#at.recipient + ADDRESS_BYTES);
  }

  get data(): Uint8Array {
    return this.bytes.subarray(this.#at.data, this.#at.bodyEnd);
  }
}

type NumberFields = Pick<
  TransactionFields,
  "value" | "gasPrice" | "gasLimit" | "nonce" | "timestampMs"
>;

interface Offsets {
  readonly body: number;
  readonly bodyEnd: number;
  readonly sender: number;
  readonly recipient: number;
  readonly data: number;
  readonly signature: number;
}

/** Reads encoding and limits; the signature is not checked. Views keep `bytes` alive. */
export function readTransaction(
  bytes: Uint8Array,
  limits: TransactionLimits,
): Checked<Transaction> {
  if (bytes.length > limits.transactionBytesMax) {
    return fault("size", `a transaction of ${bytes.length} bytes`);
  }
  const outer = new CborCursor(bytes);
  if (outer.array() !== 2) return malformed;
  const body = outer.byteString();
  const bodyEnd = outer.at;
  if (body < 0) return malformed;
  const signature = outer.fixedBytes(SIGNATURE_BYTES);
  if (signature < 0 || !outer.done) return malformed;

  const inner = new CborCursor(bytes, body, bodyEnd);
  if (inner.array() !== BODY_ITEMS) return malformed;
  const sender = inner.fixedBytes(ADDRESS_BYTES);
  if (sender < 0) return malformed;
  const recipient = inner.fixedBytes(ADDRESS_BYTES);
  if (recipient < 0) return malformed;
  const value = inner.uint64();
  if (value < 0n) return malformed;
  const gasPrice = inner.uint64();
  if (gasPrice < 0n) return malformed;
  const gasLimit = inner.uint();
  if (gasLimit < 0) return malformed;
  const nonce = inner.uint();
  if (nonce < 0) return malformed;
  const timestampMs = inner.uint();
  if (timestampMs < 0) return malformed;
  const data = inner.byteString();
  if (data < 0 || !inner.done) return malformed;
  if (bodyEnd - data > limits.transactionDataBytesMax) {
    return fault("size", `a transaction with ${bodyEnd - data} bytes of data`);
  }
  const numbers = { value, gasPrice, gasLimit, nonce, timestampMs };
  const offsets = { body, bodyEnd, sender, recipient, data, signature };
  return valid(new Transaction(bytes, numbers, offsets));
}

const malformed = fault("encoding", "not the encoding of a transaction");

/** The bytes that are signed. Throws for integers out of range. */
export function encodeTransactionBody(fields: TransactionFields): Uint8Array<ArrayBuffer> {
  return encodeCbor([
    fields.sender,
    fields.recipient,
    fields.value,
    fields.gasPrice,
    fields.gasLimit,
    fields.nonce,
    fields.timestampMs,
    fields.data,
  ]);
}

export function encodeTransaction(
  body: Uint8Array,
  signature: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return encodeCbor([body, signature]);
}

/** Encodes and signs. */
export function signTransaction(
  fields: TransactionFields,
  secretKey: Uint8Array,
  scheme: Pick<SignatureScheme, "sign">,
): Uint8Array<ArrayBuffer> {
  const body = encodeTransactionBody(fields);
  return encodeTransaction(body, scheme.sign(body, secretKey));
}
