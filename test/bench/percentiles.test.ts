// What a bench reports of many samples.

import test from "ava";
import { percentiles, weightedPercentiles } from "../../src/drill/measure/percentiles.js";

test("a plain percentile is the least value that so many samples do not exceed", (t) => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.deepEqual(percentiles(values, [0.5, 0.99, 1]), [50, 99, 100]);
});

test("one long stall among many short waits is most of a percentile weighted by time", (t) => {
  const delaysMs = [...Array.from({ length: 99 }, () => 1), 900];
  const byTime = weightedPercentiles(delaysMs, [0.05, 0.5], (delayMs) => delayMs);
  t.deepEqual(byTime, [1, 900]);
  t.deepEqual(percentiles(delaysMs, [0.05, 0.5]), [1, 1]);
});

test("there is no percentile of nothing", (t) => {
  t.deepEqual(percentiles([], [0.5]), [NaN]);
});
