// The highest rate that the network of the gossip bench sustains: all is delivered, 99% within a
// second of when it was due, the last within a second of the last publication, and the publisher
// keeps to its schedule. Found by doubling, then by halving the interval between the highest rate
// that passed and the lowest that did not, twice in a row: one stall of the machine fails a rate.

import { runRounds } from "./lib/contenders.js";
import type { Schedule } from "./lib/gossip-member.js";
import type { GossipFigures, GossipNetwork } from "./lib/gossip-run.js";
import { Report, type BenchOptions } from "./lib/report.js";
import { gossipContenders } from "./gossip.js";

const START_RATE = 500;
const RUNS_MAX = 7;
/** The interval is narrow enough. */
const RESOLUTION = 1.1;
/** Long beside the second that may be late: an overload of more than an eighth shows. */
const SECONDS = 8;
/** What a network that failed must carry again before it is asked for more: its backlog is gone. */
const TRICKLE = { rate: 50, seconds: 1 };
const TRICKLES_MAX = 10;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("gossip-rate", options);
  const search = options.smoke
    ? { runsMax: 1, seconds: 1 }
    : { runsMax: RUNS_MAX, seconds: SECONDS };
  const contenders = gossipContenders(options, async (network, subject) => {
    const { sustained, best } = await highestRate(network, search);
    report.sample(subject, "sustained-rate", "1/s", sustained);
    if (best === undefined) return;
    report.sample(subject, "sustained-latency-p50", "ms", best.p50Ms);
    report.sample(subject, "sustained-latency-p99", "ms", best.p99Ms);
    report.sample(
      subject,
      "sustained-cpu-per-delivery",
      "µs",
      (best.cpuSeconds * 1e6) / best.delivered,
    );
  });
  await runRounds(options, contenders);
  report.ratio("vibecoin", "limit", "sustained-rate");
  report.ratio("vibecoin", "libp2p", "sustained-rate");
  report.print();
}

interface Found {
  /** 0 when not even the lowest rate that was tried passed. */
  readonly sustained: number;
  readonly best: GossipFigures | undefined;
}

async function highestRate(
  network: GossipNetwork,
  { runsMax, seconds }: { readonly runsMax: number; readonly seconds: number },
): Promise<Found> {
  let best: GossipFigures | undefined;
  let failedRate = Infinity;
  let rate = START_RATE;
  for (let runs = 0; runs < runsMax && failedRate > (best?.rate ?? 0) * RESOLUTION; runs++) {
    const figures =
      (await passes(network, { rate, seconds })) ?? (await passes(network, { rate, seconds }));
    if (figures === undefined) failedRate = rate;
    else best = figures;
    const passedRate = best?.rate ?? 0;
    rate = failedRate === Infinity ? 2 * rate : Math.round((passedRate + failedRate) / 2);
  }
  return { sustained: best?.rate ?? 0, best };
}

/** The figures of a run that sustained its rate; otherwise none, when the network has recovered. */
async function passes(
  network: GossipNetwork,
  schedule: Schedule,
): Promise<GossipFigures | undefined> {
  const figures = await network.run(schedule);
  if (sustains(figures)) return figures;
  for (let tries = 0; tries < TRICKLES_MAX && !sustains(await network.run(TRICKLE)); tries++);
  return undefined;
}

function sustains({ deliveredPart, p99Ms, tailMs, lagMaxMs }: GossipFigures): boolean {
  return deliveredPart >= 0.999 && p99Ms <= 1_000 && tailMs < 1_000 && lagMaxMs < 500;
}
