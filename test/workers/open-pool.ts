// Opens small worker pools for tests.

import { powRulesModule } from "../../src/chain/rules.js";
import { systemClock } from "../../src/runtime/clock.js";
import { openWorkerPool } from "../../src/workers/pool.js";
import type { StartingPool } from "../../src/workers/jobs.js";
import type { WorkerPoolOptions } from "../../src/workers/pool.js";
import { allocateSignatureCache } from "../../src/workers/signature-cache.js";
import { TEST_PARAMS } from "../support/pow-blocks.js";

/** Waits until a thread has loaded the rules. */
export async function openTestPool(
  options: Partial<WorkerPoolOptions> = {},
): Promise<StartingPool> {
  const pool = await startTestPool(options);
  try {
    await pool.started;
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}

/** Its threads may still load. */
export function startTestPool(options: Partial<WorkerPoolOptions> = {}): Promise<StartingPool> {
  return openWorkerPool({
    rulesModule: powRulesModule(TEST_PARAMS),
    threads: 1,
    nice: 10,
    queueMax: 64,
    heapMiB: 64,
    closeWaitMs: 10_000,
    taskMsMax: 60_000,
    threadEndsMax: 16,
    clock: systemClock,
    ...options,
  });
}

export function testCache(entries = 4_096): SharedArrayBuffer {
  return allocateSignatureCache(entries, new Uint8Array(16).fill(3));
}
