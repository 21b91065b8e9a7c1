// The written report: figures are replaced where they stand, and what people wrote stays.

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { splice } from "../../bench/lib/document.js";
import { writePerformance } from "../../bench/lib/performance.js";
import { parseLines } from "../../bench/lib/run-bench.js";

const LINES = parseLines(
  [
    `{"bench":"bulk","size":"full","machine":"EPYC","cores":2,"node":"v20","commit":"c","date":"2026-01-02T03"}`,
    `{"bench":"bulk","subject":"vibecoin","metric":"rate","unit":"MiB/s","min":1,"median":2,"max":3}`,
    `{"bench":"bulk","subject":"libp2p","metric":"noise/rate","unit":"MiB/s","min":1,"median":1,"max":1}`,
    `{"bench":"bulk","ratio":"vibecoin/libp2p","metric":"rate:noise/rate","min":1,"median":2,"max":3}`,
    "",
  ].join("\n"),
);

test("figures are replaced between their markers, and the words around them stay", (t) => {
  const first = splice("# Performance\n\nWords.\n", "bulk", "old");
  t.true(first.includes("## bulk\n\n<!-- figures:bulk -->\n\nold"));
  const second = splice(first + "\nWhat was done.\n", "bulk", "new");
  t.false(second.includes("old"));
  t.regex(second, /Words\.[^]*new[^]*What was done\./);
});

test("a report comes from stored lines: one row a metric, one column a subject, and a plot", (t) => {
  const docs = mkdtempSync(join(tmpdir(), "vibecoin-report-"));
  writeFileSync(join(docs, "performance.md"), "# Performance\n\nMisses are named here.\n");
  writePerformance(docs, LINES);
  const document = readFileSync(join(docs, "performance.md"), "utf8");
  t.true(document.includes("Misses are named here."));
  t.regex(document, /\| rate +\| MiB\/s \| 2 \(1 to 3\) \| +\| +\|/);
  t.regex(document, /\| noise\/rate +\| MiB\/s \| +\| 1 +\| +\|/);
  t.regex(document, /\| rate:noise\/rate \| vibecoin\/libp2p \| 1 +\| 2 +\| 3 +\|/);
  t.regex(readFileSync(join(docs, "plots", "bulk.svg"), "utf8"), /noise\/rate/);
  writePerformance(docs, LINES);
  t.is(readFileSync(join(docs, "performance.md"), "utf8"), document);
});
