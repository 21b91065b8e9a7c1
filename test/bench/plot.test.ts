// Plots put values where they belong, and labels cannot break out of the picture.

import test from "ava";
import { linearAxis, logAxis } from "../../bench/lib/plot-axis.js";
import { barPlot, linePlot } from "../../bench/lib/plot.js";

test("a linear axis covers its values and ends at round numbers", (t) => {
  const axis = linearAxis([0, 87.3], 100, 500);
  t.deepEqual(axis.ticks, [0, 20, 40, 60, 80, 100]);
  t.is(axis.at(0), 100);
  t.is(axis.at(50), 300);
  t.is(axis.at(100), 500);
});

test("a logarithmic axis gives every decade the same room", (t) => {
  const axis = logAxis([10, 9_000], 0, 300);
  t.deepEqual(axis.ticks, [10, 100, 1_000, 10_000]);
  t.deepEqual(
    axis.ticks.map((tick) => Math.round(axis.at(tick))),
    [0, 100, 200, 300],
  );
});

test("an axis may run upwards and hold a single value", (t) => {
  const up = logAxis([100], 300, 0);
  t.is(up.at(100), 300);
  t.is(up.at(1_000), 0);
  t.deepEqual(up.ticks, [100, 200, 500, 1_000]);
  t.is(linearAxis([0, 0], 0, 10).at(0), 0);
});

test("bars are as long as their values, and the longest of each group fills the width", (t) => {
  const bars = (vibecoin: number, libp2p: number) => [
    { series: "vibecoin", value: vibecoin },
    { series: "libp2p", value: libp2p },
  ];
  const picture = barPlot({
    title: "bulk",
    groups: [
      { label: "rate", unit: "MiB/s", bars: bars(100, 25) },
      { label: "cost", unit: "µs", bars: bars(1, 2) },
    ],
  });
  const widths = [...picture.matchAll(/<rect [^>]*width="([\d.]+)" height="14"/g)].map((found) =>
    Number(found[1]),
  );
  t.is(widths.length, 4);
  t.true(Math.abs(widths[0]! / widths[1]! - 4) < 0.01);
  t.true(Math.abs(widths[3]! / widths[2]! - 2) < 0.01);
  t.is(widths[0], widths[3]);
  t.true(picture.includes("25 MiB/s"));
});

test("a line passes through its points, and text is escaped", (t) => {
  const picture = linePlot({
    title: "time < nodes & blocks",
    x: { label: "nodes", scale: "log" },
    y: { label: "ms", scale: "log" },
    series: [
      {
        name: "p50",
        points: [
          [10, 100],
          [1_000, 10],
        ],
      },
    ],
  });
  t.regex(picture, /<polyline points="70,62 730,362"/);
  t.true(picture.includes("time &lt; nodes &amp; blocks"));
  t.false(picture.includes("< nodes"));
});
