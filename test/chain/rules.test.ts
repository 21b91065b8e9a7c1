import test from "ava";
import { concatBytes } from "../../src/bytes/compare.js";
import { encodeCbor } from "../../src/bytes/cbor.js";
import type { HeaderFields } from "../../src/chain/header.js";
import { genesisHeader } from "../../src/chain/networks.js";
import { createPowRules, powRulesModule } from "../../src/chain/rules.js";
import type { Transaction } from "../../src/chain/transaction.js";
import type { HeaderSummary, RuleName } from "../../src/types/chain.js";
import {
  makeBlock,
  makeKey,
  makeTransaction,
  signatures,
  testParams,
  type MakeBlockOptions,
} from "../support/chain.js";

const rules = createPowRules(testParams);
const genesis = genesisHeader(testParams);
const nowMs = genesis.timestampMs + 60_000;
const [alice, bob] = [makeKey(1), makeKey(2)];

function check(options: MakeBlockOptions, parent: HeaderSummary = genesis) {
  return rules.checkHeader(makeBlock(options).headerBytes, parent, nowMs);
}

function readAll(transactions: readonly Uint8Array[]): Transaction[] {
  return transactions.map((bytes) => {
    const read = rules.readTransaction(bytes);
    if (!read.ok) throw new Error(read.fault.detail);
    return read.value;
  });
}

test("a chain of valid blocks passes, header by header", (t) => {
  let parent = genesis;
  for (let i = 0; i < 20; i++) {
    const timestampMs = parent.timestampMs + [1, 900, 2_000, 2_900, 4_000][i % 5]!;
    const block = makeBlock({ parent, fields: { timestampMs } });
    const verdict = rules.checkHeader(block.headerBytes, parent, nowMs);
    t.deepEqual(verdict, { ok: true, value: block.header });
    parent = block.header;
  }
  t.is(parent.height, 20);
});

const lateMs = nowMs + testParams.maxFutureMs;
const broken: [RuleName, string, MakeBlockOptions][] = [
  ["link", "another parent", { fields: { previousHash: "ab".repeat(32) } }],
  ["height", "a height too far", { fields: { height: 2 } }],
  ["height", "the parent's height", { fields: { height: 0 } }],
  ["time", "the parent's time", { fields: { timestampMs: genesis.timestampMs } }],
  ["future", "a time too far ahead", { fields: { timestampMs: lateMs + 1 } }],
  ["difficulty", "less difficulty", { fields: { difficulty: 15n } }],
  ["difficulty", "more difficulty", { fields: { difficulty: 17n } }],
  ["total-difficulty", "a total of its own", { fields: { totalDifficulty: 1_000_000n } }],
  ["proof-of-work", "no proof of work", { sealed: false }],
];
for (const [rule, what, options] of broken) {
  test(`a header with ${what} is refused by the rule ${rule}`, (t) => {
    const verdict = check(options);
    t.like(verdict, { ok: false, fault: { rule } });
    t.true(!verdict.ok && verdict.fault.detail.length > 10);
  });
}

test("the bounds of the time rule are exact", (t) => {
  t.true(check({ fields: { timestampMs: genesis.timestampMs + 1 } }).ok);
  t.true(check({ fields: { timestampMs: lateMs } }).ok);
});

test("rules are checked in their order", (t) => {
  const fields: Partial<HeaderFields> = {
    previousHash: "ab".repeat(32),
    height: 7,
    timestampMs: 0,
    difficulty: 15n,
    totalDifficulty: 1n,
  };
  const corrected: [RuleName, Partial<HeaderFields>][] = [
    ["link", { previousHash: genesis.hash }],
    ["height", { height: 1 }],
    ["time", { timestampMs: genesis.timestampMs + 2_000 }],
    ["difficulty", { difficulty: 16n }],
    ["total-difficulty", { totalDifficulty: 32n }],
  ];
  for (const [rule, correction] of corrected) {
    t.like(check({ fields, sealed: false }), { fault: { rule } });
    Object.assign(fields, correction);
  }
  t.like(check({ fields, sealed: false }), { fault: { rule: "proof-of-work" } });
  t.true(check({ fields }).ok);
});

test("a header that is none or too long is refused by encoding and size", (t) => {
  const good = makeBlock().headerBytes;
  const trailing = concatBytes([good, Uint8Array.of(0)]);
  t.like(rules.checkHeader(trailing, genesis, nowMs), { fault: { rule: "encoding" } });
  t.like(rules.readHeader(trailing), { fault: { rule: "encoding" } });
  const long = rules.checkHeader(new Uint8Array(4096), genesis, nowMs);
  t.like(long, { fault: { rule: "size" } });
});

test("total difficulty stays below 2^64", (t) => {
  const parent = { ...genesis, totalDifficulty: 2n ** 64n - 17n };
  t.true(check({ parent }, parent).ok);
  const brim = { ...genesis, totalDifficulty: 2n ** 64n - 16n };
  const verdict = check({ parent: brim, fields: { totalDifficulty: 0n } }, brim);
  t.like(verdict, { fault: { rule: "total-difficulty" } });
});

test("a block's size is checked by the splitter", (t) => {
  const small = createPowRules({ ...testParams, blockBytesMax: 200 });
  const { bytes } = makeBlock({ transactions: [makeTransaction(alice, 1)] });
  t.like(small.splitBlock(bytes), { fault: { rule: "size" } });
  t.true(rules.splitBlock(bytes).ok);
  t.like(rules.splitBlock(encodeCbor([])), { fault: { rule: "encoding" } });
});

test("a body with the root and rising nonces passes, and its effects name each sender", (t) => {
  const transactions = [
    makeTransaction(bob, 5),
    makeTransaction(alice, 0),
    makeTransaction(bob, 2 ** 53 - 1),
    makeTransaction(alice, 9),
  ];
  const verdict = rules.checkBody(makeBlock({ transactions }).headerBytes, readAll(transactions));
  t.true(verdict.ok);
  if (!verdict.ok) return;
  const uint64 = (value: bigint) => new Uint8Array(new BigUint64Array([value]).buffer).reverse();
  const expected = concatBytes([
    bob.publicKey,
    uint64(5n),
    uint64(2n ** 53n - 1n),
    alice.publicKey,
    uint64(0n),
    uint64(9n),
  ]);
  t.deepEqual(verdict.value, expected);
  const empty = rules.checkBody(makeBlock().headerBytes, []);
  t.deepEqual(empty, { ok: true, value: new Uint8Array() });
});

test("a body with another root is refused by the rule root", (t) => {
  const transactions = [makeTransaction(alice, 1), makeTransaction(bob, 1)];
  const { headerBytes } = makeBlock({ transactions });
  const read = readAll(transactions);
  for (const other of [[], [read[0]!], [read[1]!, read[0]!], [...read, read[1]!]]) {
    t.like(rules.checkBody(headerBytes, other), { fault: { rule: "root" } });
  }
  t.like(rules.checkBody(new Uint8Array(3), read), { fault: { rule: "encoding" } });
});

test("nonces that do not rise within a block are refused by the rule nonce", (t) => {
  for (const [first, second] of [
    [2, 2],
    [2, 1],
  ] as const) {
    const transactions = [makeTransaction(alice, first), makeTransaction(alice, second)];
    const { headerBytes } = makeBlock({ transactions });
    const verdict = rules.checkBody(headerBytes, readAll(transactions));
    t.like(verdict, { fault: { rule: "nonce" } });
    t.true(!verdict.ok && verdict.fault.detail.startsWith("transaction 1 "));
  }
});

test("a signature counts for its body and sender only", (t) => {
  const bytes = makeTransaction(alice, 1);
  t.true(rules.checkSignature(readAll([bytes])[0]!, signatures.verify));
  const forged = makeTransaction(alice, 1, { sender: bob.publicKey });
  t.false(rules.checkSignature(readAll([forged])[0]!, signatures.verify));
  bytes[bytes.length - 1]! ^= 1;
  t.false(rules.checkSignature(readAll([bytes])[0]!, signatures.verify));
  t.like(rules.readTransaction(bytes.subarray(1)), { fault: { rule: "encoding" } });
});

test("the rules are found by their module, with options that survive cloning", async (t) => {
  const { moduleUrl, exportName, options } = structuredClone(powRulesModule(testParams));
  const module = (await import(moduleUrl)) as Record<string, typeof createPowRules>;
  const found = module[exportName]!(options as typeof testParams);
  const block = makeBlock();
  t.deepEqual(found.checkHeader(block.headerBytes, genesis, nowMs), {
    ok: true,
    value: block.header,
  });
});
