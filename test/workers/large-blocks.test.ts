// Large blocks in parts, on one thread: what is verified, and that the verdict is that of one task.

import test from "ava";
import { packBytes } from "../../src/bytes/packed.js";
import { powRulesModule } from "../../src/chain/rules.js";
import type { VerifySignature } from "../../src/types/chain.js";
import { createExecutor } from "../../src/workers/executor.js";
import { validateLargeBlocks, type LargeBlockSteps } from "../../src/workers/large-blocks.js";
import { loadRules } from "../../src/workers/rules-loader.js";
import { openSignatureCache } from "../../src/workers/signature-cache.js";
import { loadSignatures } from "../../src/chain/signatures.js";
import {
  buildBlock,
  buildChain,
  forged,
  NOW_MS,
  TEST_PARAMS,
  testTransaction,
} from "../support/pow-blocks.js";
import { testCache } from "./open-pool.js";

const COUNT = 300;
const transactions = Array.from({ length: COUNT }, (_, i) => testTransaction(i % 4, i + 1));
const { genesisHeader: parentHeader } = buildChain(1, 1);
const { verify } = await loadSignatures();
const rules = await loadRules(powRulesModule(TEST_PARAMS));

function start() {
  const counted = { signatures: 0, tasks: 0 };
  const counting: VerifySignature = (...parts) => {
    counted.signatures++;
    return verify(...parts);
  };
  const signatureCache = openSignatureCache(testCache());
  const executor = createExecutor({ rules, verify: counting, signatureCache });
  let lost = 0;
  const task =
    <J, V>(run: (job: J) => V) =>
    async (job: J): Promise<V> => {
      counted.tasks++;
      await Promise.resolve();
      if (counted.tasks === lost) throw new Error("the thread ended");
      return run(job);
    };
  const steps: LargeBlockSteps = {
    validateUnsigned: task(executor.validateUnsigned),
    validateSignatures: task(executor.validateSignatures),
    validateBlocks: task(executor.validateBlocks),
  };
  const jobOf = (blocks: readonly Uint8Array[]) => ({
    blocks: packBytes(blocks),
    parentHeader,
    nowMs: NOW_MS,
  });
  const inParts = (blocks: readonly Uint8Array[]) =>
    validateLargeBlocks(steps, rules, jobOf(blocks), 4);
  const inOne = (blocks: readonly Uint8Array[]) =>
    createExecutor({ rules, verify }).validateBlocks(jobOf(blocks));
  const lose = (number: number): void => void (lost = number);
  return { counted, executor, inParts, inOne, lose };
}

test("a block whose transactions were all verified before takes one task and no signature", async (t) => {
  const { counted, executor, inParts } = start();
  executor.validateTransactions(packBytes(transactions));
  counted.signatures = 0;
  const { accepted, fault } = await inParts([buildBlock(parentHeader, transactions).bytes]);
  t.is(fault, undefined);
  t.is(accepted[0]?.transactionCount, COUNT);
  t.deepEqual(counted, { signatures: 0, tasks: 1 });
});

test("of a block each signature that nobody verified is verified once", async (t) => {
  const { counted, executor, inParts } = start();
  executor.validateTransactions(packBytes(transactions.slice(0, 200)));
  counted.signatures = 0;
  t.is((await inParts([buildBlock(parentHeader, transactions).bytes])).accepted.length, 1);
  t.deepEqual(counted, { signatures: 100, tasks: 3 });
});

test("a part that is lost costs another look and no verdict", async (t) => {
  const { counted, inParts, lose } = start();
  lose(3);
  const bad = [...transactions];
  bad[299] = forged(bad[299]!);
  const { accepted, fault } = await inParts([buildBlock(parentHeader, bad).bytes]);
  t.is(accepted.length, 0);
  t.is(fault?.transaction, 299);
  t.true(counted.tasks > 3);
});

test("the verdict is that of one task, whichever signatures are forged", async (t) => {
  const more = Array.from({ length: 290 }, (_, i) => testTransaction(i % 4, 1_000 + i));
  for (const places of [[], [0], [299], [150, 20], [299, 300], [301], [589]]) {
    const all = [...transactions, ...more];
    for (const place of places) all[place] = forged(all[place]!);
    const one = buildBlock(parentHeader, all.slice(0, COUNT));
    const two = buildBlock(one.header, all.slice(COUNT));
    const { inParts, inOne } = start();
    const blocks = [one.bytes, two.bytes];
    t.deepEqual(await inParts(blocks), inOne(blocks), places.join());
    const rootless = buildBlock(one.header, more, { transactionRoot: new Uint8Array(32) });
    t.deepEqual(await inParts([one.bytes, rootless.bytes]), inOne([one.bytes, rootless.bytes]));
  }
});
