// A full sync: a node with an empty LMDB store takes a generated chain from another process and
// checks all of it. Beside it the limit: the same signatures in the same pool and nothing else.
// Both run in fresh processes and in turns, the limit before and after every sync: what disturbs the
// machine for a while disturbs both. The first blocks warm every syncer up: threads load and functions
// compile meanwhile, for some 1.5 s of processor time. Ours fetches up to 32 MiB, 2,050 of these
// blocks, ahead of what it connects: the chain goes on so far behind the last block that is measured,
// or a part of the measured blocks would have been served and read before.

import { invariant } from "../src/errors.js";
import { startChild } from "./lib/child.js";
import { runRounds, type Contender } from "./lib/contenders.js";
import { startLibp2p } from "./lib/libp2p.js";
import type { ProcessFigures } from "./lib/meter.js";
import { Report, type BenchOptions } from "./lib/report.js";
import { chainDirectory, chainFile, makeDirectory, removeDirectory } from "./lib/sync-chain.js";
import type {
  HolderMethods,
  LimitFigures,
  LimitMethods,
  PeerHolderMethods,
  PeerSyncerMethods,
  SyncerMethods,
  SyncFigures,
} from "./lib/sync-roles.js";

const ROLES = new URL("./lib/sync-roles.js", import.meta.url);
const TRANSACTIONS_PER_BLOCK = 100;
const RATE = "transactions";
/** Processor time a transaction: unlike the rate, it hardly changes when others use the machine. */
const COST = "cpu-per-transaction";
/** What strangers took meanwhile: the rates of a round compare only while it stays near nothing. */
const OTHERS = "used-by-others";
const PEER_CHECKS = ["inline", "pool"] as const;
/** No sync can check signatures faster than the limit does; noise is 3%. */
const RATIO_MAX = 1.03;

export async function run(options: BenchOptions): Promise<void> {
  const { smoke } = options;
  const report = new Report("sync", options);
  const stretch: Stretch = smoke ? { from: 100, to: 400 } : { from: 1_000, to: 4_000 };
  const size = { blocks: smoke ? 500 : 6_100, transactionsPerBlock: TRANSACTIONS_PER_BLOCK };
  const chain = await chainDirectory(size);
  let before = await measureLimit(chain, smoke);
  await runRounds(options, [
    { name: "vibecoin", run: () => measureSync(chain, stretch, report) },
    {
      name: "limit",
      run: async () => {
        const after = await measureLimit(chain, smoke);
        sampleLimit([before, after], report);
        before = after;
      },
    },
    ...(options.libp2p ? await libp2p(chain, stretch, report) : []),
  ]);
  report.ratio("vibecoin", "limit", RATE);
  report.ratio("vibecoin", "limit", COST);
  for (const checks of PEER_CHECKS) {
    report.ratio("vibecoin", "libp2p", RATE, `${checks}/${RATE}`);
    report.ratio("vibecoin", "libp2p", "ping-p99", `${checks}/ping-p99`);
  }
  report.print();
  // A smoke run is too short for its ratio to mean anything.
  if (!smoke) judge(report);
}

function judge(report: Report): void {
  const limits = report.values("limit", RATE);
  const ratio = Math.max(
    ...report.values("vibecoin", RATE).map((rate, round) => rate / limits[round]!),
  );
  if (ratio <= RATIO_MAX) return;
  const others = Math.max(...report.values("limit", OTHERS), ...report.values("vibecoin", OTHERS));
  throw new Error(
    `THE LIMIT IS WRONG: sync reached ${ratio.toFixed(3)} of it; ` +
      `others used up to ${others.toFixed(2)} cores meanwhile`,
  );
}

async function measureLimit(chain: string, smoke: boolean): Promise<LimitFigures> {
  const child = await startChild<LimitMethods>(ROLES, "limit");
  try {
    return await child.verify({ chain, seconds: smoke ? 0.2 : 5 });
  } finally {
    await child.release();
  }
}

/** What the machine could do around a sync: both runs as one. */
function sampleLimit(runs: readonly LimitFigures[], report: Report): void {
  const sum = (of: keyof LimitFigures): number => runs.reduce((total, run) => total + run[of], 0);
  report.sample("limit", RATE, "1/s", sum("verified") / sum("seconds"));
  report.sample("limit", COST, "µs", (sum("cpuSeconds") * 1e6) / sum("verified"));
  const others = sum("machineSeconds") - sum("cpuSeconds");
  report.sample("limit", OTHERS, "cores", others / sum("seconds"));
}

/** The heights between which a sync is measured. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

async function measureSync(chain: string, stretch: Stretch, report: Report): Promise<void> {
  const data = await makeDirectory();
  const holder = await startChild<HolderMethods>(ROLES, "holder");
  const syncer = await startChild<SyncerMethods>(ROLES, "syncer");
  try {
    const { address } = await holder.listen({ chain });
    await syncer.warmUp({ address, height: stretch.from, data });
    await holder.measure(undefined);
    const figures = await syncer.sync({ height: stretch.to });
    const server = await holder.finish(undefined);
    sampleSyncer(figures, server, { subject: "vibecoin", prefix: "", report });
    const others = figures.machineSeconds - figures.cpuSeconds - server.cpuSeconds;
    report.sample("vibecoin", OTHERS, "cores", others / figures.seconds);
  } finally {
    await Promise.all([holder.release(), syncer.release()]);
    await removeDirectory(data);
  }
}

interface Place {
  readonly subject: string;
  /** Begins every metric of this variant: empty, or `pool/`. */
  readonly prefix: string;
  readonly report: Report;
}

function sampleSyncer(figures: SyncFigures, server: ProcessFigures, place: Place): void {
  const { seconds, cpuSeconds, transactions, sessions, pings } = figures;
  const { subject, prefix, report } = place;
  const sample = (metric: string, unit: string, value: number): void =>
    report.sample(subject, `${prefix}${metric}`, unit, value);
  sample(RATE, "1/s", transactions / seconds);
  sample(COST, "µs", (cpuSeconds * 1e6) / transactions);
  sample(`server-${COST}`, "µs", (server.cpuSeconds * 1e6) / transactions);
  sample("ping-p50", "ms", pings.p50Ms);
  sample("ping-p99", "ms", pings.p99Ms);
  sample("ping-max", "ms", pings.maxMs);
  sample("pings-lost", "1", pings.lost);
  if (sessions !== undefined) sample("sessions", "1", sessions);
  report.process(subject, `${prefix}syncer`, figures);
  report.process(subject, `${prefix}server`, server);
}

/** The same chain over js-libp2p, checked on its event loop and in a pool like ours. */
async function libp2p(chain: string, stretch: Stretch, report: Report): Promise<Contender[]> {
  const file = await chainFile(chain);
  return PEER_CHECKS.map((checks) => ({
    name: `libp2p ${checks}`,
    async run() {
      const holder = await startLibp2p<PeerHolderMethods>("sync", "holder");
      const syncer = await startLibp2p<PeerSyncerMethods>("sync", `${checks}-syncer`);
      try {
        const { address } = await holder.listen({ file });
        await syncer.warmUp({ address, height: stretch.from });
        await holder.measure(undefined);
        const figures = await syncer.sync({ height: stretch.to });
        const expected = (stretch.to - stretch.from) * TRANSACTIONS_PER_BLOCK;
        invariant(figures.transactions === expected, "the peer checked every block");
        const server = await holder.finish(undefined);
        sampleSyncer(figures, server, { subject: "libp2p", prefix: `${checks}/`, report });
      } finally {
        await Promise.all([holder.release(), syncer.release()]);
      }
    },
  }));
}
