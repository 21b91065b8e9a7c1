// Ratios compare what ran in the same round.

import test from "ava";
import { Report } from "../../bench/lib/report.js";

const options = { smoke: true, json: true };

test("a ratio is taken round by round, not of the medians", (t) => {
  const report = new Report("bulk", options);
  // The machine is ten times slower in the second round.
  for (const [ours, limit] of [
    [50, 100],
    [6, 10],
    [80, 200],
  ] as const) {
    report.sample("vibecoin", "rate", "1/s", ours);
    report.sample("limit", "rate", "1/s", limit);
  }
  report.ratio("vibecoin", "limit", "rate");
  t.deepEqual(report.ratioLines(), [
    { bench: "bulk", ratio: "vibecoin/limit", metric: "rate", min: 0.4, median: 0.5, max: 0.6 },
  ]);
});

test("a ratio may compare two variants of a load and is left out when one was not measured", (t) => {
  const report = new Report("messages", options);
  report.sample("vibecoin", "rate", "1/s", 300);
  report.sample("libp2p", "single/rate", "1/s", 30);
  report.ratio("vibecoin", "libp2p", "rate", "single/rate");
  report.ratio("vibecoin", "limit", "rate");
  t.deepEqual(
    report.ratioLines().map(({ ratio, metric, median }) => ({ ratio, metric, median })),
    [{ ratio: "vibecoin/libp2p", metric: "rate:single/rate", median: 10 }],
  );
});
