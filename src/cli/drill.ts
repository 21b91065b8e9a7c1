// `drill`: attacks the operator's own configuration on loopback and prints a report card for each
// attack. The last line says how many passed; whatever ends the command ends all that it started.

import { printable } from "../bytes/printable.js";
import { drillsBy, DRILLS } from "../drill/drills.js";
import { drillConfig } from "../drill/own-config.js";
import type { ReportCard } from "../drill/report-card.js";
import { DrillRun } from "../drill/run-drills.js";
import { cardText } from "./drill-text.js";
import { EXIT_FAULT, EXIT_OK } from "./exit.js";
import { readConfigFile } from "./run-flags.js";

export interface DrillFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly list?: boolean;
  readonly short?: boolean;
  readonly together?: boolean;
  readonly seconds?: number;
  /** Of one core. */
  readonly cpu: number;
}

const SECONDS = 10;
const SECONDS_SHORT = 2;

/** Resolves with the exit code: 1 when a drill failed. Throws CONFIG_INVALID. */
export async function drill(names: readonly string[], flags: DrillFlags): Promise<number> {
  const line = (text: string): void => void process.stdout.write(`${printable(text)}\n`);
  if (flags.list === true) {
    for (const { name, threat } of DRILLS) line(`${name.padEnd(24)}${threat}`);
    return EXIT_OK;
  }
  const drills = drillsBy(names);
  const config = drillConfig(flags.config === undefined ? {} : readConfigFile(flags.config));
  const seconds = flags.seconds ?? (flags.short === true ? SECONDS_SHORT : SECONDS);
  const together = flags.together === true;
  const run = new DrillRun({ config, drills, together, seconds, cpuShare: flags.cpu });
  const counts = { passed: 0, failed: 0 };
  const say = flags.json === true ? () => undefined : line;
  endWith(run);
  say("Changed in your configuration for the drill:");
  for (const change of config.changes) say(`  ${change}`);
  const onCard = (card: ReportCard): void => {
    counts[card.passed ? "passed" : "failed"]++;
    if (flags.json === true) line(JSON.stringify({ ...card, changes: config.changes }));
    else for (const each of cardText(card)) line(each);
  };
  try {
    await run.run(onCard);
  } catch (error) {
    counts.failed++;
    throw error;
  } finally {
    line(`${counts.passed} passed, ${counts.failed} failed`);
  }
  return counts.failed === 0 ? EXIT_OK : EXIT_FAULT;
}

function endWith(run: DrillRun): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      run.end();
      process.stderr.write(`vibecoin-node: the drill was ended by ${signal}.\n`);
      process.exit(EXIT_FAULT);
    });
  }
}
