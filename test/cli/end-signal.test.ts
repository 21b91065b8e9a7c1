import { EventEmitter } from "node:events";
import test from "ava";
import { endSignal } from "../../src/cli/end-signal.js";

function listen(underNpm: boolean) {
  const source = new EventEmitter();
  const seconds: string[] = [];
  let timeMs = 0;
  const first = endSignal({
    source,
    nowMs: () => timeMs,
    underNpm,
    onSecond: (signal) => seconds.push(signal),
  });
  const send = (signal: string, atMs: number): void => {
    timeMs = atMs;
    source.emit(signal, signal);
  };
  return { first, seconds, send };
}

test("the first signal is a wish, a later one an order", async (t) => {
  const { first, seconds, send } = listen(false);
  send("SIGTERM", 0);
  t.is(await first, "SIGTERM");
  t.deepEqual(seconds, []);
  send("SIGTERM", 100);
  t.deepEqual(seconds, ["SIGTERM"]);
});

test("signals that come together are one wish", async (t) => {
  const { first, seconds, send } = listen(false);
  send("SIGTERM", 0);
  send("SIGTERM", 1);
  send("SIGHUP", 99);
  t.is(await first, "SIGTERM");
  t.deepEqual(seconds, []);
});

test("the Ctrl-C that npm passes on is no second one", (t) => {
  const { seconds, send } = listen(true);
  send("SIGINT", 0);
  send("SIGINT", 120);
  t.deepEqual(seconds, []);
  send("SIGINT", 140);
  t.deepEqual(seconds, ["SIGINT"]);
});

test("below npm too, another signal and a later Ctrl-C are an order", (t) => {
  for (const [signal, atMs] of [
    ["SIGTERM", 120],
    ["SIGINT", 2_000],
  ] as const) {
    const { seconds, send } = listen(true);
    send("SIGINT", 0);
    send(signal, atMs);
    t.deepEqual(seconds, [signal]);
  }
});
