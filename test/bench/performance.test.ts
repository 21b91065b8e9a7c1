// The written report: figures are replaced where they stand, and what people wrote stays.

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { splice } from "../../bench/lib/document.js";
import { hotPaths, writePerformance } from "../../bench/lib/performance.js";
import { parseLines, type Line } from "../../bench/lib/run-bench.js";

const figure = (subject: string, metric: string, unit: string, values: readonly number[]) => {
  const [min, median, max] = values;
  return { bench: "bulk", subject, metric, unit, min, median, max };
};
const profile = (role: string, busyMs: number) => ({
  ...{ bench: "bulk", role, process: 1, thread: 0, busyMs, idleMs: 50 },
  functions: [{ name: "writev  net.js:9", ms: 40, part: 0.4 }],
});

const LINES = parseLines(
  [
    { bench: "bulk", size: "full", machine: "EPYC", cores: 2, node: "v20", commit: "c", date: "d" },
    figure("vibecoin", "rate", "MiB/s", [1, 2, 3]),
    figure("vibecoin", "sender-cpu", "s", [4, 5, 6]),
    figure("vibecoin", "sender-rss-max", "MiB", [70, 71, 72]),
    figure("libp2p", "noise/rate", "MiB/s", [1, 1, 1]),
    figure("other", "rate", "MiB/s", [9, 9, 9]),
    {
      bench: "bulk",
      ratio: "vibecoin/libp2p",
      metric: "rate:noise/rate",
      min: 1,
      median: 2,
      max: 3,
    },
    profile("bulk-vibecoin-sender", 100),
  ]
    .map((line) => JSON.stringify(line))
    .join("\n"),
);

test("figures are replaced between their markers, and the words around them stay", (t) => {
  const first = splice("# Performance\n\nWords.\n", "bulk", "old");
  t.true(first.includes("## bulk\n\n<!-- figures:bulk -->\n\nold"));
  const second = splice(first + "\nWhat was done.\n", "bulk", "new");
  t.false(second.includes("old"));
  t.regex(second, /Words\.[^]*new[^]*What was done\./);
});

test("a report comes from stored lines, again and again", (t) => {
  const docs = mkdtempSync(join(tmpdir(), "vibecoin-report-"));
  writeFileSync(join(docs, "performance.md"), "# Performance\n\nMisses are named here.\n");
  writePerformance(docs, LINES);
  const document = readFileSync(join(docs, "performance.md"), "utf8");
  t.true(document.includes("Misses are named here."));
  t.regex(document, /\| rate:noise\/rate \| vibecoin\/libp2p \| 1 +\| 2 +\| 3 +\|/);
  writePerformance(docs, LINES);
  t.is(readFileSync(join(docs, "performance.md"), "utf8"), document);
  t.false(document.includes("figures:goals"), "one bench says nothing of all goals");
});

test("a row a metric and a column a subject; what a process spent is a row of its own", (t) => {
  const document = written(LINES);
  t.regex(document, /\| metric +\| unit +\| vibecoin +\| libp2p \| other \|/);
  t.regex(document, /\| rate +\| MiB\/s \| 2 \(1 to 3\) \| +\| 9 +\|/);
  t.regex(document, /\| noise\/rate +\| MiB\/s \| +\| 1 +\| +\|/);
  t.regex(document, /\| vibecoin \| sender +\| 5 +\| +\| +\| +\| 71 +\| +\|/);
  t.false(document.includes("sender-cpu"));
});

test("a profile is a table of functions by self time", (t) => {
  const document = written(LINES);
  t.regex(document, /\| self time in bulk-vibecoin-sender, thread 0, 66.7% busy \| part +\|/);
  t.regex(document, /\| `writev net.js:9` +\| 40.0% \|/);
});

test("of each asked role the process with the busiest loop is hot, without idle threads", (t) => {
  const second = { ...profile("nodes", 90), process: 2 };
  const writer = { ...profile("nodes", 30), process: 2, thread: 1 };
  const profiles = [
    profile("limit", 100),
    profile("nodes", 40),
    { ...profile("nodes", 95), thread: 1 },
    second,
    writer,
    { ...profile("nodes", 1), process: 2, thread: 2 },
  ];
  t.deepEqual(hotPaths(profiles, ["nodes", "absent"]), [second, writer]);
});

test("the plot shows what the ratios compare, side by side", (t) => {
  const docs = mkdtempSync(join(tmpdir(), "vibecoin-report-"));
  writePerformance(docs, LINES);
  const plot = readFileSync(join(docs, "plots", "bulk.svg"), "utf8");
  t.regex(plot, />vibecoin<[^]*>libp2p noise<[^]*>2 MiB\/s<[^]*>1 MiB\/s</);
  t.false(plot.includes("other"));
});

function written(lines: readonly Line[]): string {
  const docs = mkdtempSync(join(tmpdir(), "vibecoin-report-"));
  writePerformance(docs, lines);
  return readFileSync(join(docs, "performance.md"), "utf8");
}
