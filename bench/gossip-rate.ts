// The highest rate that the network of the gossip bench sustains: all is delivered, 99% within a
// second of when it was due, the last within a second of the last publication, and the publisher
// keeps to its schedule. Found by doubling, then by halving the interval between the highest rate
// that passed and the lowest that did not. A network that failed is replaced by a new one: its
// backlog, and all that its nodes remember, would weigh on the next rate.

import { runRounds } from "./lib/contenders.js";
import type { GossipFigures, GossipNetwork } from "./lib/gossip-run.js";
import { Report, type BenchOptions } from "./lib/report.js";
import { gossipContenders } from "./gossip.js";

const START_RATE = 500;
/** Below it nothing is sustained. */
const RATE_MIN = 10;
/** The interval is narrow enough. */
const RESOLUTION = 1.1;
/** Long beside the second that may be late: an overload of more than an eighth shows. */
const SECONDS = 8;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("gossip-rate", options);
  const search = options.smoke
    ? { resolution: Infinity, seconds: 1 }
    : { resolution: RESOLUTION, seconds: SECONDS };
  const contenders = gossipContenders(options, async (start, subject) => {
    const { sustained, best } = await highestRate(start, search);
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
  start: () => Promise<GossipNetwork>,
  { resolution, seconds }: { readonly resolution: number; readonly seconds: number },
): Promise<Found> {
  let best: GossipFigures | undefined;
  let failedRate = Infinity;
  let rate = START_RATE;
  let network: GossipNetwork | undefined;
  try {
    do {
      network ??= await start();
      const figures = await network.run({ rate, seconds });
      if (sustains(figures)) {
        best = figures;
      } else {
        failedRate = rate;
        await network.stop();
        network = undefined;
      }
      const passedRate = best?.rate ?? 0;
      rate = failedRate === Infinity ? 2 * rate : Math.round((passedRate + failedRate) / 2);
    } while (failedRate > Math.max(RATE_MIN, best?.rate ?? 0) * resolution);
  } finally {
    await network?.stop();
  }
  return { sustained: best?.rate ?? 0, best };
}

function sustains({ deliveredPart, p99Ms, tailMs, lagMaxMs }: GossipFigures): boolean {
  return deliveredPart >= 0.999 && p99Ms <= 1_000 && tailMs < 1_000 && lagMaxMs < 500;
}
