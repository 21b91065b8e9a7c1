// A move to a heavier branch that leaves the chain at genesis: many small blocks, then a few of 4 MiB.
// A node on LMDB syncs the branch from another process, reorganises, has its mempool take back what
// the abandoned blocks held and its index follow. Judged by how long it holds its event loop and by
// its memory: the branch of large blocks is larger than all that a node may hold.

import { cp } from "node:fs/promises";
import { invariant } from "../src/errors.js";
import { startChild } from "./lib/child.js";
import { runRounds } from "./lib/contenders.js";
import type { HolderMethods, MoverMethods } from "./lib/reorg-roles.js";
import { Report, type BenchOptions } from "./lib/report.js";
import {
  chainDirectory,
  makeDirectory,
  removeDirectory,
  type ChainSize,
} from "./lib/sync-chain.js";

const ROLES = new URL("./lib/reorg-roles.js", import.meta.url);
const SMALL = { transactionsPerBlock: 60 };
/** 63 of the largest data fill a block. */
const LARGE = { transactionsPerBlock: 63, dataBytes: 64 * 1_024 };

export async function run(options: BenchOptions): Promise<void> {
  const { smoke } = options;
  const report = new Report("reorg", options);
  const small = { ...SMALL, blocks: smoke ? 40 : 400 };
  const large = { ...LARGE, blocks: smoke ? 6 : 300 };
  await runRounds(options, [
    { name: "small blocks", run: () => move("small", small, report) },
    { name: "large blocks", run: () => move("large", large, report) },
  ]);
  report.print();
}

async function move(name: string, size: ChainSize, report: Report): Promise<void> {
  const old = await chainDirectory({ ...size, seed: "abandoned" });
  const chain = await chainDirectory({ ...size, blocks: size.blocks + 1, seed: "heavier" });
  const data = await makeDirectory();
  const holder = await startChild<HolderMethods>(ROLES, "holder");
  const mover = await startChild<MoverMethods>(ROLES, "mover");
  try {
    await cp(old, data, { recursive: true });
    const { address } = await holder.listen({ chain });
    const { memoryBudgetMiB } = await mover.open({ chain: data });
    const figures = await mover.move({
      address,
      height: size.blocks + 1,
      abandoned: size.blocks * size.transactionsPerBlock,
    });
    invariant(figures.disconnected === size.blocks, "the whole chain was left, as one");
    const sample = (metric: string, unit: string, value: number): void =>
      report.sample("vibecoin", `${name}/${metric}`, unit, value);
    sample("seconds", "s", figures.seconds);
    sample("turn-cpu-max", "ms", figures.turnMs);
    sample("returned", "1", figures.returned);
    sample("refused", "1", figures.refused);
    sample("out-of-order", "1", figures.outOfOrder);
    sample("memory-of-budget", "1", figures.rssAnonMiB / memoryBudgetMiB);
    report.process("vibecoin", `${name}/mover`, figures);
  } finally {
    await Promise.all([holder.release(), mover.release()]);
    await removeDirectory(data);
  }
}
