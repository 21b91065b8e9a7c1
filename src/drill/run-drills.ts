// Runs drills, one after another or all at once: starts the processes, measures, judges. One crowd of
// honest peers, one process of attackers and one untouched node serve all of them; each drill has a
// node of its own.

import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { plannedBytes } from "../config/memory-plan.js";
import type { NetworkConfigInput } from "../config.js";
import type { AttackFigures, AttackerMethods } from "./attackers.js";
import { HONEST_ADDRESSES, type CrowdFigures, type CrowdMethods } from "./crowd.js";
import type { Drill } from "./drill.js";
import { percentiles } from "./measure/percentiles.js";
import { MemoryWatch, slowdown } from "./measure/process-watch.js";
import type { DrillConfig } from "./own-config.js";
import { Processes, type Worker } from "./processes.js";
import { failuresOf, pingP99MaxMs, type Measured, type ReportCard } from "./report-card.js";
import type { VictimFigures, VictimMethods, VictimStarted } from "./victim.js";

export interface DrillPlan {
  readonly config: DrillConfig;
  readonly drills: readonly Drill[];
  /** All at once, on one node. */
  readonly together: boolean;
  /** Of each. */
  readonly seconds: number;
  /** Of one core, for all attackers. */
  readonly cpuShare: number;
}

const MIB = 1_024 ** 2;
/** What the process of a node takes beside the budget. */
const PROCESS_MIB = 150;
/** A node that does not answer after an attack has failed. */
const ANSWER_MAX_MS = 30_000;
const NUMBERS_OF_A_DRILL = 100_000;

type Victim = Worker<VictimMethods>;

export class DrillRun {
  readonly #plan: DrillPlan;
  readonly #processes = new Processes();
  #directory: string | undefined;
  #nodes = 0;
  #from = 0;

  constructor(plan: DrillPlan) {
    this.#plan = plan;
  }

  /** Tells each card as it is known. Rejects when the drills themselves cannot be held. */
  async run(onCard: (card: ReportCard) => void): Promise<void> {
    const { drills, together } = this.#plan;
    this.#directory = await mkdtemp(path.join(tmpdir(), "vibecoin-drill-"));
    try {
      const crowd = this.#processes.start<CrowdMethods>("crowd");
      const twin = this.#processes.start<VictimMethods>("twin");
      await crowd.ask.joinTwin(await twin.ask.start({ config: this.#nextConfig() }));
      let attackers = this.#processes.start<AttackerMethods>("attackers");
      for (const set of together ? [drills] : drills.map((drill) => [drill])) {
        if (attackers.died !== undefined) attackers = this.#processes.start("attackers");
        onCard(await this.#drill(set, crowd, attackers));
      }
    } finally {
      this.end();
    }
  }

  /** Ends every process and removes every file, at once. */
  end(): void {
    this.#processes.killAll();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  async #drill(
    drills: readonly Drill[],
    crowd: Worker<CrowdMethods>,
    attackers: Worker<AttackerMethods>,
  ): Promise<ReportCard> {
    const { address: outbound, height } = await crowd.ask.open(undefined);
    const victim = this.#processes.start<VictimMethods>("victim");
    const memory = new MemoryWatch(victim.pid);
    try {
      const started = await victim.ask.start({ config: this.#nextConfig(), dial: outbound });
      const { peerIds } = await crowd.ask.join(started);
      await victim.ask.reach(height);
      await victim.ask.begin({ peerIds, addresses: HONEST_ADDRESSES });
      const seconds = Math.max(this.#plan.seconds, ...drills.map((each) => each.secondsMin ?? 0));
      await crowd.ask.begin({ newcomerAfterMs: (seconds * 1_000) / 2 });
      memory.begin();
      const slowed = [slowdown(victim.pid), slowdown(crowd.pid)];
      const logStart = victim.writtenBytes;
      const attack = await this.#attack(drills, { started, seconds, attackers, victim });
      const crowdFigures = await crowd.ask.finish(undefined);
      const figures = await finished(victim);
      const logBytes = victim.writtenBytes - logStart;
      const slowedBy = Math.max(...slowed.map((read) => read()));
      const found = { attack, crowdFigures, figures, logBytes, memory, slowedBy };
      return this.#card(drills, { ...found, seconds, victim });
    } finally {
      memory.stop();
      victim.kill();
      await victim.gone;
      await crowd.ask.leave(undefined);
    }
  }

  /** A sentence in place of figures: the attack itself failed. */
  async #attack(
    drills: readonly Drill[],
    parts: {
      readonly started: VictimStarted;
      readonly seconds: number;
      readonly attackers: Worker<AttackerMethods>;
      readonly victim: Victim;
    },
  ): Promise<AttackFigures | string> {
    const { started, seconds, attackers, victim } = parts;
    const { address, http, networkId } = started;
    const from = (this.#from += NUMBERS_OF_A_DRILL * drills.length);
    const names = drills.map(({ name }) => name);
    const { cpuShare } = this.#plan;
    const task = { names, address, http, networkId, seconds, cpuShare, from };
    const attack = attackers.ask.run(task).catch((error: Error) => error.message);
    // Nobody is left to be attacked.
    return Promise.race([attack, victim.gone]);
  }

  #card(drills: readonly Drill[], parts: Parts): ReportCard {
    const { attack, victim, seconds } = parts;
    const measured = this.#measured(parts);
    const failures: string[] = [];
    if (victim.died !== undefined) failures.push(`the node died: ${victim.died}`);
    else if (typeof attack === "string") failures.push(`the attack failed: ${attack}`);
    else {
      if (typeof parts.figures === "string") failures.push(`the node hangs: ${parts.figures}`);
      else
        failures.push(...parts.figures.errors.slice(0, 3).map((line) => `the node says: ${line}`));
      failures.push(...failuresOf(drills, measured));
      for (const { name, figures } of attack.attacks) {
        failures.push(...figures.faults.slice(0, 1).map((fault) => `the attack ${name}: ${fault}`));
      }
    }
    const [only] = drills;
    const one = drills.length === 1 && only !== undefined;
    return {
      name: one ? only.name : "together",
      threat: one ? only.threat : `${drills.length} attacks at once`,
      passed: failures.length === 0,
      failures,
      seconds,
      ...measured,
    };
  }

  #measured(parts: Parts): Measured {
    const { attack, crowdFigures, figures, logBytes, memory, slowedBy, victim } = parts;
    const { resolved } = this.#plan.config;
    const known = typeof figures === "string" ? undefined : figures;
    const attacks = typeof attack === "string" ? [] : attack.attacks.map((each) => each.figures);
    const lived = attacks.flatMap(({ livedMs }) => livedMs);
    const [goneP50Ms, goneMaxMs] = lived.length === 0 ? [] : percentiles(lived, [0.5, 1]);
    const sum = (of: (each: (typeof attacks)[number]) => number): number =>
      attacks.reduce((total, each) => total + of(each), 0);
    const { pings, control, blocks, dropped, newcomerMs } = crowdFigures;
    const holders = known?.memory.holders ?? [];
    return {
      node: {
        rssAnonStartMiB: memory.startMiB,
        rssAnonPeakMiB: memory.peakMiB,
        rssAnonMaxMiB: resolved.memoryBudgetBytes / MIB + PROCESS_MIB,
        leasedPeakMiB: holders.reduce((total, { peakBytes }) => total + peakBytes, 0) / MIB,
        worstCaseMiB: plannedBytes(resolved) / MIB,
        loopDelayP99Ms: known?.loop.p99Ms ?? NaN,
        cpuSeconds: known?.cpuSeconds ?? NaN,
        slowedBy,
        logBytes,
        bans: known?.bans ?? 0,
        ends: endsOf([known?.ends ?? {}, ...attacks.map(({ told }) => told)]),
        lastLines: victim.died === undefined ? [] : victim.lastLines,
      },
      honest: {
        pingP50Ms: pings.p50Ms,
        pingP99Ms: pings.p99Ms,
        pingP99MaxMs: pingP99MaxMs(control.p99Ms, slowedBy),
        pingsAnswered: pings.answered,
        pingsLost: pings.lost,
        untouchedPingP99Ms: control.p99Ms,
        dropped,
        blocksMade: blocks.made,
        blocksMissing: blocks.missing,
        blockP50Ms: blocks.p50Ms,
        blockMaxMs: blocks.maxMs,
        newcomerMs,
      },
      attacker: {
        connections: sum(({ connections }) => connections),
        cpuSeconds: typeof attack === "string" ? NaN : attack.cpuSeconds,
        sentBytes: sum(({ sentBytes }) => sentBytes),
        receivedBytes: sum(({ receivedBytes }) => receivedBytes),
        goneP50Ms: goneP50Ms ?? null,
        goneMaxMs: goneMaxMs ?? null,
        left: sum(({ left }) => left),
        notes: Object.assign({}, ...attacks.map(({ notes }) => notes)) as Record<string, number>,
      },
    };
  }

  /** The configuration of one more node: the directory is its own. */
  #nextConfig(): NetworkConfigInput {
    const { input, keepsData } = this.#plan.config;
    const directory = this.#directory;
    if (!keepsData || directory === undefined) return input;
    return { ...input, dataDir: path.join(directory, `node-${++this.#nodes}`) };
  }
}

interface Parts {
  readonly seconds: number;
  readonly attack: AttackFigures | string;
  readonly crowdFigures: CrowdFigures;
  readonly figures: VictimFigures | string;
  readonly logBytes: number;
  readonly memory: MemoryWatch;
  /** Of the node and of the honest peers, whichever waited longer for a processor. */
  readonly slowedBy: number;
  readonly victim: Victim;
}

/**
 * The node publishes the end of peers that were ready, and tells those that were not: what both saw
 * counts once.
 */
function endsOf([published = {}, ...told]: readonly Readonly<Record<string, number>>[]) {
  const heard: Record<string, number> = {};
  for (const [why, count] of told.flatMap(Object.entries<number>)) {
    heard[why] = (heard[why] ?? 0) + count;
  }
  const ends: Record<string, number> = { ...published };
  for (const [why, count] of Object.entries(heard)) ends[why] = Math.max(ends[why] ?? 0, count);
  return ends;
}

/** Its figures, or why there are none. */
async function finished(victim: Victim): Promise<VictimFigures | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    const sentence = `no answer within ${ANSWER_MAX_MS / 1_000} s`;
    timer = setTimeout(() => resolve(sentence), ANSWER_MAX_MS);
  });
  const asked = victim.ask.finish(undefined).catch((error: Error) => error.message);
  const outcome = await Promise.race([asked, late]);
  clearTimeout(timer);
  return outcome;
}
