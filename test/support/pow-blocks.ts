// Builds small chains of real signed transactions and real proof of work for tests, and breaks
// them by one rule at a time.

import { packBytes } from "../../src/bytes/packed.js";
import { encodeBlock } from "../../src/chain/block.js";
import { encodeHeader, readHeader, summarize } from "../../src/chain/header.js";
import type { HeaderFields } from "../../src/chain/header.js";
import { merkleRoot } from "../../src/chain/merkle.js";
import { genesisBlock } from "../../src/chain/networks.js";
import type { ChainParams } from "../../src/chain/params.js";
import { meetsDifficulty, nextDifficulty, sealHeader } from "../../src/chain/proof-of-work.js";
import { createPowRules } from "../../src/chain/rules.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import type { SignatureScheme } from "../../src/chain/signatures.js";
import { signTransaction } from "../../src/chain/transaction.js";
import type { HeaderSummary, RuleName } from "../../src/types/chain.js";
import type { Packed } from "../../src/ports.js";

export const TEST_PARAMS: ChainParams = {
  name: "test",
  genesisTimestampMs: 1_700_000_000_000,
  minDifficulty: 16n,
  targetIntervalMs: 1_000,
  maxFutureMs: 15_000,
  blockBytesMax: 1024 * 1024,
  transactionBytesMax: 4096,
  transactionDataBytesMax: 1024,
};

export const NOW_MS = TEST_PARAMS.genesisTimestampMs + 1_000_000_000;

export interface TestBlock {
  readonly header: Uint8Array<ArrayBuffer>;
  readonly transactions: readonly Uint8Array[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface TestChain {
  readonly params: ChainParams;
  /** The header below blocks[0]. */
  readonly genesisHeader: Uint8Array;
  readonly blocks: readonly TestBlock[];
}

const scheme: SignatureScheme = await loadSignatures();

/** A signed transaction; `sender` and `nonce` make it unique. */
export function testTransaction(sender: number, nonce: number, dataBytes = 16): Uint8Array {
  const keys = scheme.keyPairFromSeed(new Uint8Array(32).fill(1 + sender));
  const fields = {
    sender: keys.publicKey,
    recipient: new Uint8Array(32).fill(7),
    value: 5n,
    gasPrice: 1n,
    gasLimit: 21_000,
    nonce,
    timestampMs: TEST_PARAMS.genesisTimestampMs + nonce,
    data: new Uint8Array(dataBytes).fill(nonce),
  };
  return signTransaction(fields, keys.secretKey, scheme);
}

/** `blockCount` blocks of `transactionCount` transactions from four senders. */
export function buildChain(
  blockCount: number,
  transactionCount: number,
  params: ChainParams = TEST_PARAMS,
): TestChain {
  const genesis = createPowRules(params).splitBlock(genesisBlock(params));
  if (!genesis.ok) throw new Error("the genesis block does not split");
  const genesisHeader = genesis.value.header;
  const blocks: TestBlock[] = [];
  let parent = genesisHeader;
  for (let height = 1; height <= blockCount; height++) {
    const transactions = Array.from({ length: transactionCount }, (_, i) =>
      testTransaction(i % 4, height * 1_000 + i),
    );
    const block = buildBlock(parent, transactions, {}, params);
    blocks.push(block);
    parent = block.header;
  }
  return { params, genesisHeader, blocks };
}

/** A block on `parent`; `changes` are made to its header before the work is done. */
export function buildBlock(
  parentHeader: Uint8Array,
  transactions: readonly Uint8Array[],
  changes: Partial<HeaderFields> = {},
  params: ChainParams = TEST_PARAMS,
): TestBlock {
  const rules = createPowRules(params);
  const parent = summaryOf(parentHeader);
  const timestampMs = changes.timestampMs ?? parent.timestampMs + params.targetIntervalMs;
  const difficulty = nextDifficulty(parent, timestampMs, params);
  const ids = transactions.map((bytes) => {
    const read = rules.readTransaction(bytes);
    return read.ok ? read.value.id : new Uint8Array(32);
  });
  const unsealed = encodeHeader({
    height: parent.height + 1,
    previousHash: parent.hash,
    timestampMs,
    transactionRoot: merkleRoot(ids),
    stateRoot: new Uint8Array(32),
    difficulty,
    totalDifficulty: parent.totalDifficulty + difficulty,
    nonce: 0n,
    extra: new Uint8Array(),
    ...changes,
  });
  const header = sealHeader(unsealed, 0n, 1_000_000);
  if (header === undefined) throw new Error("no nonce fits");
  return { header, transactions, bytes: encodeBlock({ header, transactions }) };
}

/** Every rule that a block can break, and the block on `parent` that breaks just this one. */
export function brokenBlocks(
  parentHeader: Uint8Array,
  transactions: readonly Uint8Array[],
): readonly { readonly rule: RuleName; readonly place: RegExp; readonly block: TestBlock }[] {
  const parent = summaryOf(parentHeader);
  const build = (changes: Partial<HeaderFields>): TestBlock =>
    buildBlock(parentHeader, transactions, changes);
  const withTransactions = (changed: readonly Uint8Array[]): TestBlock =>
    buildBlock(parentHeader, changed);
  const last = transactions.length - 1;
  return [
    { rule: "link", place: /parent/, block: build({ previousHash: "11".repeat(32) }) },
    { rule: "height", place: /height/, block: build({ height: parent.height + 2 }) },
    { rule: "time", place: /after/, block: build({ timestampMs: parent.timestampMs }) },
    { rule: "future", place: /future/, block: build({ timestampMs: NOW_MS + 15_001 }) },
    { rule: "difficulty", place: /due/, block: build({ difficulty: 3n }) },
    { rule: "total-difficulty", place: /total/, block: build({ totalDifficulty: 2n ** 40n }) },
    { rule: "proof-of-work", place: /hash/, block: withoutWork(build({})) },
    { rule: "root", place: /root/, block: build({ transactionRoot: new Uint8Array(32) }) },
    {
      rule: "nonce",
      place: new RegExp(`transaction ${transactions.length}\\b`),
      block: withTransactions([...transactions, testTransaction(0, 1)]),
    },
    {
      rule: "signature",
      place: new RegExp(`^transaction ${last}: `),
      block: withTransactions([...transactions.slice(0, last), forged(transactions[last]!)]),
    },
    {
      rule: "encoding",
      place: new RegExp(`^transaction ${last}: `),
      block: withTransactions([...transactions.slice(0, last), new Uint8Array([0x82, 0x41])]),
    },
    {
      rule: "size",
      place: /^transaction 0: /,
      block: withTransactions([testTransaction(0, 1, 1_025), ...transactions]),
    },
    {
      rule: "size",
      place: /bytes/,
      block: { ...build({}), bytes: new Uint8Array(TEST_PARAMS.blockBytesMax + 1) },
    },
  ];
}

export function summaryOf(header: Uint8Array): HeaderSummary {
  const read = readHeader(header);
  if (!read.ok) throw new Error("a test's header does not read");
  return summarize(read.value);
}

/** The same body under a signature of somebody else's message. */
export function forged(transaction: Uint8Array): Uint8Array {
  const changed = transaction.slice();
  // The last byte belongs to the signature's scalar, which no longer fits.
  changed[changed.length - 2]! ^= 1;
  return changed;
}

export function packBlocks(blocks: readonly TestBlock[]): Packed {
  return packBytes(blocks.map((block) => block.bytes));
}

function withoutWork(block: TestBlock): TestBlock {
  const read = readHeader(block.header);
  if (!read.ok) throw new Error("a test's header does not read");
  for (let nonce = 0n; ; nonce++) {
    const header = encodeHeader({ ...read.value, nonce });
    if (meetsDifficulty(summaryOf(header).hash, read.value.difficulty)) continue;
    return { ...block, header, bytes: encodeBlock({ header, transactions: block.transactions }) };
  }
}
