import test from "ava";
import { createLog, silentLog, type LogOptions } from "../src/log.js";

function open(level: LogOptions["level"] = "debug") {
  const lines: Record<string, unknown>[] = [];
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  return { lines, clock, log: createLog({ level, destination, clock }) };
}

test("a line is JSON with its level, time, event and fields", (t) => {
  const { log, lines } = open();
  log.write("info", "peer connected", { peerId: "ab", height: 3 });
  log.write("error", "an actor failed");
  t.like(lines[0], { level: 30, msg: "peer connected", peerId: "ab", height: 3 });
  t.regex(String(lines[0]?.["time"]), /^\d{4}-\d\d-\d\dT/);
  t.false("pid" in lines[0]!);
  t.like(lines[1], { level: 50, msg: "an actor failed" });
});

test("lines below the level are not written, and silent means silent", (t) => {
  const warn = open("warn");
  for (const level of ["debug", "info", "warn", "error"] as const) warn.log.write(level, "x");
  t.deepEqual(
    warn.lines.map(({ level }) => level),
    [40, 50],
  );
  const silent = open("silent");
  silent.log.write("error", "x");
  t.deepEqual(silent.lines, []);
  t.notThrows(() => silentLog.write("error", "x"));
});

test("a flood of one event is cut, and the next line says how many were left out", (t) => {
  const { log, lines, clock } = open();
  for (let i = 0; i < 1_000; i++) log.write("info", "flood", { i });
  t.is(lines.length, 50);
  log.write("info", "another");
  t.is(lines.length, 51, "other events are not held back");
  clock.nowMs = 9_999;
  log.write("info", "flood");
  t.is(lines.length, 51);
  clock.nowMs = 10_000;
  log.write("info", "flood", { i: "last" });
  t.like(lines[51], { msg: "flood", i: "last", suppressed: 951 });
  log.write("info", "flood");
  t.false("suppressed" in lines[52]!);
});

test("lines that the level hides do not count as a flood", (t) => {
  const { log, lines } = open("info");
  for (let i = 0; i < 100; i++) log.write("debug", "x");
  log.write("info", "x");
  t.deepEqual(
    lines.map(({ suppressed }) => suppressed),
    [undefined],
  );
});

test("without a destination it writes to standard output", (t) => {
  const clock = { monotonicMs: () => 0 };
  t.notThrows(() => createLog({ level: "silent", clock }).write("error", "x"));
});
