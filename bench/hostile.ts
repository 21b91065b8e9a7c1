// A node under attack. First a thousand raw sockets that send garbage, lie, stall or stay silent:
// each is closed by its rule; meanwhile an honest peer pings, and the memory of the node is watched.
// Then floods of what costs a node much: the honest peers stay, and it says that it is well.

import { FLOOD_NAMES, type FloodName } from "../test/support/floods.js";
import { floodNode, type Flooded } from "./lib/flood-run.js";
import { attackNode, type AttackFigures, type Scenario } from "./lib/hostile-run.js";
import { Report, type BenchOptions } from "./lib/report.js";

const WARM_UP_BLOCKS = 300;
/** From connecting to closed. */
const CLOSED_MS_MAX = 5_500;
const GROWTH_MIB_MAX = 16;
const PING_P99_MS_MAX = 100;

/** What one connection can do suffices, but for certificates: there each costs little by itself. */
const FLOOD_CONNECTIONS: Readonly<Record<FloodName, number>> = {
  "tiny-records": 1,
  "key-updates": 4,
  "rsa-chains": 8,
};
const FLOOD = { seconds: 25, saveMs: 8_000 };
const FLOOD_SMOKE = { seconds: 2, saveMs: 500 };
const HEALTH_MS_MAX = 1_000;
/** Over the budget: the process itself. */
const RSS_OVER_BUDGET_MIB_MAX = 150;

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
    for (const name of FLOOD_NAMES) {
      const concurrent = FLOOD_CONNECTIONS[name];
      const time = options.smoke ? FLOOD_SMOKE : FLOOD;
      const figures = await floodNode({ name, concurrent, ...time });
      sampleFlood(name, figures, report);
      failures.push(...figures.victim.errors, ...harmOf(name, figures, options));
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

function sampleFlood(name: FloodName, figures: Flooded, report: Report): void {
  const { connections, victim } = figures;
  const add = (metric: string, unit: string, value: number): void =>
    report.sample(name, metric, unit, value);
  add("connections", "1", connections);
  add("dropped", "1", figures.dropped);
  add("health-max", "ms", figures.healthMaxMs);
  add("rss-anon-max", "MiB", figures.rssAnonMaxMiB);
  add("loop-delay-max", "ms", victim.loop.maxMs);
  add("cpu", "s", victim.cpuSeconds);
}

/** A sentence for each thing that must not be; a short run on a busy machine is not timed. */
function harmOf(name: FloodName, figures: Flooded, { smoke }: BenchOptions): string[] {
  const { dropped, healthMaxMs, rssAnonMaxMiB, memoryBudgetMiB } = figures;
  const harm: string[] = [];
  if (dropped > 0) harm.push(`${name}: honest peers were left ${dropped} times`);
  if (!smoke && healthMaxMs > HEALTH_MS_MAX) harm.push(`${name}: well after ${healthMaxMs} ms`);
  if (rssAnonMaxMiB > memoryBudgetMiB + RSS_OVER_BUDGET_MIB_MAX) {
    harm.push(`${name}: ${rssAnonMaxMiB} MiB of a budget of ${memoryBudgetMiB}`);
  }
  return harm;
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
