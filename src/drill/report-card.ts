// What a drill found, and whether that is good enough. Pure.

import { LIMITS, GONE_MS_MAX, type Drill } from "./drill.js";

export interface ReportCard {
  readonly name: string;
  readonly threat: string;
  readonly passed: boolean;
  /** A sentence for each thing that is not as it must be. */
  readonly failures: readonly string[];
  readonly seconds: number;
  readonly node: {
    readonly rssAnonStartMiB: number | null;
    readonly rssAnonPeakMiB: number | null;
    /** The budget and what a process takes beside it. */
    readonly rssAnonMaxMiB: number;
    /** The most that was leased, and the most that the configuration lets all parts hold. */
    readonly leasedPeakMiB: number;
    readonly worstCaseMiB: number;
    readonly loopDelayP99Ms: number;
    readonly cpuSeconds: number;
    /** How many times longer it took for having to wait for a processor; 1: it never waited. */
    readonly slowedBy: number;
    readonly logBytes: number;
    readonly bans: number;
    /** How many connections each rule or reason ended. */
    readonly ends: Readonly<Record<string, number>>;
    /** The last lines of one that died. */
    readonly lastLines: readonly string[];
  };
  readonly honest: {
    readonly pingP50Ms: number;
    readonly pingP99Ms: number;
    readonly pingP99MaxMs: number;
    readonly pingsAnswered: number;
    readonly pingsLost: number;
    /** At the same time, at a node that nobody attacked. */
    readonly untouchedPingP99Ms: number;
    readonly dropped: readonly string[];
    readonly blocksMade: number;
    readonly blocksMissing: number;
    readonly blockP50Ms: number;
    readonly blockMaxMs: number;
    readonly newcomerMs: number | null;
  };
  readonly attacker: {
    readonly connections: number;
    readonly cpuSeconds: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
    readonly goneP50Ms: number | null;
    readonly goneMaxMs: number | null;
    readonly left: number;
    readonly notes: Readonly<Record<string, number>>;
  };
}

export type Measured = Pick<ReportCard, "node" | "honest" | "attacker">;

const PING_P99_MS_MAX = 100;
/** Of what a node that nobody attacks took at the same time: the machine's own doing. */
const PING_ALLOWANCE = 3;
const LOG_BYTES_MAX = 1_024 ** 2;

/**
 * How long an honest peer's ping may take: longer where this machine makes everybody slow, or others
 * have the processors that the node waits for.
 */
export function pingP99MaxMs(untouchedPingP99Ms: number, slowedBy: number): number {
  return Math.max(PING_P99_MS_MAX * slowedBy, PING_ALLOWANCE * untouchedPingP99Ms);
}

/** A sentence for each thing that must not be. `drills`: those that ran together. */
export function failuresOf(drills: readonly Drill[], measured: Measured): string[] {
  const failures = harmOf(measured);
  const { newcomerMs } = measured.honest;
  if (newcomerMs === null && drills.some(({ newcomer }) => newcomer === true)) {
    failures.push("a newcomer was not let in");
  }
  const [drill, ...others] = drills;
  if (drill !== undefined && others.length === 0) failures.push(...missedOf(drill, measured));
  return failures;
}

/** What honest peers and the operator must be spared, whatever the attack. */
function harmOf({ node, honest }: Measured): string[] {
  const failures: string[] = [];
  const { rssAnonPeakMiB, rssAnonMaxMiB, logBytes } = node;
  for (const why of new Set(honest.dropped)) failures.push(`an honest peer was left: ${why}`);
  // What the percentile forgives too.
  if (honest.pingsLost > honest.pingsAnswered / 100) {
    failures.push(`${honest.pingsLost} honest pings were not answered`);
  }
  // Also when it is no number: nothing was answered.
  if (!(honest.pingP99Ms <= honest.pingP99MaxMs)) {
    const { pingP99Ms, pingP99MaxMs: most } = honest;
    failures.push(
      `honest pings took ${pingP99Ms.toFixed(0)} ms (p99) of ${most.toFixed(0)} at most`,
    );
  }
  if (honest.blocksMissing > 0) {
    failures.push(`${honest.blocksMissing} of ${honest.blocksMade} honest blocks did not arrive`);
  }
  if (rssAnonPeakMiB !== null && rssAnonPeakMiB > rssAnonMaxMiB) {
    failures.push(`memory rose to ${rssAnonPeakMiB.toFixed(0)} MiB of ${rssAnonMaxMiB.toFixed(0)}`);
  }
  if (logBytes > LOG_BYTES_MAX) failures.push(`the log grew by ${logBytes} bytes`);
  return failures;
}

/** Where the attack was not ended as it should be. */
function missedOf({ expects }: Drill, { node, attacker }: Measured): string[] {
  if ("bounded" in expects) return [];
  const failures: string[] = [];
  const { gone, withinMs = GONE_MS_MAX } = expects;
  const rules = Object.keys(node.ends);
  if (!rules.some((rule) => gone.includes(rule))) {
    failures.push(`nothing was ended by ${gone.join(" or ")}`);
  }
  const others = rules.filter((rule) => !gone.includes(rule) && !LIMITS.includes(rule));
  if (others.length > 0) failures.push(`some were ended by ${others.join(" and ")}`);
  if (attacker.left > 0) {
    failures.push(`${attacker.left} connections were still open after ${withinMs} ms`);
  }
  return failures;
}
