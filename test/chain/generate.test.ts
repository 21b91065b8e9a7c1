import test from "ava";
import { toHex } from "../../src/bytes/hex.js";
import { sha256Hex } from "../../src/bytes/sha256.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain, type GenerateOptions } from "../../src/chain/generate.js";
import { genesisHeader } from "../../src/chain/networks.js";
import { signatures, testParams } from "../support/chain.js";

const options: GenerateOptions = {
  params: testParams,
  blocks: 12,
  transactionsPerBlock: 5,
  accounts: 3,
  seed: "a seed",
};

const digests = (overrides: Partial<GenerateOptions> = {}) =>
  [...generateChain({ ...options, ...overrides }, signatures)].map(({ bytes }) => sha256Hex(bytes));

test("a generated chain passes every check, signatures and state too", (t) => {
  const consensus = createPowConsensus(testParams);
  const { rules } = consensus;
  const state = new Map<string, Uint8Array>();
  const view = { state: (key: Uint8Array) => state.get(toHex(key)) };
  let parent = genesisHeader(testParams);
  for (const { header, bytes } of generateChain(options, signatures)) {
    const split = rules.splitBlock(bytes);
    if (!split.ok) return t.fail(split.fault.detail);
    t.deepEqual(rules.checkHeader(split.value.header, parent, header.timestampMs), {
      ok: true,
      value: header,
    });
    const transactions = split.value.transactions.map((transaction) => {
      const read = rules.readTransaction(transaction);
      if (!read.ok) throw new Error(read.fault.detail);
      t.true(rules.checkSignature(read.value, signatures.verify));
      return read.value;
    });
    t.is(transactions.length, 5);
    const effects = rules.checkBody(split.value.header, transactions);
    if (!effects.ok) return t.fail(effects.fault.detail);
    const connected = consensus.connect({ header, effects: effects.value }, view);
    if (!connected.ok) return t.fail(connected.fault.detail);
    for (const { key, value } of connected.value.writes) state.set(toHex(key), value!);
    parent = header;
  }
  t.is(parent.height, 12);
  t.is(parent.difficulty, testParams.minDifficulty);
  t.is(state.size, 3);
  return undefined;
});

test("a seed gives one chain, and another seed another one", (t) => {
  const chain = digests();
  t.deepEqual(digests(), chain);
  t.deepEqual(digests({ blocks: 4 }), chain.slice(0, 4), "a shorter chain is its beginning");
  t.notDeepEqual(digests({ seed: "another" }), chain);
  t.deepEqual(digests({ blocks: 0 }), []);
  t.throws(() => digests({ accounts: 0 }), { message: /at least one account/ });
});
