// The order in which a bench runs what it compares: A B C, A B C, A B C, so that what disturbs the
// machine for a while disturbs all of a round.

import type { BenchOptions } from "./report.js";

export interface Contender {
  /** For whoever watches. */
  readonly name: string;
  /** One round: starts processes, warms up, measures, samples into the bench's report. */
  readonly run: () => Promise<void>;
}

export async function runRounds(
  { rounds }: Pick<BenchOptions, "rounds">,
  contenders: readonly Contender[],
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run } of contenders) {
      const startMs = performance.now();
      if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${rounds}: ${name} ...`);
      await run();
      const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
      if (process.stderr.isTTY) process.stderr.write(` ${seconds} s\n`);
    }
  }
}
