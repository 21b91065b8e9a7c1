import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import test from "ava";
import type { NetworkEvent } from "../../src/actors/events/event-types.js";
import { openTerminal, type Terminal } from "../../src/cli/terminal.js";

interface Shown {
  readonly terminal: Terminal;
  /** What was written since the last call, without control sequences. */
  readonly text: () => string;
  readonly tell: (event: NetworkEvent) => void;
  readonly setTimeMs: (timeMs: number) => void;
}

function show(): Shown {
  const isTerminal = { isTTY: true, hasColors: () => false, columns: 120 };
  const stream = Object.assign(new PassThrough(), isTerminal) as unknown as NodeJS.WriteStream;
  let nowMs = 0;
  const terminal = openTerminal(stream, () => nowMs);
  let tell: (event: never, id: string) => void = () => undefined;
  terminal.watch({
    subscribe(_types, onEvent) {
      tell = onEvent;
      return () => undefined;
    },
  });
  return {
    terminal,
    text: () => stripVTControlCharacters(String((stream.read() as Buffer | null) ?? "")),
    tell: (event) => tell(event as never, ""),
    setTimeMs: (timeMs) => (nowMs = timeMs),
  };
}

const progressed = (height: number, transactionCount: number): NetworkEvent => ({
  type: "SyncProgressed",
  height,
  targetHeight: 1_000,
  transactionCount,
});
const finished: NetworkEvent = { type: "SyncFinished", height: 1_000, headHash: "ab" };
const line = `{"level":30,"time":"2025-01-01T00:00:00.000Z","height":3,"msg":"hello"}\n`;

test("log lines are shown in words", (t) => {
  const { terminal, text } = show();
  terminal.write(line);
  t.regex(text(), /INFO: hello \{"height":3\}\n$/);
});

test("a sync shows blocks, rate and what is left, and log lines stay whole above it", (t) => {
  const { terminal, text, tell, setTimeMs } = show();
  tell(progressed(0, 500));
  setTimeMs(2_000);
  tell(progressed(200, 1_500));
  text();
  terminal.write(line);
  terminal.end();
  const shown = text();
  t.regex(shown, /INFO: hello \{"height":3\}\n/);
  t.regex(shown, /200\/1000 blocks, 500 tx\/s, 8s left/);
  t.true(shown.indexOf("hello") < shown.indexOf("200/1000"));
});

test("the bar goes when the sync ends, and the next one starts its own count", (t) => {
  const { terminal, text, tell, setTimeMs } = show();
  tell(progressed(0, 0));
  tell(finished);
  text();
  terminal.write(line);
  t.regex(text(), /INFO: hello/);
  setTimeMs(1_000_000);
  tell(progressed(100, 5_000));
  setTimeMs(1_001_000);
  tell(progressed(300, 5_600));
  terminal.end();
  t.regex(text(), /300\/1000 blocks, 600 tx\/s, 4s left/);
});

test("a terminal is left as it was, and a bar that is too long for it is cut", (t) => {
  const columns = 40;
  const isTerminal = { isTTY: true, hasColors: () => false, columns };
  const stream = Object.assign(new PassThrough(), isTerminal);
  const terminal = openTerminal(stream, () => 0);
  let tell: (event: never, id: string) => void = () => undefined;
  terminal.watch({
    subscribe(_types, onEvent) {
      tell = onEvent;
      return () => undefined;
    },
  });
  tell(progressed(0, 0) as never, "");
  const long = "x".repeat(3 * columns);
  terminal.write(line.replace("hello", long));
  terminal.end();
  const written = String(stream.read() as Buffer);
  // Neither wrapping nor the cursor is turned off: whoever is killed cannot turn them on again.
  t.notRegex(written, new RegExp(`${String.fromCharCode(27)}\\[\\?(7|25)l`));
  t.true(written.includes(long));
  for (const row of stripVTControlCharacters(written).split(/[\r\n]/)) {
    if (row.startsWith("syncing")) t.true(row.length <= columns, row);
  }
});

test("a few blocks are not worth a bar", (t) => {
  const { text, tell } = show();
  tell(progressed(990, 10));
  t.is(text(), "");
});
