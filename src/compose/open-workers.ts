// The workers of a node: the thread pool, or the executor on the loop.

import type { NetworkConfig } from "../config.js";
import type { Consensus, Log } from "../ports.js";
import { systemClock } from "../runtime/clock.js";
import { createSystemRandom } from "../runtime/random.js";
import type { StartingPool } from "../workers/jobs.js";

/** The pool for these rules, or the inline executor where the configuration says so. */
export async function openWorkers(
  config: NetworkConfig,
  consensus: Consensus,
  log: Log,
): Promise<StartingPool> {
  const { pool } = config;
  const { allocateSignatureCache, openSignatureCache, SIGNATURE_CACHE_SALT_BYTES } =
    await import("../workers/signature-cache.js");
  const salt = createSystemRandom().bytes(SIGNATURE_CACHE_SALT_BYTES);
  const cache =
    pool.signatureCacheEntries === 0
      ? undefined
      : allocateSignatureCache(pool.signatureCacheEntries, salt);
  if (pool.inline) {
    const { loadSignatures } = await import("../chain/signatures.js");
    const { createInlineExecutor } = await import("../workers/inline-executor.js");
    const { verify } = await loadSignatures();
    const known = cache === undefined ? {} : { signatureCache: openSignatureCache(cache) };
    const executor = createInlineExecutor({ rules: consensus.rules, verify, ...known });
    return { ...executor, started: Promise.resolve(), broken: new Promise(() => undefined) };
  }
  const { openWorkerPool } = await import("../workers/pool.js");
  return openWorkerPool({
    rulesModule: consensus.rulesModule,
    threads: pool.threads,
    queueMax: pool.queueMax,
    heapMiB: pool.heapMiB,
    nice: pool.nice,
    ...(cache === undefined ? {} : { signatureCache: cache }),
    closeWaitMs: config.shutdown.drainMs,
    taskMsMax: pool.taskMsMax,
    threadEndsMax: pool.threadEndsMax,
    clock: systemClock,
    onTrouble: (what, fields) => log.write("error", what, { ...fields }),
  });
}
