import test from "ava";
import { GuardedConsensus } from "../../../src/actors/integration/guarded-consensus.js";
import { readBlocks } from "../../../src/actors/integration/read-blocks.js";
import {
  Reorganisation,
  type ReorganisationEnv,
  type ReorganisationStep,
} from "../../../src/actors/integration/reorganisation.js";
import { packedItems } from "../../../src/bytes/packed.js";
import type { BlocksVerdict, BlockStore, ValidateBlocksJob } from "../../../src/ports.js";
import { silentLog } from "../../../src/log.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../../support/chain.js";
import { plainStore } from "../../support/plain-store.js";
import { checkedBlocks, consensus, createHarness } from "../support.js";

const key = makeKey(1);
const chain = makeChain(4);
const spend = makeBlock({ parent: chain[0]!.header, transactions: [makeTransaction(key, 0)] });
const branch = [spend, ...makeChain(11, { parent: spend.header })];
const checked = checkedBlocks([...chain, ...branch]).slice(chain.length);
const tip = branch[11]!.header;

async function open(changed: Omit<Partial<ReorganisationEnv>, "store"> = {}) {
  const { blocks: store } = createHarness({ chain }).stores;
  await store.commit({ blocks: checked, undo: [], state: [] });
  const guarded = new GuardedConsensus(consensus, silentLog);
  return { store, consensus: guarded, floor: 0, bytesMax: 1_000_000, ...changed };
}

function verdictOf({ blocks }: ValidateBlocksJob): BlocksVerdict {
  const bytes = packedItems(blocks).map((item) => Buffer.from(item).toString("hex"));
  const accepted = checked.filter((block) =>
    bytes.includes(Buffer.from(block.bytes).toString("hex")),
  );
  return { accepted };
}

type Ended = Exclude<ReorganisationStep, { type: "again" | "read" | "check" | "store" }>;

/** Carries out what the plan asks for, to its end. */
async function carryOut(
  plan: Reorganisation,
  store: BlockStore,
  judge: (job: ValidateBlocksJob) => BlocksVerdict = verdictOf,
): Promise<{ end: Ended; jobs: ValidateBlocksJob[] }> {
  const jobs: ValidateBlocksJob[] = [];
  for (;;) {
    const step = plan.step(123);
    if (step.type === "again") continue;
    if (step.type === "read") {
      plan.read(await readBlocks(store, step.hashes, step.bytesMax));
    } else if (step.type === "check") {
      jobs.push(step.job);
      plan.checked(judge(step.job));
    } else if (step.type === "store") {
      void store.commit({ blocks: [], undo: step.undo, state: [] });
    } else return { end: step, jobs };
  }
}

test("one commit undoes the old branch and applies the new one", async (t) => {
  const env = await open();
  const plan = new Reorganisation(tip, env);
  const { end, jobs } = await carryOut(plan, env.store);
  if (end.type !== "commit") throw new Error(end.type);
  t.is(plan.forkHeight, 1);
  t.is(env.store.head().hash, chain[3]!.header.hash, "nothing is seen of it yet");
  t.is(env.store.state(key.publicKey), undefined);
  t.is(jobs.length, 1);
  t.is(jobs[0]!.nowMs, 123);
  t.deepEqual(jobs[0]!.parentHeader, chain[0]!.headerBytes);
  t.deepEqual(
    end.change.disconnected.map(({ hash }) => hash),
    [chain[3], chain[2], chain[1]].map((block) => block!.header.hash),
  );
  t.deepEqual(
    end.change.connected.map(({ header, transactionCount }) => [header.hash, transactionCount]),
    branch.map(({ header }, i) => [header.hash, i === 0 ? 1 : 0]),
  );
  t.deepEqual(end.change.head, tip);
  await end.staged.commit();
  env.store.invariants();
  t.is(env.store.head().hash, tip.hash);
  t.not(env.store.state(key.publicKey), undefined);
  t.not(env.store.undo(spend.header.hash), undefined);
});

test("a store that cannot stage gets the same in one commit", async (t) => {
  const staging = await open();
  const store = plainStore(staging.store);
  const { end } = await carryOut(new Reorganisation(tip, { ...staging, store }), store);
  if (end.type !== "commit") throw new Error(end.type);
  await end.staged.commit();
  staging.store.invariants();
  t.is(staging.store.head().hash, tip.hash);
  t.not(staging.store.state(key.publicKey), undefined);
});

test("large blocks are read and checked one at a time, small ones together", async (t) => {
  const data = new Uint8Array(60_000);
  const large = [1, 2, 3].map((nonce) => makeTransaction(key, nonce, { data }));
  const first = makeBlock({ parent: chain[0]!.header, transactions: large });
  const blocks = [first, ...makeChain(5, { parent: first.header })];
  const env = await open();
  const passed = checkedBlocks([...chain, ...blocks]).slice(chain.length);
  await env.store.commit({ blocks: passed, undo: [], state: [] });
  let done = 0;
  const { end, jobs } = await carryOut(
    new Reorganisation(blocks[5]!.header, env),
    env.store,
    (job) => ({
      accepted: passed.slice(done, (done += job.blocks.ends.length)),
    }),
  );
  t.is(end.type, "commit");
  t.deepEqual(
    jobs.map(({ blocks: { ends } }) => ends.length),
    [1, 5],
  );
});

test("a branch that leaves the chain below the floor is too deep, one at the floor is not", async (t) => {
  const at = await open({ floor: 1 });
  t.is((await carryOut(new Reorganisation(tip, at), at.store)).end.type, "commit");
  const above = await open({ floor: 2 });
  t.like((await carryOut(new Reorganisation(tip, above), above.store)).end, {
    type: "too-deep",
    floor: 2,
  });
});

test("where undo data are missing the branch is too deep, and the floor is known", async (t) => {
  const env = await open();
  const undo = env.store.undo.bind(env.store);
  env.store.undo = (hash) => (hash === chain[2]!.header.hash ? undefined : undo(hash));
  const { end } = await carryOut(new Reorganisation(tip, env), env.store);
  t.like(end, { type: "too-deep", floor: 3 });
  t.is(env.store.head().hash, chain[3]!.header.hash);
});

test("a block that the consensus does not undo is named: it may do so later", async (t) => {
  const env = await open();
  const undo = env.store.undo.bind(env.store);
  const { hash } = chain[2]!.header;
  env.store.undo = (asked) => (asked === hash ? new Uint8Array(7) : undo(asked));
  const { end } = await carryOut(new Reorganisation(tip, env), env.store);
  t.deepEqual(end, { type: "not-undone", height: 3, hash });
  t.is(env.store.head().hash, chain[3]!.header.hash);
});

test("a branch of which the store has forgotten a block is too deep", async (t) => {
  for (const forgets of ["block", "headerBytes", "summary"] as const) {
    const env = await open();
    const read = env.store[forgets].bind(env.store) as (hash: string) => unknown;
    const lost = branch[forgets === "summary" ? 4 : 5]!.header.hash;
    Object.assign(env.store, {
      readBlocks: undefined,
      [forgets]: (hash: string) => (hash === lost ? undefined : read(hash)),
    });
    const { end } = await carryOut(new Reorganisation(tip, env), env.store);
    // The header is asked for as a parent, which only the first block of a job has.
    t.is(end.type, forgets === "headerBytes" ? "commit" : "too-deep", forgets);
  }
});

test("a branch that would hold more than may be held is too deep", async (t) => {
  const env = await open({ bytesMax: 12 * 1_024 });
  t.like((await carryOut(new Reorganisation(tip, env), env.store)).end, {
    type: "too-deep",
    why: "it would hold more than 12288 bytes",
  });
});

test("a block that fails is named", async (t) => {
  const env = await open();
  const fault = { rule: "future", detail: "too far ahead" } as const;
  const judge = () => ({ accepted: checked.slice(0, 2), fault });
  const { end } = await carryOut(new Reorganisation(tip, env), env.store, judge);
  t.deepEqual(end, { type: "fault", hash: branch[2]!.header.hash, fault });
});

test("a verdict on other blocks than the branch has, or on none, ends it", async (t) => {
  for (const accepted of [[], checked.slice(1), checked.slice(0, 3), [...checked, checked[0]!]]) {
    const env = await open();
    const { end } = await carryOut(new Reorganisation(tip, env), env.store, () => ({ accepted }));
    t.like(end, { type: "fault", fault: { rule: "consensus-failed" } });
  }
});

test("a consensus that throws ends it, and one that prefers what is canonical already", async (t) => {
  const throwing = () => {
    throw new Error("out of order");
  };
  const env = await open();
  const connects = new GuardedConsensus({ ...consensus, connect: throwing }, silentLog);
  const failing = new Reorganisation(tip, { ...env, consensus: connects });
  const fails = async (plan: Reorganisation, what: RegExp): Promise<void> => {
    const { end } = await carryOut(plan, env.store);
    if (end.type !== "fault") throw new Error(end.type);
    t.is(end.fault.rule, "consensus-failed");
    t.regex(end.fault.detail, what);
  };
  await fails(failing, /^connect threw: out of order$/);
  const disconnects = new GuardedConsensus({ ...consensus, disconnect: throwing }, silentLog);
  const undoing = new Reorganisation(tip, { ...env, consensus: disconnects });
  t.like((await carryOut(undoing, env.store)).end, { type: "not-undone", height: 4 });
  const longKey = { key: new Uint8Array(256), value: undefined };
  const writes = () => ({
    ok: true as const,
    value: { writes: [longKey], undo: new Uint8Array() },
  });
  const writing = new GuardedConsensus({ ...consensus, connect: writes }, silentLog);
  await fails(new Reorganisation(tip, { ...env, consensus: writing }), /a state key has 256 bytes/);
  await fails(new Reorganisation(chain[2]!.header, env), /it prefers a block that is canonical/);
});
