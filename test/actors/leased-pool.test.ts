import test from "ava";
import { leasedPool } from "../../src/actors/leased-pool.js";
import { MemoryLedger } from "../../src/actors/memory-ledger.js";
import { packBytes } from "../../src/bytes/packed.js";
import { resolveConfig } from "../../src/config.js";
import type { TransactionsVerdict, WorkerPool } from "../../src/ports.js";

const MIB = 1024 * 1024;

test("a job that exceeds what the pool may work on is refused by name, until another one ends", async (t) => {
  const config = resolveConfig({ pool: { jobBytesMax: 16 * MIB } });
  const ledger = new MemoryLedger(config);
  const ends: ((failure?: Error) => void)[] = [];
  const slow = {
    validateTransactions: () =>
      new Promise<TransactionsVerdict>((resolve, reject) => {
        const verdict = {} as TransactionsVerdict;
        ends.push((failure) => (failure === undefined ? resolve(verdict) : reject(failure)));
      }),
  } as unknown as WorkerPool;
  const pool = leasedPool(slow, ledger);
  const job = (bytes: number) => pool.validateTransactions(packBytes([new Uint8Array(bytes)]));

  const first = job(9 * MIB);
  const second = job(6 * MIB);
  await t.throwsAsync(job(2 * MIB), { code: "QUEUE_FULL", message: /a job of \d+ bytes refused/ });
  t.is(ends.length, 2, "it was never begun");
  t.true(ledger.leasedBytes("poolJobs") >= 15 * MIB);
  ends[0]!();
  await first;
  const third = job(2 * MIB);
  t.is(ends.length, 3);
  ends[1]!(new Error("the thread was lost"));
  await t.throwsAsync(second, { message: /lost/ });
  ends[2]!();
  await third;
  t.notThrows(() => ledger.nothingLeased());
});
