// What the benches are to reach, and whether they did: bench/goals.json against the lines of a run.

import { readFileSync } from "node:fs";
import { table } from "./document.js";
import type { FigureLine, RatioLine } from "./report.js";
import { isFigure, isRatio, type Line } from "./run-bench.js";

/** Of a median; one of the two bounds. */
export interface Goal {
  readonly bench: string;
  /** A subject for its figure, or `vibecoin/limit` for a ratio. */
  readonly of: string;
  readonly metric: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const GOALS = new URL("../../../bench/goals.json", import.meta.url);

export function readGoals(): Goal[] {
  return JSON.parse(readFileSync(GOALS, "utf8")) as Goal[];
}

/** A row a goal; what no line says is not measured, and not met. */
export function goalTable(goals: readonly Goal[], lines: readonly Line[]): string {
  const rows = goals.map((goal) => {
    const line = lineOf(goal, lines);
    const unit = line !== undefined && "unit" in line && line.unit !== "1" ? ` ${line.unit}` : "";
    return [
      goal.bench,
      `${goal.metric}, ${goal.of}`,
      goal.atLeast === undefined ? `≤ ${shown(goal.atMost!)}` : `≥ ${shown(goal.atLeast)}`,
      line === undefined
        ? "not measured"
        : `${shown(line.median)} (${shown(line.min)} to ${shown(line.max)})${unit}`,
      isMet(goal, line) ? "met" : "**missed**",
    ];
  });
  return table([["bench", "median of", "goal", "measured", ""], ...rows]);
}

export function isMet(
  { atLeast, atMost }: Goal,
  line: FigureLine | RatioLine | undefined,
): boolean {
  if (line === undefined) return false;
  return line.median >= (atLeast ?? -Infinity) && line.median <= (atMost ?? Infinity);
}

function lineOf(
  { bench, of, metric }: Goal,
  lines: readonly Line[],
): FigureLine | RatioLine | undefined {
  return lines
    .filter((line) => isFigure(line) || isRatio(line))
    .find(
      (line) =>
        line.bench === bench &&
        line.metric === metric &&
        (isRatio(line) ? line.ratio : line.subject) === of,
    );
}

function shown(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}
