import test from "ava";
import { packBytes } from "../../src/bytes/packed.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { genesisOf } from "../../src/compose.js";
import type { ChainCommit } from "../../src/ports.js";
import { ChainAuditor } from "../../src/sim/chain-auditor.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { createExecutor } from "../../src/workers/executor.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  signatures,
  testParams,
  type MadeBlock,
} from "../support/chain.js";

const consensus = createPowConsensus(testParams);
const executor = createExecutor({ rules: consensus.rules, verify: signatures.verify });

function audited() {
  const reports: string[] = [];
  const auditor = new ChainAuditor(consensus, signatures.verify, (what) => reports.push(what));
  const open = (name: string) => {
    const { blocks } = openMemoryStores({ genesis: genesisOf(consensus) });
    const wallMs = (): number => Date.UTC(2030, 0);
    return auditor.watch(blocks, { name, clock: { wallMs } });
  };
  return { auditor, reports, open };
}

/** Connects one block to its parent, with the state that the consensus gives it. */
function commitOf(made: MadeBlock, parent: MadeBlock | undefined): ChainCommit {
  const { header, bytes } = made;
  const state: ChainCommit["state"][number][] = [];
  const genesis = consensus.rules.splitBlock(consensus.genesis);
  const parentHeader = parent?.headerBytes ?? (genesis.ok ? genesis.value.header : bytes);
  const job = { blocks: packBytes([bytes]), parentHeader, nowMs: Date.UTC(2030, 0) };
  const [block] = executor.validateBlocks(job).accepted;
  const connected = block && consensus.connect(block, { state: () => undefined });
  if (connected?.ok === true) state.push(...connected.value.writes);
  const undo = { hash: header.hash, bytes: connected?.ok === true ? connected.value.undo : bytes };
  const canonical = { fromHeight: header.height, hashes: [header.hash] };
  return { blocks: [made], undo: [undo], canonical, state };
}

test("a valid chain, with transactions, is stored by two nodes without a word", async (t) => {
  const { auditor, reports, open } = audited();
  const one = makeBlock({ transactions: [makeTransaction(makeKey(1), 0)] });
  const two = makeBlock({ parent: one.header });
  for (const store of [open("a"), open("b")]) {
    await store.commit(commitOf(one, undefined));
    await store.commit(commitOf(two, one));
  }
  t.deepEqual(reports, []);
  t.is(auditor.blockCount, 3);
});

test("an invalid block is reported when it is stored, even aside", async (t) => {
  const { reports, open } = audited();
  const block = makeBlock({ fields: { difficulty: 1n } });
  await open("a").commit({ blocks: [block], undo: [], state: [] });
  t.regex(reports[0] ?? "", /^a stored block .*difficulty/);
});

test("a block under another's hash and one without a parent are reported", async (t) => {
  const { reports, open } = audited();
  const [one, two] = makeChain(2);
  const store = open("a");
  await store.commit({ blocks: [two!], undo: [], state: [] });
  t.regex(reports.pop() ?? "", /parent is not known/);
  await store.commit(commitOf(one!, undefined));
  const other = makeBlock({ fields: { extra: Uint8Array.of(1) } });
  const { bytes } = other;
  await store.commit({ blocks: [{ ...one!, bytes }], undo: [], state: [] });
  t.regex(reports.pop() ?? "", /bytes are not those of this hash/);
});

test("a head that moves to an equal chain is reported", async (t) => {
  const { reports, open } = audited();
  const store = open("a");
  await store.commit(commitOf(makeBlock(), undefined));
  await store.commit(commitOf(makeBlock({ fields: { extra: Uint8Array.of(1) } }), undefined));
  t.regex(reports[0] ?? "", /does not prefer/);
});

test("a state that is not the chain's is reported: not written, or not undone", async (t) => {
  const { reports, open } = audited();
  const store = open("a");
  const spends = makeBlock({ transactions: [makeTransaction(makeKey(1), 0)] });
  await store.commit({ ...commitOf(spends, undefined), state: [] });
  t.regex(reports.pop() ?? "", /state is not that of this chain/);

  const other = open("b");
  await other.commit(commitOf(spends, undefined));
  const [one, two] = makeChain(2, { fields: { extra: Uint8Array.of(1) } });
  const longer = {
    blocks: [one!, two!],
    undo: [],
    canonical: { fromHeight: 1, hashes: [one!.header.hash, two!.header.hash] },
    state: [],
  };
  await other.commit(longer);
  t.regex(reports.pop() ?? "", /state is not that of this chain/);
});

test("a head that stays is reported when the store says that it moved", async (t) => {
  const { auditor, reports } = audited();
  const node = { name: "a", clock: { wallMs: () => Date.UTC(2030, 0) } };
  const deaf = openMemoryStores({ genesis: genesisOf(consensus) }).blocks;
  deaf.commit = () => Promise.resolve();
  await auditor.watch(deaf, node).commit(commitOf(makeBlock(), undefined));
  t.regex(reports.pop() ?? "", /did not move its head/);
  const { blocks, fail } = openMemoryStores({ genesis: genesisOf(consensus) });
  fail();
  await t.throwsAsync(auditor.watch(blocks, node).commit(commitOf(makeBlock(), undefined)));
  t.deepEqual(reports, [], "a store that failed may refuse");
});

test("a block whose nonce was used before must not become canonical", async (t) => {
  const { reports, open } = audited();
  const store = open("a");
  const transactions = [makeTransaction(makeKey(1), 0)];
  const one = makeBlock({ transactions });
  const two = makeBlock({ parent: one.header, transactions });
  await store.commit(commitOf(one, undefined));
  await store.commit({ ...commitOf(two, one), state: [] });
  t.regex(reports[0] ?? "", /over block .*nonce/);
});

test("a node that would undo what it had its store forget is told of", async (t) => {
  const { reports, open } = audited();
  const [one, two] = makeChain(2);
  const store = open("a");
  await store.commit(commitOf(one!, undefined));
  await store.commit(commitOf(two!, one));
  await store.prune(2);
  store.undo(two!.header.hash);
  t.deepEqual(reports, []);
  store.undo(one!.header.hash);
  t.regex(reports[0] ?? "", /^a asked how to undo the block at 1/);
});
