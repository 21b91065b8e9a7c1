// Transactions of 300 bytes from one publisher to eight subscribers in three processes, all
// connected to all. Ours check each signature once in every node; js-libp2p's gossipsub (a mesh of
// six) checks none; the limit pushes the bytes to everybody and checks the signature.

import { startChild } from "./lib/child.js";
import { runRounds, type Contender } from "./lib/contenders.js";
import type { MemberMethods } from "./lib/gossip-member.js";
import { GossipNetwork, type GossipFigures, type Member } from "./lib/gossip-run.js";
import { TRANSACTION_BYTES } from "./lib/gossip-size.js";
import { startLibp2p } from "./lib/libp2p.js";
import { Report, type BenchOptions } from "./lib/report.js";

const ROLES = new URL("./lib/gossip-roles.js", import.meta.url);
const RATE = 250;
/** So long until the threads of every node have compiled their hot code, at a rate that all sustain. */
const WARM_UP = { rate: 400, seconds: 8 };

const GOSSIPERS: Readonly<Record<string, () => Promise<Member>>> = {
  vibecoin: () => startChild<MemberMethods>(ROLES, "nodes"),
  limit: () => startChild<MemberMethods>(ROLES, "bare"),
  libp2p: () => startLibp2p<MemberMethods>("gossip", "nodes"),
};

/** Those that the options ask for; `start` makes a network of its own each time, warmed up. */
export function gossipContenders(
  options: BenchOptions,
  measure: (start: () => Promise<GossipNetwork>, subject: string) => Promise<void>,
): Contender[] {
  const { smoke, libp2p } = options;
  const subjects = Object.keys(GOSSIPERS).filter((subject) => libp2p || subject !== "libp2p");
  return subjects.map((subject) => ({
    name: subject,
    run: () =>
      measure(async () => {
        const network = await GossipNetwork.start(GOSSIPERS[subject]!);
        await network.run(smoke ? { ...WARM_UP, seconds: 0.2 } : WARM_UP);
        return network;
      }, subject),
  }));
}

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("gossip", options);
  const seconds = options.smoke ? 1 : 6;
  const contenders = gossipContenders(options, async (start, subject) => {
    const network = await start();
    try {
      sample(report, subject, await network.run({ rate: RATE, seconds }));
    } finally {
      await network.stop();
    }
  });
  await runRounds(options, contenders);
  for (const metric of ["cpu-per-delivery", "wire-bytes-per-useful-byte"]) {
    report.ratio("vibecoin", "limit", metric);
    report.ratio("vibecoin", "libp2p", metric);
  }
  report.print();
}

function sample(report: Report, subject: string, figures: GossipFigures): void {
  const add = (metric: string, unit: string, value: number): void =>
    report.sample(subject, metric, unit, value);
  const { delivered, cpuSeconds, wireBytes } = figures;
  add("delivered", "1", figures.deliveredPart);
  add("latency-p50", "ms", figures.p50Ms);
  add("latency-p99", "ms", figures.p99Ms);
  add("latency-max", "ms", figures.latencyMaxMs);
  add("cpu-per-delivery", "µs", (cpuSeconds * 1e6) / delivered);
  add("wire-bytes-per-useful-byte", "1", wireBytes / (delivered * TRANSACTION_BYTES));
  report.process(subject, "publisher", figures.publisher);
  report.process(subject, "subscribers", figures.subscribers);
}
