// `sim`: simulates networks of whole nodes from seeds and prints verdicts. Each seed is one run; a
// run that fails is the last, and its verdict comes with the command that replays it.

import { printable } from "../bytes/printable.js";
import { CodedError } from "../errors.js";
import { checkTrace, createTimeline, simulate } from "../sim/index.js";
import type { SimulateOptions, Verdict } from "../sim/index.js";
import { systemClock } from "../runtime/clock.js";
import { EXIT_FAULT, EXIT_OK } from "./exit.js";
import { optionsOf, replayOf, type WorldFlags } from "./sim-options.js";

export interface SimFlags extends WorldFlags {
  readonly runs: number;
  /** Minutes of real time: seeds are run until they are over. */
  readonly for?: number;
  readonly trace?: string;
  readonly json?: boolean;
}

/** Resolves with the exit code: 1 when a check failed. */
export async function sim(flags: SimFlags): Promise<number> {
  const untilMs = systemClock.monotonicMs() + (flags.for ?? 0) * 60_000;
  const more = (run: number): boolean =>
    flags.for === undefined ? run < flags.runs : systemClock.monotonicMs() < untilMs;
  if (flags.trace !== undefined && (flags.runs > 1 || flags.for !== undefined)) {
    throw new CodedError("CONFIG_INVALID", "A trace is of one run: leave out --runs and --for.");
  }
  const one = flags.for === undefined && flags.runs === 1;
  for (let run = 0; more(run); run++) {
    const seed = one ? flags.seed : `${flags.seed}/${run}`;
    const options = optionsOf(flags, seed);
    const trace = flags.trace === undefined ? undefined : traceOf(flags.trace, options);
    const verdict = await simulate({ ...options, ...trace?.timeline });
    print(verdict, flags, seed);
    if (trace?.lines === 0) {
      process.stderr.write(`Nothing of this run mentions ${flags.trace}.\n`);
    }
    if (!verdict.ok) return EXIT_FAULT;
  }
  return EXIT_OK;
}

/** Prints the timeline of `about` and counts its lines. */
function traceOf(about: string, options: SimulateOptions) {
  checkTrace(about, options);
  const trace = {
    lines: 0,
    timeline: createTimeline(about, (line) => {
      trace.lines++;
      process.stdout.write(`${printable(line)}\n`);
    }),
  };
  return trace;
}

function print(verdict: Verdict, flags: SimFlags, seed: string): void {
  const { violations } = verdict;
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  if (!verdict.ok) {
    process.stderr.write(`seed ${seed} failed\n`);
    for (const { atMs, what } of violations) {
      process.stderr.write(`at ${(atMs / 1_000).toFixed(3)} s: ${what}\n`);
    }
    process.stderr.write(`replay: ${replayOf(flags, seed)}\n`);
  }
  if (flags.json === true) {
    line(JSON.stringify(verdict));
    return;
  }
  const { nodes, blocks, events, virtualSeconds, wallSeconds, bans, propagation } = verdict;
  const { p50Ms, p95Ms, p99Ms } = propagation;
  const outcome = verdict.ok ? "ok    " : "FAILED";
  line(
    `${outcome} seed ${seed}: ${nodes} nodes, ${virtualSeconds} s in ${wallSeconds} s, ` +
      `${blocks} blocks, ${events} events, ${bans} bans, ` +
      `propagation ${p50Ms}/${p95Ms}/${p99Ms} ms, ` +
      `${verdict.bytesPerNode} bytes a node, trace ${verdict.traceHash}`,
  );
}
