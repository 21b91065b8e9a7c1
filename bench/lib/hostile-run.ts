// One attack on a node from the outside: starts the node, an honest peer and the attackers, each in
// its process, and measures. For the bench and the test of hostile bytes.
//
// Memory is RssAnon of the node's process. The baseline is its median over 2 s, taken when the node
// has synced a chain from the honest peer and pings are the only traffic: a node at work, whose
// young generation has its working size.

import { readFileSync } from "node:fs";
import { ruleOf, type AttackEnd } from "../../test/support/attackers.js";
import { startChild, type Child } from "./child.js";
import type {
  AttackerMethods,
  AttackPlan,
  HonestMethods,
  VictimFigures,
  VictimMethods,
} from "./hostile-roles.js";
import type { PingLatency } from "../../src/drill/measure/pinger.js";

const ROLES = new URL("./hostile-roles.js", import.meta.url);
const BASELINE_MS = 2_000;
const SAMPLE_INTERVAL_MS = 20;

/** Rules that may come before an attack's own: the limits on raw connections and on slots. */
const LIMITS = ["pending-limit", "address-rate", "handshake-timeout", "TooManyConnections"];

export interface Scenario {
  readonly exemptLocal: boolean;
  /** The node syncs so many blocks first. */
  readonly warmUpBlocks: number;
  readonly plan: Omit<AttackPlan, "address" | "from">;
}

export interface AttackFigures {
  readonly baselineMiB: number;
  readonly growthMiB: number;
  readonly growthPeakMiB: number;
  readonly closedMaxMs: number;
  /** Pings before the attack, and during it. */
  readonly quiet: PingLatency;
  readonly pings: PingLatency;
  readonly victim: VictimFigures;
  /** How many attacks each rule ended. */
  readonly rules: Readonly<Record<string, number>>;
  /** A sentence for each attack that ended neither by its own rule nor by a limit. */
  readonly faults: readonly string[];
}

export async function attackNode(scenario: Scenario): Promise<AttackFigures> {
  const { exemptLocal, warmUpBlocks, plan } = scenario;
  const node = await startChild<VictimMethods>(ROLES, "victim");
  const honest = await startChild<HonestMethods>(ROLES, "honest");
  const attackers = await startChild<AttackerMethods>(ROLES, "attacker");
  try {
    const { address, pid } = await node.listen({ inbound: { exemptLocal } });
    await honest.join({ address, blocks: warmUpBlocks });
    await node.reach(warmUpBlocks);
    const quiet = await quietPings(honest);
    const memory = new Memory(pid);
    const baselineMiB = await memory.median(BASELINE_MS);
    await node.begin(undefined);
    await honest.begin(undefined);
    const ends = await attackers.run({ ...plan, address, from: 1 });
    const pings = await honest.finish(undefined);
    const victim = await node.finish(undefined);
    const growthMiB = memory.now() - baselineMiB;
    const growthPeakMiB = memory.stop() - baselineMiB;
    const closedMaxMs = Math.max(...ends.map(({ closedMs }) => closedMs));
    const figures = { baselineMiB, growthMiB, growthPeakMiB, closedMaxMs, quiet, pings, victim };
    return { ...figures, ...judgeEnds(ends, victim) };
  } finally {
    await Promise.all([node.release(), honest.release(), attackers.release()]);
  }
}

function judgeEnds(ends: readonly AttackEnd[], { refused }: VictimFigures) {
  const rules: Record<string, number> = {};
  const faults: string[] = [];
  for (const { attack, from, disconnect } of ends) {
    const ended = refused[from] ?? (disconnect && `${disconnect.reason}: ${disconnect.detail}`);
    const known = [ruleOf(attack), ...LIMITS].find((rule) => ended?.includes(rule));
    if (known === undefined) faults.push(`${attack} was ended by ${ended ?? "nothing"}`);
    else rules[known] = (rules[known] ?? 0) + 1;
  }
  return { rules, faults };
}

/** What the machine does to pings by itself. */
async function quietPings(honest: Child<HonestMethods>) {
  await honest.begin(undefined);
  await sleep(BASELINE_MS);
  return honest.finish(undefined);
}

/** RssAnon of a process, sampled. */
export class Memory {
  readonly #pid: number;
  readonly #samples: number[] = [];
  readonly #timer = setInterval(() => this.#samples.push(this.now()), SAMPLE_INTERVAL_MS);

  constructor(pid: number) {
    this.#pid = pid;
  }

  now(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) / 1_024;
  }

  async median(ms: number): Promise<number> {
    await sleep(ms);
    const sorted = this.#samples.splice(0).sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? NaN;
  }

  /** Answers the most since the median. */
  stop(): number {
    clearInterval(this.#timer);
    return Math.max(...this.#samples);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
