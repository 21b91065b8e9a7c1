// What runs in a pool thread: loads the rules once, then executes tasks. Started by piscina for
// pool.ts only. Bytes go back by transfer.

import { threadId, workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { loadSignatures } from "../chain/signatures.js";
import type { RulesModule } from "../types/chain.js";
import type { BlocksVerdict, ValidateBlocksJob } from "../ports.js";
import { createExecutor } from "./executor.js";
import type { Executor, PartsExecutor } from "./executor.js";
import type { PoolTask } from "./jobs.js";
import { loadRules } from "./rules-loader.js";
import { openSignatureCache } from "./signature-cache.js";
import { lowerThreadPriority } from "./thread-priority.js";
import { ThreadRow } from "./thread-watch.js";

/** What every thread of the pool is started with. */
export interface ThreadData {
  readonly rulesModule: RulesModule;
  readonly signatureCache: SharedArrayBuffer | undefined;
  readonly nice: number;
  /** From `allocateThreadRows`. */
  readonly rows: SharedArrayBuffer;
}

/** `start` answers undefined, or the sentence that says why the rules cannot be loaded. */
export type ThreadTask = PoolTask | { readonly kind: "start" };

const data = workerData as ThreadData;
lowerThreadPriority(data.nice);
const row = new ThreadRow(data.rows, threadId);
// Throwing here would make piscina start thread after thread, so a failure is kept and told.
const executor: (Executor & PartsExecutor) | Error = await start().catch(
  (error: unknown) => error as Error,
);
row.turn();

async function start(): Promise<Executor & PartsExecutor> {
  const { rulesModule, signatureCache } = data;
  const rules = await loadRules(rulesModule);
  const { verify } = await loadSignatures();
  const known = signatureCache && { signatureCache: openSignatureCache(signatureCache) };
  return createExecutor({ rules, verify, ...known });
}

/** Executes one task in this thread; piscina carries what it returns or throws to the pool. */
export function execute(task: ThreadTask): unknown {
  row.turn();
  try {
    return executed(task);
  } finally {
    row.turn();
  }
}

function executed(task: ThreadTask): unknown {
  if (task.kind === "start") return executor instanceof Error ? executor.message : undefined;
  if (executor instanceof Error) throw executor;
  switch (task.kind) {
    case "validateBlocks":
    case "validateUnsigned":
      return movedBlocks(executor[task.kind](task.job), task.job);
    case "validateHeaders":
      return executor.validateHeaders(task.job);
    case "validateTransactions":
    case "validateSignatures": {
      const verdict = executor[task.kind](task.job);
      return moved(verdict, [verdict.transactions.buffer, verdict.ids.buffer]);
    }
    case "decodeFrames": {
      const verdict = executor.decodeFrames(task.job);
      return moved(verdict, [verdict.payloads.buffer]);
    }
    case "seal":
      return executor.seal(task.job);
  }
}

/** The accepted blocks are views into the bytes of the job, so these move back below them. */
function movedBlocks(verdict: BlocksVerdict, job: ValidateBlocksJob): unknown {
  const buffers: ArrayBufferLike[] = [job.blocks.buffer];
  for (const block of verdict.accepted) buffers.push(block.transactionIds.buffer);
  return moved(verdict, buffers);
}

function moved(value: object, buffers: readonly ArrayBufferLike[]): unknown {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value });
}
