import ava from "ava";
import type { ExecutionContext } from "ava";
import { packBytes } from "../../src/bytes/packed.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { isCoded } from "../../src/errors.js";
import type { ErrorCode } from "../../src/errors.js";
import type { BlocksVerdict, Clock, WorkerPool } from "../../src/ports.js";
import type { PoolTrouble } from "../../src/workers/pool.js";
import { openSignatureCache } from "../../src/workers/signature-cache.js";
import { openTestPool, startTestPool, testCache } from "./open-pool.js";
import {
  NOW_MS,
  TEST_PARAMS,
  buildBlock,
  buildChain,
  forged,
  packBlocks,
  testTransaction,
} from "../support/pow-blocks.js";
import { Trap } from "../support/trap-rules.js";
import type { TrapMode } from "../support/trap-rules.js";
import { workerPoolContract } from "./worker-pool-contract.js";

// One by one: each opens threads of its own.
const test = ava.serial;

workerPoolContract(test, "the worker pool", (rulesModule) =>
  openTestPool({ rulesModule, threads: 2, signatureCache: testCache() }),
);

const chain = buildChain(2, 4);

function submitChain(pool: WorkerPool): Promise<BlocksVerdict> {
  const { blocks, genesisHeader: parentHeader } = chain;
  return pool.validateBlocks({ blocks: packBlocks(blocks), parentHeader, nowMs: NOW_MS });
}

async function rejectsWith(t: ExecutionContext, work: Promise<unknown>, code: ErrorCode) {
  const error = await t.throwsAsync(work);
  t.true(isCoded(error, code), `${code} expected, got ${String(error)}`);
}

/** A turn of the event loop; threads at work do not keep the process alive, waiting here does. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves once so many threads wait in the trap. */
async function untilCaught(trap: Trap, count: number): Promise<void> {
  while (trap.caught < count) await turn();
}

for (const mode of ["exit", "heap"] as const satisfies readonly TrapMode[]) {
  test(`a thread that ends in mid-task (${mode}) loses the task and is replaced`, async (t) => {
    const trap = new Trap(TEST_PARAMS);
    const pool = await openTestPool({ rulesModule: trap.module, heapMiB: 32 });
    trap.arm(mode, 5);
    await rejectsWith(t, submitChain(pool), "WORKER_LOST");
    t.is((await submitChain(pool)).accepted.length, 2);
    t.deepEqual(pool.load(), { queued: 0, running: 0, queueMax: 64 });
    await pool.close();
  });
}

/** A clock whose time passes when a test says so: every timer then is due. */
function heldClock(): Clock & { pass(): void } {
  const due = new Set<() => void>();
  return {
    monotonicMs: () => 0,
    wallMs: () => NOW_MS,
    setTimer(_delayMs, callback) {
      const fire = (): void => callback();
      due.add(fire);
      return { cancel: () => void due.delete(fire) };
    },
    pass() {
      const fired = [...due];
      due.clear();
      for (const fire of fired) fire();
    },
  };
}

/** Lets time pass until it settles. */
async function settled(work: Promise<unknown>, clock: { pass(): void }): Promise<unknown> {
  let outcome: unknown;
  const settling = work.then(
    () => (outcome = "done"),
    (error: unknown) => (outcome = error),
  );
  while (outcome === undefined) {
    clock.pass();
    await turn();
  }
  return settling;
}

test("a task that does not end loses its thread, and the next one finds another", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const told: [string, PoolTrouble][] = [];
  const onTrouble = (...trouble: [string, PoolTrouble]): void => void told.push(trouble);
  const clock = heldClock();
  const pool = await openTestPool({ rulesModule: trap.module, clock, taskMsMax: 8_000, onTrouble });
  trap.arm("loop");
  const looping = submitChain(pool);
  await untilCaught(trap, 1);
  const error = await settled(looping, clock);
  t.true(isCoded(error, "WORKER_LOST"));
  t.regex(String(error), /at one task for more than 8000 ms/);
  t.is((await submitChain(pool)).accepted.length, 2);
  while (told.length < 2) await turn();
  const rules = trap.module.moduleUrl;
  t.like(told[0], ["a pool task was lost", { rules, task: "validateBlocks" }]);
  t.like(told[1], ["a pool thread ended", { rules, threadsEnded: 1 }]);
  await pool.close();
});

test("rules that loop while a thread loads them end the start", async (t) => {
  const rulesModule = {
    moduleUrl: new URL("../support/trap-rules.js", import.meta.url).href,
    exportName: "createLoopingRules",
    options: TEST_PARAMS,
  };
  const clock = heldClock();
  const pool = await startTestPool({ rulesModule, clock });
  const error = await settled(pool.started, clock);
  t.true(isCoded(error, "WORKER_LOST"));
  t.regex(
    String(error),
    /no thread .* chain rules "createLoopingRules" of file:.*trap-rules\.js: /,
  );
  await pool.close();
  t.is(threadsAlive(), 0);
});

test("a module that never finishes loading is named", async (t) => {
  const moduleUrl = "data:text/javascript,await new Promise(() => {});";
  const rulesModule = { moduleUrl, exportName: "rules", options: {} };
  const clock = heldClock();
  const error = await settled(openTestPool({ rulesModule, clock }), clock);
  t.true(isCoded(error, "RULES_UNLOADABLE"));
  t.true(String(error).includes(moduleUrl), String(error));
});

test("what rules throw costs the task and is told, and ends no thread", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const told: [string, PoolTrouble][] = [];
  const pool = await openTestPool({
    rulesModule: trap.module,
    threadEndsMax: 0,
    onTrouble: (...trouble) => void told.push(trouble),
  });
  for (let i = 0; i < 3; i++) {
    trap.arm("throw");
    await rejectsWith(t, submitChain(pool), "WORKER_LOST");
  }
  t.is(told.length, 3);
  t.like(told[0]![1], { task: "validateBlocks", error: "the trap was sprung" });
  t.is((await submitChain(pool)).accepted.length, 2);
  await pool.close();
});

test("rules that throw at every block cost each block, also where the loop looks into it", async (t) => {
  const moduleUrl = new URL("../support/trap-rules.js", import.meta.url).href;
  const rulesModule = { moduleUrl, exportName: "createThrowingRules", options: TEST_PARAMS };
  const pool = await openTestPool({ rulesModule, signatureCache: testCache() });
  const job = (bytes: number) => ({
    blocks: packBytes([new Uint8Array(bytes)]),
    parentHeader: chain.genesisHeader,
    nowMs: NOW_MS,
  });
  await rejectsWith(t, pool.validateBlocks(job(100)), "WORKER_LOST");
  await rejectsWith(t, pool.validateBlocks(job(100_000)), "WORKER_LOST");
  await pool.close();
});

test("after too many ended threads the pool is broken and says which module it was", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const ended: unknown[] = [];
  const pool = await openTestPool({
    rulesModule: trap.module,
    threadEndsMax: 2,
    onTrouble: (what, { threadsEnded }) =>
      what === "a pool thread ended" && ended.push(threadsEnded),
  });
  for (let i = 0; i < 3; i++) {
    trap.arm("exit");
    await rejectsWith(t, submitChain(pool), "WORKER_LOST");
  }
  const { code, message } = await pool.broken;
  t.is(code, "WORKER_LOST");
  t.regex(message, /^3 threads of the worker pool ended, .* exited with code: 1; the chain rules/);
  t.true(message.includes(trap.module.moduleUrl));
  t.deepEqual(ended, [1, 2, 3]);
  const error = await t.throwsAsync(submitChain(pool));
  t.is(error.message, message);
  await pool.close();
});

test("an error outside of any task is told and ends nothing but its thread", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const told: string[] = [];
  const onTrouble = (what: string, { error }: PoolTrouble): void => {
    if (what === "a pool thread ended") told.push(error);
  };
  const pool = await openTestPool({ rulesModule: trap.module, onTrouble });
  trap.arm("uncaught");
  // The error may be heard before the verdict, and the task is then lost with its thread.
  await submitChain(pool).catch(() => undefined);
  while (told.length === 0) await turn();
  t.regex(told[0]!, /nobody catches this/);
  t.is((await submitChain(pool)).accepted.length, 2);
  await pool.close();
});

test("the other tasks of a pool outlive the thread that ends", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const pool = await openTestPool({ rulesModule: trap.module, threads: 2 });
  trap.arm("exit", 3);
  const settled = await Promise.allSettled(Array.from({ length: 12 }, () => submitChain(pool)));
  const lost = settled.filter((result) => result.status === "rejected");
  // At most the task that ran and the one that the thread had next.
  t.true(lost.length >= 1 && lost.length <= 2, `${lost.length} lost`);
  for (const { reason } of lost) t.true(isCoded(reason, "WORKER_LOST"));
  await pool.close();
});

test("a full queue refuses work and leaves its bytes with the caller", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const pool = await openTestPool({ rulesModule: trap.module, queueMax: 2 });
  trap.arm("wait");
  const submit = (): Promise<unknown> =>
    pool.validateTransactions(packBytes([testTransaction(0, 1)]));
  const admitted = [submit(), submit(), submit(), submit()];
  t.deepEqual(pool.load(), { queued: 2, running: 2, queueMax: 2 });
  const refused = packBytes([testTransaction(0, 2)]);
  const length = refused.buffer.byteLength;
  await rejectsWith(t, pool.validateTransactions(refused), "QUEUE_FULL");
  t.is(refused.buffer.byteLength, length);
  trap.release();
  await Promise.all(admitted);
  t.is((await pool.validateTransactions(refused)).faults.length, 0);
  t.is(refused.buffer.byteLength, 0, "the bytes of an admitted task move");
  await pool.close();
});

test("closing waits for tasks that end in time", async (t) => {
  const pool = await openTestPool();
  const work = [submitChain(pool), submitChain(pool), submitChain(pool), submitChain(pool)];
  await pool.close();
  for (const verdict of await Promise.all(work)) t.is(verdict.accepted.length, 2);
});

test("closing ends the threads under tasks that do not end, and leaves none", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const pool = await openTestPool({ rulesModule: trap.module, closeWaitMs: 20, threads: 2 });
  trap.arm("wait");
  const work = Array.from({ length: 6 }, () => submitChain(pool));
  await untilCaught(trap, 2);
  const rejections = work.map((task) => rejectsWith(t, task, "STOPPED"));
  const closed = pool.close();
  await rejectsWith(t, submitChain(pool), "STOPPED");
  await closed;
  await Promise.all(rejections);
  t.is(threadsAlive(), 0);
});

test("an idle pool keeps no process alive", async (t) => {
  const { spawn } = await import("node:child_process");
  const module = new URL("./open-pool.js", import.meta.url).href;
  const script = `const { openTestPool } = await import(${JSON.stringify(module)});
    await openTestPool({ threads: 2 }); console.log("open");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((resolve) => child.once("exit", resolve));
  t.is(output, "open\n");
  t.is(code, 0);
});

test("rules that cannot be loaded are named", async (t) => {
  const options = TEST_PARAMS;
  const url = (path: string): string => new URL(path, import.meta.url).href;
  const cases = [
    { moduleUrl: url("./nowhere.js"), exportName: "rules", says: /nowhere\.js cannot be imported/ },
    {
      moduleUrl: url("./open-pool.js"),
      exportName: "absent",
      says: /"absent" of .* not an exported/,
    },
    { moduleUrl: "node:querystring", exportName: "parse", says: /have no method splitBlock/ },
    { moduleUrl: "node:path", exportName: "dirname", says: /refuse their options/ },
    {
      moduleUrl: url("../support/trap-rules.js"),
      exportName: "createMainOnlyRules",
      says: /thread/,
    },
  ];
  for (const { says, ...rulesModule } of cases) {
    const open = openTestPool({ rulesModule: { ...rulesModule, options } });
    const error = await t.throwsAsync(open);
    t.true(isCoded(error, "RULES_UNLOADABLE"), String(error));
    t.regex(error?.message ?? "", says);
  }
  t.is(threadsAlive(), 0);
});

test("threads that cannot live reject the opening", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  trap.failStarts(true);
  await rejectsWith(t, openTestPool({ rulesModule: trap.module }), "WORKER_LOST");
  t.is(threadsAlive(), 0);
});

test("nothing waits for ever when a lost thread cannot be replaced", async (t) => {
  const trap = new Trap(TEST_PARAMS);
  const pool = await openTestPool({ rulesModule: trap.module });
  trap.arm("exit");
  trap.failStarts(true);
  const work = Array.from({ length: 6 }, () => submitChain(pool));
  await Promise.all(work.map((task) => rejectsWith(t, task, "WORKER_LOST")));
  t.is(pool.load().running, 0);
  trap.failStarts(false);
  t.is((await submitChain(pool)).accepted.length, 2, "the next task finds a thread again");
  await pool.close();
});

test("large blocks get the verdict of small ones, cheap rules first", async (t) => {
  const count = 300;
  const transactions = Array.from({ length: count }, (_, i) => testTransaction(i % 4, i + 1));
  const { genesisHeader: parentHeader } = chain;
  const memory = testCache();
  const pool = await openTestPool({ threads: 2, signatureCache: memory, queueMax: 1 });
  let together = 0;
  const validate = async (bytes: Uint8Array): Promise<BlocksVerdict> => {
    together = 0;
    const job = { blocks: packBytes([bytes]), parentHeader, nowMs: NOW_MS };
    const verdict = pool.validateBlocks(job);
    while (pool.load().running > 0) {
      together = Math.max(together, pool.load().running);
      await turn();
    }
    return verdict;
  };

  const rootless = buildBlock(parentHeader, transactions, { transactionRoot: new Uint8Array(32) });
  t.is((await validate(rootless.bytes)).fault?.rule, "root");
  const verified = openSignatureCache(memory);
  t.false(
    transactions.some((bytes) => verified.has(sha256(bytes))),
    "no signature was verified",
  );

  const unsigned = [...transactions];
  unsigned[280] = forged(transactions[280]!);
  const refused = await validate(buildBlock(parentHeader, unsigned).bytes);
  t.is(refused.accepted.length, 0);
  t.regex(refused.fault?.detail ?? "", /^transaction 280: /);
  t.true(together > 1, "several threads verified");

  const good = buildBlock(parentHeader, transactions);
  const accepted = await validate(good.bytes);
  t.is(accepted.fault, undefined);
  t.is(accepted.accepted[0]?.transactionCount, count);
  t.deepEqual(accepted.accepted[0]?.bytes, good.bytes);
  t.false(
    transactions.some((bytes) => verified.has(sha256(bytes))),
    "what a block confirmed pushes nothing out of the cache",
  );
  await pool.close();
});

test("threads run at a lower priority", async (t) => {
  if (process.platform !== "linux") return t.pass("only Linux has priorities by thread");
  const { readdirSync, readFileSync } = await import("node:fs");
  const pool = await openTestPool({ threads: 2, nice: 7 });
  await Promise.all([submitChain(pool), submitChain(pool)]);
  // Field 19 of stat is the niceness; the name in field 2 may hold spaces.
  const levels = readdirSync("/proc/self/task").map((id) =>
    Number(readFileSync(`/proc/self/task/${id}/stat`, "utf8").split(") ")[1]?.split(" ")[16]),
  );
  t.is(levels.filter((level) => level === 7).length, 2);
  await pool.close();
});

// Counts the threads of every pool of this process: the tests of this file run one by one.
function threadsAlive(): number {
  const resources = process.getActiveResourcesInfo();
  return resources.filter((name) => name === "Worker" || name === "MessagePort").length;
}
