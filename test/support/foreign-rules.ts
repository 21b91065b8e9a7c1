// Chain rules that share nothing with the project's own: fixed-width fields instead of CBOR, no
// proof of work, a flat digest instead of a Merkle tree. They prove that pool threads and the node
// take their rules from outside.
//
// header: height u32, previous hash 32, time u48 (ms), digest of the ids 32
// block: header, then for each transaction its length u16 and its bytes; of at most 4,096 bytes
// transaction: sender 32, payload, signature 64 (over sender and payload)

import { createHash } from "node:crypto";
import type {
  ChainRules,
  Checked,
  HeaderSummary,
  RuleName,
  RulesModule,
  TransactionSummary,
} from "../../src/types/chain.js";

export interface ForeignOptions {
  /** A constant of the network, mixed into every header's hash. */
  readonly magic: number;
  /** No transaction's payload may begin with this byte: a rule that no other chain has. */
  readonly forbidden?: number;
}

interface ForeignTransaction extends TransactionSummary {
  readonly bytes: Uint8Array;
}

const HEADER_BYTES = 4 + 32 + 6 + 32;
const BLOCK_BYTES_MAX = 4_096;

export function foreignRulesModule(options: ForeignOptions): RulesModule {
  return { moduleUrl: import.meta.url, exportName: "createForeignRules", options };
}

export function createForeignRules(options: ForeignOptions): ChainRules<ForeignTransaction> {
  const readHeader = (header: Uint8Array): Checked<HeaderSummary> => {
    if (header.length !== HEADER_BYTES) return fault("encoding", "a header of another length");
    const at = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
    const height = at.readUInt32BE(0);
    return {
      ok: true,
      value: {
        hash: foreignHash(header, options.magic),
        height,
        previousHash: at.toString("hex", 4, 36),
        timestampMs: at.readUIntBE(36, 6),
        difficulty: 1n,
        totalDifficulty: BigInt(height),
      },
    };
  };
  return {
    splitBlock(block) {
      if (block.length > BLOCK_BYTES_MAX) return fault("size", "a block of too many bytes");
      const transactions: Uint8Array[] = [];
      let at = HEADER_BYTES;
      while (at + 2 <= block.length) {
        const end = at + 2 + block[at]! * 256 + block[at + 1]!;
        transactions.push(block.subarray(at + 2, end));
        at = end;
      }
      if (at !== block.length) return fault("encoding", "a block that ends within an item");
      return { ok: true, value: { header: block.subarray(0, HEADER_BYTES), transactions } };
    },
    readHeader,
    checkHeader(header, parent, nowMs) {
      const read = readHeader(header);
      if (!read.ok) return read;
      const { previousHash, height, timestampMs } = read.value;
      if (previousHash !== parent.hash) return fault("link", "another parent");
      if (height !== parent.height + 1) return fault("height", "not the next height");
      if (timestampMs > nowMs) return fault("future", "a time in the future");
      return read;
    },
    readTransaction(bytes) {
      if (bytes.length < 96) return fault("encoding", "too short");
      return { ok: true, value: { id: sha256(bytes), bytes } };
    },
    checkSignature({ bytes }, verify) {
      const end = bytes.length - 64;
      return verify(bytes.subarray(end), bytes.subarray(0, end), bytes.subarray(0, 32));
    },
    checkBody(header, transactions) {
      const digest = foreignDigest(transactions.map((transaction) => transaction.bytes));
      const named = header.subarray(42);
      if (Buffer.compare(digest, named) !== 0) return fault("root", "another digest");
      const { forbidden } = options;
      if (transactions.some(({ bytes }) => forbidden !== undefined && bytes[32] === forbidden)) {
        return fault("custom", "a payload that this chain forbids");
      }
      // A view of the block itself, which the executor must not hand on as it is.
      return { ok: true, value: named };
    },
    sealHeader: (header) => header,
  };
}

/** Encodes a block on the parent with this hash. */
export function encodeForeignBlock(
  height: number,
  previousHash: string,
  timestampMs: number,
  transactions: readonly Uint8Array[],
): { readonly header: Uint8Array; readonly bytes: Uint8Array } {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(height, 0);
  header.write(previousHash, 4, "hex");
  header.writeUIntBE(timestampMs, 36, 6);
  header.set(foreignDigest(transactions), 42);
  const parts: Uint8Array[] = [header];
  for (const transaction of transactions) {
    parts.push(new Uint8Array([transaction.length >> 8, transaction.length & 255]), transaction);
  }
  return { header, bytes: Buffer.concat(parts) };
}

/** `sign` returns the 64 bytes of a signature of its argument by `sender`. */
export function encodeForeignTransaction(
  sender: Uint8Array,
  payload: Uint8Array,
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array {
  const signed = Buffer.concat([sender, payload]);
  return Buffer.concat([signed, sign(signed)]);
}

export function foreignHash(header: Uint8Array, magic: number): string {
  return createHash("sha256").update(header).update(String(magic)).digest("hex");
}

function foreignDigest(transactions: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const transaction of transactions) hash.update(sha256(transaction));
  return hash.digest();
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function fault(rule: RuleName, detail: string): Checked<never> {
  return { ok: false, fault: { rule, detail } };
}
