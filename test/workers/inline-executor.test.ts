import test from "ava";
import { packBytes } from "../../src/bytes/packed.js";
import { powRulesModule } from "../../src/chain/rules.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import type { VerifySignature } from "../../src/types/chain.js";
import { isCoded } from "../../src/errors.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { systemClock } from "../../src/runtime/clock.js";
import {
  createInlineExecutor,
  createScheduledExecutor,
} from "../../src/workers/inline-executor.js";
import { loadRules } from "../../src/workers/rules-loader.js";
import { openSignatureCache } from "../../src/workers/signature-cache.js";
import { testCache } from "./open-pool.js";
import {
  NOW_MS,
  TEST_PARAMS,
  buildChain,
  packBlocks,
  testTransaction,
} from "../support/pow-blocks.js";
import { workerPoolContract } from "./worker-pool-contract.js";

const { verify } = await loadSignatures();

workerPoolContract(test, "the inline executor", async (module) =>
  createInlineExecutor({ rules: await loadRules(module), verify }),
);

workerPoolContract(test, "the scheduled executor", async (module) =>
  createScheduledExecutor({
    rules: await loadRules(module),
    verify,
    clock: systemClock,
    threads: 2,
    queueMax: 8,
    delayMs: () => 0,
  }),
);

async function scheduled(threads: number, queueMax: number) {
  const clock = new VirtualClock();
  const rules = await loadRules(powRulesModule(TEST_PARAMS));
  const started: string[] = [];
  const pool = createScheduledExecutor({
    rules,
    verify,
    clock,
    threads,
    queueMax,
    delayMs(task) {
      started.push(task.kind);
      return 5;
    },
  });
  return { clock, pool, started };
}

test("the scheduled executor completes tasks in virtual time, so many at a time", async (t) => {
  const { clock, pool, started } = await scheduled(2, 8);
  const done: number[] = [];
  for (let i = 0; i < 5; i++) {
    void pool.validateTransactions(packBytes([testTransaction(0, i)])).then(() => done.push(i));
  }
  t.deepEqual(pool.load(), { queued: 3, running: 2, queueMax: 8 });
  t.is(started.length, 2);
  await Promise.resolve();
  t.deepEqual(done, [], "nothing completes without time");
  for (const expected of [
    [0, 1],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
  ]) {
    clock.advanceBy(5);
    // A promise's reaction takes a few microtasks and nothing else.
    for (let i = 0; i < 5; i++) await Promise.resolve();
    t.deepEqual(done, expected);
  }
  t.is(clock.pendingTimers, 0);
});

test("the scheduled executor refuses what its queue cannot hold", async (t) => {
  const { pool } = await scheduled(1, 2);
  const submit = (): Promise<unknown> => pool.validateTransactions(packBytes([]));
  const admitted = [submit(), submit(), submit()];
  const error = await t.throwsAsync(submit());
  t.true(isCoded(error, "QUEUE_FULL"));
  void pool.close();
  for (const settled of await Promise.allSettled(admitted)) t.is(settled.status, "rejected");
});

test("closing the scheduled executor ends its tasks and leaves no timer", async (t) => {
  const { clock, pool } = await scheduled(1, 8);
  const tasks = [
    pool.validateTransactions(packBytes([])),
    pool.validateTransactions(packBytes([])),
  ];
  void pool.close();
  t.is(clock.pendingTimers, 0);
  for (const task of tasks) t.true(isCoded(await t.throwsAsync(task), "STOPPED"));
});

test("a transaction's signature is not verified again in its block", async (t) => {
  const rules = await loadRules(powRulesModule(TEST_PARAMS));
  const signatureCache = openSignatureCache(testCache());
  let count = 0;
  const counting: VerifySignature = (...parts) => verify(...parts) && ++count > 0;
  const pool = createInlineExecutor({ rules, verify: counting, signatureCache });
  const chain = buildChain(1, 5);
  const transactions = chain.blocks[0]!.transactions;
  await pool.validateTransactions(packBytes(transactions.slice(0, 3)));
  t.is(count, 3);
  const job = { blocks: packBlocks(chain.blocks), parentHeader: chain.genesisHeader };
  t.is((await pool.validateBlocks({ ...job, nowMs: NOW_MS })).accepted.length, 1);
  t.is(count, 5);
  const [, , , fourth] = transactions;
  await pool.validateTransactions(packBytes([fourth!]));
  t.is(count, 6, "those of a block are looked up and not noted");
});
