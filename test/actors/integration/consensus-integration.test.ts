import { nothingUntold } from "../../../src/actors/integration/chain-commits.js";
import test from "ava";
import {
  consensusIntegration,
  type ConnectOutcome,
  type StoreFailed,
} from "../../../src/actors/integration/consensus-integration.js";
import type { ChainChanged } from "../../../src/actors/integration/chain-events.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { CheckedBlock } from "../../../src/types/chain.js";
import { CodedError } from "../../../src/errors.js";
import type { WorkerPool } from "../../../src/ports.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
} from "../../support/chain.js";
import {
  checkedBlocks,
  createHarness,
  genesis,
  published,
  type HarnessOptions,
} from "../support.js";

const key = makeKey(1);

async function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const events = harness.probe<EventBusMessage>();
  const service = harness.probe<StoreFailed>();
  const args = { events: events.ref, untold: nothingUntold(), onStoreFailed: service.ref };
  const ref = harness.spawn(consensusIntegration, args);
  const follower = harness.probe<ChainChanged>();
  ref.tell({ type: "Subscribe", subscriber: follower.ref });
  const outcomes = harness.probe<ConnectOutcome>();
  await harness.settle();
  const { blocks } = harness.stores;
  return {
    ...harness,
    ref,
    events,
    service,
    follower,
    outcomes,
    connect: (checked: readonly CheckedBlock[], tag = 1) =>
      ref.tell({ type: "Connect", blocks: checked, tag, replyTo: outcomes.ref }),
    async connected(checked: readonly CheckedBlock[], tag = 1): Promise<ConnectOutcome> {
      ref.tell({ type: "Connect", blocks: checked, tag, replyTo: outcomes.ref });
      await harness.settle();
      blocks.invariants();
      return outcomes.last!;
    },
    head: () => blocks.head().hash,
  };
}

const chain = makeChain(6);
const checked = checkedBlocks(chain);

/** Blocks on `parent` that are not those of `chain`. */
function branch(count: number, parent?: MadeBlock, nonce = 0): MadeBlock[] {
  const transactions = [makeTransaction(key, nonce)];
  const first = makeBlock({ transactions, ...(parent ? { parent: parent.header } : {}) });
  return [first, ...makeChain(count - 1, { parent: first.header })];
}

function checkedBranch(blocks: readonly MadeBlock[], trunk: readonly MadeBlock[] = chain) {
  return checkedBlocks([...trunk, ...blocks]).slice(trunk.length);
}

// ---- extending the head ----------------------------------------------------------------------

test("blocks that extend the head are stored, told and published", async (t) => {
  const harness = await start();
  const outcome = await harness.connected(checked.slice(0, 3), 9);
  t.like(outcome, { tag: 9, ok: true, head: chain[2]!.header });
  t.is(harness.head(), chain[2]!.header.hash);
  const [change] = harness.follower.received;
  t.deepEqual(change?.disconnected, []);
  t.deepEqual(
    change?.connected.map(({ header }) => header.hash),
    chain.slice(0, 3).map(({ header }) => header.hash),
  );
  t.deepEqual(
    published(harness.events),
    chain.slice(0, 3).map(({ header: { hash, height } }) => ({
      type: "BlockConnected",
      hash,
      height,
      transactionCount: 0,
    })),
  );
});

test("what is known already is passed over", async (t) => {
  const harness = await start({ chain: chain.slice(0, 3) });
  t.like(await harness.connected(checked), { ok: true, head: chain[5]!.header });
  t.is(harness.follower.last?.connected.length, 3);
  harness.follower.take();
  t.like(await harness.connected(checked), { ok: true, head: chain[5]!.header });
  t.deepEqual(harness.follower.received, []);
});

test("nothing is acknowledged or published before it is durable", async (t) => {
  const harness = await start();
  const durable: (() => void)[] = [];
  const { blocks } = harness.stores;
  const commit = blocks.commit.bind(blocks);
  blocks.commit = async (one) => {
    await commit(one);
    await new Promise<void>((resolve) => durable.push(resolve));
  };
  harness.connect(checked.slice(0, 1));
  await harness.settle();
  t.is(harness.follower.received.length, 1, "followers read the store, which shows it already");
  t.deepEqual([harness.outcomes.received, published(harness.events)], [[], []]);
  harness.connect(checked.slice(1, 2), 2);
  await harness.settle();
  t.is(durable.length, 2, "the next block need not wait");
  for (const resolve of durable) resolve();
  await harness.settle();
  t.deepEqual(
    harness.outcomes.received.map(({ tag, ok }) => [tag, ok]),
    [
      [1, true],
      [2, true],
    ],
  );
  t.is(published(harness.events).length, 2);
});

test("a block that breaks a rule of state is named; those before it are connected", async (t) => {
  const good = makeBlock({ transactions: [makeTransaction(key, 5)] });
  const bad = makeBlock({ parent: good.header, transactions: [makeTransaction(key, 5)] });
  const child = makeBlock({ parent: bad.header });
  const harness = await start();
  const outcome = await harness.connected(checkedBlocks([good, bad, child]));
  t.like(outcome, { ok: false, reason: "fault", hash: bad.header.hash, fault: { rule: "nonce" } });
  t.is(harness.head(), good.header.hash);
  t.is(published(harness.events).length, 1);
});

test("a block known to be invalid is not tried again, nor its children", async (t) => {
  const good = makeBlock({ transactions: [makeTransaction(key, 5)] });
  const bad = makeBlock({ parent: good.header, transactions: [makeTransaction(key, 5)] });
  const child = makeBlock({ parent: bad.header });
  const all = checkedBlocks([good, bad, child]);
  const harness = await start();
  await harness.connected(all.slice(0, 2));
  let tries = 0;
  const { consensus } = harness.env;
  Object.assign(harness.env, {
    consensus: {
      ...consensus,
      connect: (...args: Parameters<typeof consensus.connect>) => {
        tries++;
        return consensus.connect(...args);
      },
    },
  });
  t.like(await harness.connected(all.slice(1, 2)), { ok: false, reason: "fault" });
  const outcome = await harness.connected(all.slice(2));
  t.like(outcome, {
    ok: false,
    reason: "fault",
    hash: child.header.hash,
    fault: { rule: "nonce" },
  });
  t.is(tries, 0);
  t.false(harness.stores.blocks.has(child.header.hash));
});

test("a block without its parent is an orphan, and its parent is named", async (t) => {
  const harness = await start();
  t.like(await harness.connected(checked.slice(2)), {
    ok: false,
    reason: "orphan",
    missing: chain[1]!.header.hash,
  });
  t.is(harness.head(), genesis.header.hash);
});

test("a store that fails is told, and not as a success", async (t) => {
  const harness = await start();
  harness.stores.fail();
  t.like(await harness.connected(checked.slice(0, 1)), { ok: false, reason: "store-failed" });
  t.deepEqual(published(harness.events), []);
  t.true(harness.log.some(({ event }) => event === "a commit failed"));
  t.like(harness.service.last, { type: "StoreFailed", error: { code: "STORE_FAILED" } });
  t.deepEqual(harness.follower.received, [], "a refused head is nobody's");
});

test("a better branch that the store refuses is told as that", async (t) => {
  const harness = await start();
  await harness.connected(checked.slice(0, 1));
  harness.stores.fail();
  const outcome = await harness.connected(checkedBranch(branch(3), []));
  t.like(outcome, { ok: false, reason: "store-failed" });
  t.is(harness.follower.received.length, 1);
});

test("a caller's store that fails in its own words is a store that failed", async (t) => {
  const cause = new Error("no more tape");
  const harness = await start();
  harness.stores.blocks.commit = () => Promise.reject(cause);
  await harness.connected(checked.slice(0, 1));
  const error = harness.service.last?.error;
  t.like(error, { code: "STORE_FAILED", message: "A commit failed: no more tape", cause });
});

test("old forks and undo data are pruned as the chain grows", async (t) => {
  const harness = await start({
    config: { chain: { reorgDepthMax: 2, pruneEveryBlocks: 2 } },
  });
  await harness.connected(checked.slice(0, 1));
  const aside = branch(1);
  await harness.connected(checkedBranch(aside));
  t.true(harness.stores.blocks.has(aside[0]!.header.hash));
  for (const block of checked.slice(1)) await harness.connected([block]);
  t.false(harness.stores.blocks.has(aside[0]!.header.hash));
  t.is(harness.stores.blocks.undo(chain[0]!.header.hash), undefined);
  t.truthy(harness.stores.blocks.undo(chain[5]!.header.hash));
});

// ---- forks -----------------------------------------------------------------------------------

test("a branch that is no better is set aside, and the head stays", async (t) => {
  const harness = await start({ chain: chain.slice(0, 2) });
  const aside = branch(2);
  t.like(await harness.connected(checkedBranch(aside)), { ok: true, head: chain[1]!.header });
  t.is(harness.head(), chain[1]!.header.hash);
  t.true(harness.stores.blocks.has(aside[1]!.header.hash));
  t.deepEqual(harness.follower.received, []);
  t.deepEqual(published(harness.events), []);
});

test("a better branch replaces several blocks at once, in one step for everybody", async (t) => {
  const harness = await start({ chain: chain.slice(0, 5) });
  const better = branch(5, chain[1]);
  const outcome = await harness.connected(checkedBranch(better));
  t.like(outcome, { ok: true, head: better[4]!.header });
  t.is(harness.head(), better[4]!.header.hash);
  t.is(harness.follower.received.length, 1);
  const change = harness.follower.received[0]!;
  t.deepEqual(
    change.disconnected.map(({ height }) => height),
    [5, 4, 3],
  );
  t.deepEqual(
    change.connected.map(({ header }) => header.hash),
    better.map(({ header }) => header.hash),
  );
  t.deepEqual(
    published(harness.events).map(({ type }) => type),
    [
      "ChainReorganised",
      ...new Array<string>(3).fill("BlockDisconnected"),
      ...new Array<string>(5).fill("BlockConnected"),
    ],
  );
  const at = ({ header: { hash, height } }: MadeBlock) => ({ hash, height });
  t.deepEqual(published(harness.events)[0], {
    type: "ChainReorganised",
    from: at(chain[4]!),
    to: at(better[4]!),
    fork: at(chain[1]!),
    disconnected: [4, 3, 2].map((index) => at(chain[index]!)),
    connected: better.map(at),
    disconnectedCount: 3,
    connectedCount: 5,
  });
});

test("a branch that grows block by block wins when it becomes the better one", async (t) => {
  const harness = await start({ chain: chain.slice(0, 3) });
  const better = checkedBranch(branch(4));
  for (const [index, block] of better.entries()) {
    await harness.connected([block]);
    t.is(harness.head() === block.header.hash, index === 3);
  }
});

test("state follows a reorganisation: what the old branch spent can be spent again", async (t) => {
  const spends = (nonce: number, parent?: MadeBlock): MadeBlock =>
    makeBlock({
      transactions: [makeTransaction(key, nonce)],
      ...(parent ? { parent: parent.header } : {}),
    });
  const a1 = spends(3);
  const a2 = spends(9, a1);
  const b1 = spends(2);
  const b2 = spends(7, b1);
  const b3 = spends(9, b2);
  const harness = await start({ chain: [a1, a2] });
  t.like(await harness.connected(checkedBlocks([b1, b2, b3])), { ok: true });
  t.is(harness.head(), b3.header.hash);
  // And back again, on the longer old branch.
  const a3 = spends(10, a2);
  const a4 = spends(11, a3);
  t.like(await harness.connected(checkedBlocks([a1, a2, a3, a4]).slice(2)), { ok: true });
  t.is(harness.head(), a4.header.hash);
});

test("a branch that turns out invalid leaves everything as it was, and is not tried again", async (t) => {
  let jobs = 0;
  const { workers } = createHarness().env;
  const counting: WorkerPool = {
    ...workers,
    validateBlocks: (job) => {
      jobs++;
      return workers.validateBlocks(job);
    },
  };
  const harness = await start({ chain: chain.slice(0, 2), env: { workers: counting } });
  const first = makeBlock({ transactions: [makeTransaction(key, 5)] });
  const bad = makeBlock({ parent: first.header, transactions: [makeTransaction(key, 5)] });
  const last = makeBlock({ parent: bad.header });
  const all = checkedBlocks([first, bad, last]);
  t.like(await harness.connected(all), {
    ok: false,
    reason: "fault",
    hash: bad.header.hash,
    fault: { rule: "nonce" },
  });
  t.is(harness.head(), chain[1]!.header.hash);
  t.deepEqual(harness.follower.received, []);
  t.is(jobs, 1);
  for (const again of [all, all.slice(1), all.slice(2)]) {
    t.like(await harness.connected(again), { ok: false, reason: "fault" });
  }
  t.is(jobs, 1);
});

test("a long branch is checked in several jobs, and what comes meanwhile waits its turn", async (t) => {
  const trunk = makeChain(17);
  const longer = branch(20);
  const harness = await start({ chain: trunk });
  harness.connect(checkedBranch(longer, trunk), 1);
  const next = makeBlock({ parent: longer[19]!.header });
  const stale = makeBlock({ parent: trunk[16]!.header });
  harness.connect(checkedBlocks([...longer, next]).slice(20), 2);
  harness.connect(checkedBlocks([...trunk, stale]).slice(17), 3);
  await harness.settle();
  t.deepEqual(
    harness.outcomes.received.map(({ tag, ok }) => [tag, ok]),
    [
      [1, true],
      [2, true],
      [3, true],
    ],
  );
  t.is(harness.head(), next.header.hash);
  harness.stores.blocks.invariants();
});

test("when the pool loses a reorganisation it is given up, and can be tried again", async (t) => {
  const { workers } = createHarness().env;
  let lost = 1;
  const unreliable: WorkerPool = {
    ...workers,
    validateBlocks: (job) =>
      lost-- > 0
        ? Promise.reject(new CodedError("WORKER_LOST", "A thread died."))
        : workers.validateBlocks(job),
  };
  const harness = await start({ chain: chain.slice(0, 2), env: { workers: unreliable } });
  const better = checkedBranch(branch(3));
  harness.connect(better, 1);
  harness.connect(checked.slice(2, 3), 2);
  await harness.settle();
  t.like(harness.outcomes.received, [
    { tag: 1, ok: false, reason: "busy" },
    { tag: 2, ok: true },
  ]);
  t.is(harness.head(), chain[2]!.header.hash);
  const longer = checkedBranch(branch(4));
  t.like(await harness.connected(longer), { ok: true, head: longer[3]!.header });
});

test("no more than a bounded number of connects wait for a reorganisation", async (t) => {
  const { workers } = createHarness().env;
  let answer: () => void = () => undefined;
  const slow: WorkerPool = {
    ...workers,
    validateBlocks: (job) =>
      new Promise((resolve) => (answer = () => resolve(workers.validateBlocks(job)))),
  };
  const harness = await start({ chain: chain.slice(0, 2), env: { workers: slow } });
  harness.connect(checkedBranch(branch(3)), 0);
  await harness.settle();
  for (let tag = 1; tag <= 260; tag++) harness.connect(checked.slice(0, 1), tag);
  await harness.settle();
  t.deepEqual(
    harness.outcomes.take().map((outcome) => [outcome.tag, outcome.ok || outcome.reason]),
    [257, 258, 259, 260].map((tag) => [tag, "busy"]),
  );
  answer();
  await harness.settle();
  t.is(harness.outcomes.received.length, 257);
});

test("a fork deeper than the limit is not followed", async (t) => {
  const harness = await start({ chain, config: { chain: { reorgDepthMax: 3 } } });
  t.like(await harness.connected(checkedBranch(branch(9, chain[1]))), {
    ok: false,
    reason: "too-deep",
  });
  t.is(harness.head(), chain[5]!.header.hash);
  const [deep] = branch(1, chain[1]);
  t.like(await harness.connected(checkedBranch([deep!])), { ok: false, reason: "too-deep" });
  t.false(harness.stores.blocks.has(deep!.header.hash), "nor set aside");
  const within = branch(5, chain[2]);
  t.like(await harness.connected(checkedBranch(within)), { ok: true, head: within[4]!.header });
});

test("a follower that stopped is told nothing more", async (t) => {
  const harness = await start();
  harness.follower.stop();
  await harness.settle();
  const lost = harness.system.deadLetters;
  await harness.connected(checked);
  t.is(harness.system.deadLetters, lost);
});
