import test from "ava";
import { branchTo, Reorganisation } from "../../../src/actors/integration/reorganisation.js";
import { packedItems } from "../../../src/bytes/packed.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../../support/chain.js";
import { checkedBlocks, consensus, createHarness, genesis } from "../support.js";

const key = makeKey(1);
const chain = makeChain(4);
const first = makeBlock({ parent: chain[0]!.header, transactions: [makeTransaction(key, 0)] });
const branch = [first, ...makeChain(11, { parent: first.header })];
const checked = checkedBlocks([...chain, ...branch]).slice(chain.length);

async function open() {
  const { stores } = createHarness({ chain });
  await stores.blocks.commit({ blocks: checked, undo: [], state: [] });
  return { blocks: stores.blocks, consensus };
}

test("a branch goes from the block that both chains share to its tip", async (t) => {
  const env = await open();
  const found = branchTo(branch[11]!.header, env)!;
  t.is(found.fork.hash, chain[0]!.header.hash);
  t.deepEqual(
    found.blocks.map(({ hash }) => hash),
    branch.map(({ header }) => header.hash),
  );
});

test("a canonical tip has an empty branch, and one whose fork was pruned has none", async (t) => {
  const env = await open();
  t.deepEqual(branchTo(chain[2]!.header, env)?.blocks, []);
  const unknown = { ...branch[0]!.header, hash: "ee".repeat(32), previousHash: "dd".repeat(32) };
  t.is(branchTo(unknown, env), undefined);
});

test("its blocks are checked again in jobs of a few, each on the one before", async (t) => {
  const env = await open();
  const plan = new Reorganisation(branchTo(branch[11]!.header, env)!, env);
  const job = plan.nextJob(123);
  t.is(job.nowMs, 123);
  t.deepEqual(job.parentHeader, chain[0]!.headerBytes);
  t.deepEqual(
    packedItems(job.blocks),
    branch.slice(0, 8).map(({ bytes }) => bytes),
  );
  t.is(plan.checked({ accepted: checked.slice(0, 8) }), undefined);
  t.false(plan.complete);
  const last = plan.nextJob(0);
  t.deepEqual(last.parentHeader, branch[7]!.headerBytes);
  t.is(packedItems(last.blocks).length, 4);
  plan.checked({ accepted: checked.slice(8) });
  t.true(plan.complete);
});

test("a block that fails is named", async (t) => {
  const env = await open();
  const plan = new Reorganisation(branchTo(branch[11]!.header, env)!, env);
  const fault = { rule: "future", detail: "too far ahead" } as const;
  const failed = plan.checked({ accepted: checked.slice(0, 2), fault });
  t.deepEqual(failed, { hash: branch[2]!.header.hash, fault });
});

test("one commit undoes the old branch and applies the new one", async (t) => {
  const env = await open();
  const plan = new Reorganisation(branchTo(branch[11]!.header, env)!, env);
  plan.checked({ accepted: checked });
  t.is(plan.forkHeight, 1);
  const result = plan.apply();
  if (!result.ok) throw new Error(result.fault.detail);
  const { commit, change } = result;
  t.deepEqual(commit.blocks, []);
  t.deepEqual(commit.canonical, {
    fromHeight: 2,
    hashes: branch.map(({ header }) => header.hash),
  });
  t.is(commit.undo.length, 12);
  t.is(commit.state.length, 1);
  t.deepEqual(
    change.disconnected.map(({ hash }) => hash),
    [chain[3], chain[2], chain[1]].map((block) => block!.header.hash),
  );
  t.is(change.head.hash, branch[11]!.header.hash);
  await env.blocks.commit(commit);
  env.blocks.invariants();
  t.is(env.blocks.head().hash, branch[11]!.header.hash);
  t.not(env.blocks.head().hash, genesis.header.hash);
});
