import test from "ava";
import { losingPool } from "../../src/sim/losing-pool.js";
import type { WorkerPool } from "../../src/ports.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";

test("a pool that is closed answers for the tasks that it lost", async (t) => {
  t.timeout(10_000);
  const closed = { close: () => Promise.resolve() } as WorkerPool;
  const random = { float: () => 0.5, uint32: () => 0, bytes: () => new Uint8Array(0) };
  const pool = losingPool(closed, { fraction: () => 1, random, clock: new VirtualClock() });
  const packed = { buffer: new ArrayBuffer(8), ends: new Uint32Array([8]) };
  const lost = t.throwsAsync(pool.validateTransactions(packed), { code: "WORKER_LOST" });
  await pool.close();
  await lost;
});
