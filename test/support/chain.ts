// Small builders of keys, transactions and blocks for tests: valid by default, and any field can
// be overridden to break one rule at a time.

import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { encodeBlock } from "../../src/chain/block.js";
import { encodeHeader, readHeader, summarize, type HeaderFields } from "../../src/chain/header.js";
import { merkleRoot } from "../../src/chain/merkle.js";
import { genesisHeader, NETWORKS } from "../../src/chain/networks.js";
import type { ChainParams } from "../../src/chain/params.js";
import { nextDifficulty, sealHeader } from "../../src/chain/proof-of-work.js";
import { loadSignatures, type KeyPair } from "../../src/chain/signatures.js";
import { signTransaction, type TransactionFields } from "../../src/chain/transaction.js";
import type { HeaderSummary } from "../../src/types/chain.js";
import { invariant } from "../../src/errors.js";

export const signatures = await loadSignatures();

/** The development network at a difficulty that costs tests nothing. */
export const testParams: ChainParams = {
  ...NETWORKS.get("vibecoin-dev")!,
  name: "vibecoin-unit",
  minDifficulty: 16n,
};

/** The same key for the same index. */
export function makeKey(index: number): KeyPair {
  return signatures.keyPairFromSeed(sha256(Uint8Array.of(index >> 8, index & 255)));
}

/** A signed transaction of `key` to itself. */
export function makeTransaction(
  key: KeyPair,
  nonce: number,
  overrides: Partial<TransactionFields> = {},
): Uint8Array<ArrayBuffer> {
  const fields: TransactionFields = {
    sender: key.publicKey,
    recipient: key.publicKey,
    value: 1n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs: testParams.genesisTimestampMs,
    data: new Uint8Array(),
    ...overrides,
  };
  return signTransaction(fields, key.secretKey, signatures);
}

/** The id of an encoded transaction, as hex. */
export function transactionId(transaction: Uint8Array): string {
  return toHex(sha256(transaction));
}

export interface MadeBlock {
  readonly header: HeaderSummary;
  readonly headerBytes: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface MakeBlockOptions {
  readonly parent?: HeaderSummary;
  readonly transactions?: readonly Uint8Array[];
  /** Header fields that differ from those that the rules ask for. */
  readonly fields?: Partial<HeaderFields>;
  readonly params?: ChainParams;
  /** False: left with a nonce that misses the difficulty. */
  readonly sealed?: boolean;
}

/** A block on `parent` (genesis unless given), one target interval later, sealed. */
export function makeBlock(options: MakeBlockOptions = {}): MadeBlock {
  const { params = testParams, transactions = [] } = options;
  const parent = options.parent ?? genesisHeader(params);
  const timestampMs = options.fields?.timestampMs ?? parent.timestampMs + params.targetIntervalMs;
  const difficulty = nextDifficulty(parent, timestampMs, params);
  const unsealed = encodeHeader({
    height: parent.height + 1,
    previousHash: parent.hash,
    timestampMs,
    transactionRoot: merkleRoot(transactions.map(sha256)),
    stateRoot: new Uint8Array(32),
    difficulty,
    totalDifficulty: parent.totalDifficulty + difficulty,
    nonce: 2n ** 32n,
    extra: new Uint8Array(),
    ...options.fields,
  });
  const headerBytes = options.sealed === false ? spoil(unsealed) : seal(unsealed);
  const read = readHeader(headerBytes);
  invariant(read.ok, "a made header reads back");
  return {
    header: summarize(read.value),
    headerBytes,
    bytes: encodeBlock({ header: headerBytes, transactions }),
  };
}

/** `count` blocks, each on the one before. */
export function makeChain(count: number, options: MakeBlockOptions = {}): MadeBlock[] {
  const chain: MadeBlock[] = [];
  let parent = options.parent;
  for (let i = 0; i < count; i++) {
    const block = makeBlock({ ...options, ...(parent === undefined ? {} : { parent }) });
    chain.push(block);
    parent = block.header;
  }
  return chain;
}

function seal(header: Uint8Array): Uint8Array<ArrayBuffer> {
  for (let start = 0n; ; start += 65_536n) {
    const sealed = sealHeader(header, start, 65_536);
    if (sealed !== undefined) return new Uint8Array(sealed);
  }
}

/** The first nonce that is not good enough. */
function spoil(header: Uint8Array): Uint8Array<ArrayBuffer> {
  const read = readHeader(header);
  invariant(read.ok && read.value.difficulty > 1n, "every hash meets a difficulty of 1");
  for (let start = 0n; ; start++) {
    if (sealHeader(header, start, 1) === undefined) {
      return encodeHeader({ ...read.value, nonce: 2n ** 32n + start });
    }
  }
}
