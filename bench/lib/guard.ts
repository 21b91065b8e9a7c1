// The guard against regressions: ratios to the limit and to peers of the same run must not fall
// below the floors of bench/floors.json. Floors are data: a faster path raises them there.

import { readFileSync } from "node:fs";
import { isRatio, runBench, type Line } from "./run-bench.js";
import type { RatioLine } from "./report.js";

export interface Floor extends Pick<RatioLine, "bench" | "ratio" | "metric"> {
  /** Of the median, with slack for the noise of a smoke run. */
  readonly floor: number;
}

const FLOORS = new URL("../../../bench/floors.json", import.meta.url);

/** What fell below its floor, or was not measured, in words; empty when all is well. */
export function belowFloors(floors: readonly Floor[], lines: readonly Line[]): string[] {
  return floors.flatMap(({ bench, ratio, metric, floor }) => {
    const line = lines
      .filter(isRatio)
      .find((each) => each.bench === bench && each.ratio === ratio && each.metric === metric);
    if (line !== undefined && line.median >= floor) return [];
    return `${bench} ${metric} ${ratio}: ${line?.median ?? "not measured"}, floor ${floor}`;
  });
}

/** Runs the benches that have floors; one that fails has a second try. True when all hold. */
export async function guard(): Promise<boolean> {
  const floors = JSON.parse(readFileSync(FLOORS, "utf8")) as readonly Floor[];
  const failures: string[] = [];
  for (const bench of new Set(floors.map((floor) => floor.bench))) {
    const own = floors.filter((floor) => floor.bench === bench);
    const first = belowFloors(own, await runBench(bench, ["--smoke"]));
    const left = first.length === 0 ? [] : belowFloors(own, await runBench(bench, ["--smoke"]));
    console.log(`${left.length === 0 ? "✔" : "✘"} ${bench}${first.length > 0 ? ", twice" : ""}`);
    failures.push(...left);
  }
  for (const failure of failures) console.error(failure);
  return failures.length === 0;
}
