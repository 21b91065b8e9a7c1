// A node under attack: a thousand raw sockets that send garbage, lie, stall or stay silent. Each is
// closed by its rule; meanwhile an honest peer pings, and the memory of the node is watched.

import { attackNode, type AttackFigures, type Scenario } from "./lib/hostile-run.js";
import { Report, type BenchOptions } from "./lib/report.js";

const WARM_UP_BLOCKS = 300;
/** From connecting to closed. */
const CLOSED_MS_MAX = 5_500;
const GROWTH_MIB_MAX = 16;
const PING_P99_MS_MAX = 100;

function scenarios(smoke: boolean): readonly (Scenario & { readonly subject: string })[] {
  const count = smoke ? 60 : 1_000;
  const warmUpBlocks = WARM_UP_BLOCKS;
  return [
    // Few enough at a time that each meets the rule it breaks.
    {
      subject: "paced",
      exemptLocal: true,
      warmUpBlocks,
      plan: { count, concurrent: 48, sources: count },
    },
    {
      subject: "at-once",
      exemptLocal: true,
      warmUpBlocks,
      plan: { count, concurrent: count, sources: count },
    },
    {
      subject: "one-address",
      exemptLocal: false,
      warmUpBlocks,
      plan: { count, concurrent: count, sources: 1 },
    },
  ];
}

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("hostile", options);
  const failures: string[] = [];
  for (let round = 0; round < (options.smoke ? 1 : 3); round++) {
    for (const scenario of scenarios(options.smoke)) {
      const figures = await attackNode(scenario);
      sample(scenario.subject, figures, report);
      failures.push(...figures.victim.errors, ...figures.faults);
    }
  }
  report.print();
  if (failures.length > 0) throw new Error(failures.slice(0, 10).join("\n"));
  if (!options.smoke) judge(options, report);
}

function sample(subject: string, figures: AttackFigures, report: Report): void {
  const { quiet, pings, victim } = figures;
  const add = (metric: string, unit: string, value: number): void =>
    report.sample(subject, metric, unit, value);
  add("rss-anon-baseline", "MiB", figures.baselineMiB);
  add("rss-anon-growth", "MiB", figures.growthMiB);
  add("rss-anon-growth-peak", "MiB", figures.growthPeakMiB);
  add("closed-max", "ms", figures.closedMaxMs);
  add("quiet-ping-p99", "ms", quiet.p99Ms);
  add("ping-p50", "ms", pings.p50Ms);
  add("ping-p99", "ms", pings.p99Ms);
  add("pings-lost", "1", pings.lost);
  add("loop-delay-p99", "ms", victim.loop.p99Ms);
  add("cpu", "s", victim.cpuSeconds);
}

function judge(options: BenchOptions, report: Report): void {
  const limits = [
    ["rss-anon-growth-peak", GROWTH_MIB_MAX],
    ["closed-max", CLOSED_MS_MAX],
    ["ping-p99", PING_P99_MS_MAX],
  ] as const;
  const broken = scenarios(options.smoke).flatMap(({ subject }) =>
    limits.flatMap(([metric, most]) => {
      const worst = Math.max(...report.values(subject, metric));
      return worst <= most ? [] : `${subject} ${metric}: ${worst.toFixed(1)} over ${most}`;
    }),
  );
  if (broken.length > 0) throw new Error(`LIMITS BROKEN: ${broken.join(", ")}`);
}
