// Goals are judged by medians, and what was not measured is not met.

import test from "ava";
import { goalTable, isMet, readGoals } from "../../bench/lib/goals.js";
import type { Line } from "../../bench/lib/run-bench.js";

const ratio = {
  bench: "bulk",
  ratio: "vibecoin/limit",
  metric: "rate",
  min: 0.5,
  median: 0.9,
  max: 2,
};
const delay = {
  bench: "sync",
  subject: "vibecoin",
  metric: "p99",
  unit: "ms",
  min: 1,
  median: 4,
  max: 9,
};
const lines: readonly Line[] = [ratio, delay];

test("a goal holds at its bound, and is missed beyond it", (t) => {
  const goal = { bench: "bulk", of: "vibecoin/limit", metric: "rate" };
  t.true(isMet({ ...goal, atLeast: 0.9 }, ratio));
  t.false(isMet({ ...goal, atLeast: 0.91 }, ratio));
  t.true(isMet({ ...goal, atMost: 0.9 }, ratio));
  t.false(isMet({ ...goal, atMost: 0.89 }, ratio));
  t.false(isMet({ ...goal, atMost: 1 }, undefined));
});

test("a row names the goal, what was measured and the miss", (t) => {
  const written = goalTable(
    [
      { bench: "bulk", of: "vibecoin/limit", metric: "rate", atLeast: 0.85 },
      { bench: "sync", of: "vibecoin", metric: "p99", atMost: 3 },
      { bench: "sync", of: "libp2p", metric: "p99", atMost: 3 },
    ],
    lines,
  );
  t.regex(written, /\| bulk +\| rate, vibecoin\/limit \| ≥ 0.85 \| 0.9 \(0.5 to 2\) +\| met +\|/);
  t.regex(written, /\| sync +\| p99, vibecoin +\| ≤ 3 +\| 4 \(1 to 9\) ms +\| \*\*missed\*\* \|/);
  t.regex(written, /\| sync +\| p99, libp2p +\| ≤ 3 +\| not measured +\| \*\*missed\*\* \|/);
});

test("every stored goal has one bound", (t) => {
  for (const { atLeast, atMost } of readGoals()) t.not(atLeast === undefined, atMost === undefined);
});
