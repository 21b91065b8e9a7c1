import test from "ava";
import fc from "fast-check";
import { concatBytes } from "../../src/bytes/compare.js";
import { toHex } from "../../src/bytes/hex.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { genesisHeader } from "../../src/chain/networks.js";
import type { CheckedBlock } from "../../src/types/chain.js";
import type { StateView, StateWrite } from "../../src/ports.js";
import { lastNonce, nonceWrite } from "../../src/chain/nonce-state.js";
import { makeBlock, makeKey, makeTransaction, testParams } from "../support/chain.js";

const consensus = createPowConsensus(testParams);
const genesis = genesisHeader(testParams);
const keys = [0, 1, 2, 3].map(makeKey);

class MapState implements StateView {
  readonly entries = new Map<string, string>();

  state(key: Uint8Array): Uint8Array | undefined {
    const value = this.entries.get(toHex(key));
    return value === undefined ? undefined : new Uint8Array(Buffer.from(value, "hex"));
  }

  apply(writes: readonly StateWrite[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) this.entries.delete(toHex(key));
      else this.entries.set(toHex(key), toHex(value));
    }
  }
}

/** A block as the stateless half hands it on. */
function checked(transactions: readonly Uint8Array[]): Pick<CheckedBlock, "header" | "effects"> {
  const block = makeBlock({ transactions });
  const read = transactions.map((bytes) => {
    const answer = consensus.rules.readTransaction(bytes);
    if (!answer.ok) throw new Error(answer.fault.detail);
    return answer.value;
  });
  const effects = consensus.rules.checkBody(block.headerBytes, read);
  if (!effects.ok) throw new Error(effects.fault.detail);
  return { header: block.header, effects: effects.value };
}

test("the heavier total difficulty is preferred and a tie keeps the head", (t) => {
  const lighter = { ...genesis, height: 900, totalDifficulty: 10n };
  const heavier = { ...genesis, height: 2, totalDifficulty: 11n };
  t.true(consensus.prefers(heavier, lighter));
  t.false(consensus.prefers(lighter, heavier));
  t.false(consensus.prefers(heavier, { ...heavier, hash: "ab".repeat(32) }));
});

test("connecting stores each sender's last nonce", (t) => {
  const state = new MapState();
  const transactions = [
    makeTransaction(keys[0]!, 3),
    makeTransaction(keys[1]!, 0),
    makeTransaction(keys[0]!, 8),
  ];
  const answer = consensus.connect(checked(transactions), state);
  t.true(answer.ok);
  if (!answer.ok) return;
  state.apply(answer.value.writes);
  t.is(lastNonce(state, keys[0]!.publicKey), 8);
  t.is(lastNonce(state, keys[1]!.publicKey), 0);
  t.is(lastNonce(state, keys[2]!.publicKey), -1);
});

test("a nonce that state has passed is refused by the rule nonce", (t) => {
  const state = new MapState();
  state.apply([nonceWrite(keys[0]!.publicKey, 5)]);
  for (const [nonce, ok] of [
    [4, false],
    [5, false],
    [6, true],
    [600, true],
  ] as const) {
    const transactions = [makeTransaction(keys[1]!, 0), makeTransaction(keys[0]!, nonce)];
    const answer = consensus.connect(checked(transactions), state);
    t.is(answer.ok, ok, `nonce ${nonce}`);
    if (!answer.ok) t.is(answer.fault.rule, "nonce");
  }
});

test("disconnecting undoes connecting, block by block", (t) => {
  const step = fc.record({
    sender: fc.nat(keys.length - 1),
    gap: fc.integer({ min: 1, max: 3 }),
  });
  const blocks = fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 5 });
  const property = fc.property(blocks, (made) => {
    const state = new MapState();
    const next = keys.map(() => 0);
    const history: { before: [string, string][]; undo: Uint8Array }[] = [];
    for (const steps of made) {
      const transactions = steps.map(({ sender, gap }) => {
        const nonce = next[sender]! + gap - 1;
        next[sender] = nonce + 1;
        return makeTransaction(keys[sender]!, nonce);
      });
      const answer = consensus.connect(checked(transactions), state);
      if (!answer.ok) throw new Error(answer.fault.detail);
      history.push({ before: [...state.entries].sort(), undo: answer.value.undo });
      state.apply(answer.value.writes);
    }
    for (const { before, undo } of history.reverse()) {
      state.apply(consensus.disconnect(undo));
      t.deepEqual([...state.entries].sort(), before);
    }
    t.is(state.entries.size, 0);
  });
  t.notThrows(() => fc.assert(property, { numRuns: 30 }));
});

test("effects and undo data of another shape are a programmer's mistake", (t) => {
  const block = { header: genesis, effects: new Uint8Array(47) };
  t.throws(() => consensus.connect(block, new MapState()), { message: /invariant/ });
  t.throws(() => consensus.disconnect(new Uint8Array(40)), { message: /invariant/ });
});

test("writes and undo data keep no block alive", (t) => {
  const effects = checked([makeTransaction(keys[0]!, 1)]).effects;
  const holder = concatBytes([new Uint8Array(1000), effects]);
  const answer = consensus.connect(
    { header: genesis, effects: holder.subarray(1000) },
    new MapState(),
  );
  t.true(answer.ok);
  if (answer.ok) t.is(answer.value.writes[0]!.key.buffer.byteLength, 32);
});

test("a template, once sealed and assembled, is a valid block", (t) => {
  const transactions = keys.map((key) => makeTransaction(key, 1));
  const nowMs = genesis.timestampMs + 1_234.5;
  const parts = consensus.template(genesis, transactions, nowMs);
  const header = consensus.rules.sealHeader(parts.header, 0n, 100_000);
  t.truthy(header);
  const block = consensus.assemble({ ...parts, header: header! });
  const split = consensus.rules.splitBlock(block);
  t.true(split.ok);
  if (!split.ok) return;
  const verdict = consensus.rules.checkHeader(split.value.header, genesis, nowMs);
  t.like(verdict, { ok: true, value: { timestampMs: genesis.timestampMs + 1_234, height: 1 } });
  t.deepEqual(split.value.transactions, transactions);
});

test("a template by a clock that lags is still later than its parent", (t) => {
  const parts = consensus.template(genesis, [], genesis.timestampMs - 5_000);
  const read = consensus.rules.readHeader(parts.header);
  t.like(read, { value: { timestampMs: genesis.timestampMs + 1 } });
});

test("a foreign stateless half takes the place of the default one", (t) => {
  const rules = { ...consensus.rules };
  const rulesModule = { moduleUrl: "file:///rules.js", exportName: "rules", options: 1 };
  const foreign = createPowConsensus(testParams, { foreign: { rulesModule, rules } });
  t.is(foreign.rules, rules);
  t.is(foreign.rulesModule, rulesModule);
  t.deepEqual(foreign.genesis, consensus.genesis);
});
