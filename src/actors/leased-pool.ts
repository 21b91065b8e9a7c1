// The worker pool with its bytes in the memory ledger: a job takes a lease before it is given away
// and holds it until its verdict is here. One that does not fit is refused as by a full queue.

import { CodedError } from "../errors.js";
import type { Packed, WorkerPool } from "../ports.js";
import type { MemoryLedger } from "./memory-ledger.js";

export function leasedPool(pool: WorkerPool, memory: MemoryLedger): WorkerPool {
  const jobs = memory.lease("poolJobs");
  const leased = async <V>(bytes: number, run: () => Promise<V>): Promise<V> => {
    if (!jobs.take(bytes)) {
      const sentence = `a job of ${bytes} bytes refused: the pool has ${jobs.bytes} bytes to work on`;
      throw new CodedError("QUEUE_FULL", sentence);
    }
    try {
      return await run();
    } finally {
      jobs.give(bytes);
    }
  };
  return {
    validateBlocks: (job) => leased(bytesOf(job.blocks), () => pool.validateBlocks(job)),
    validateHeaders: (job) => leased(bytesOf(job.headers), () => pool.validateHeaders(job)),
    validateTransactions: (packed) =>
      leased(bytesOf(packed), () => pool.validateTransactions(packed)),
    decodeFrames: (job) => leased(bytesOf(job.payloads), () => pool.decodeFrames(job)),
    seal: (job) => pool.seal(job),
    load: () => pool.load(),
    close: () => pool.close(),
  };
}

function bytesOf({ buffer }: Packed): number {
  return buffer.byteLength;
}
