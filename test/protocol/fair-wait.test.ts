import test from "ava";
import { FairWait } from "../../src/protocol/fair-wait.js";

/** Fires each timer so many ms late, as long as there is one; answers when the wait was over. */
function overAt(wait: FairWait, lateMs: (dueMs: number) => number): number | undefined {
  let nowMs = 0;
  let delayMs: number | undefined = wait.begin(nowMs);
  for (let looks = 0; looks < 100; looks++) {
    nowMs += delayMs + lateMs(nowMs + delayMs);
    delayMs = wait.look(nowMs);
    if (delayMs === undefined) return nowMs;
  }
  return undefined;
}

test("a wait whose timers are on time is over at its time", (t) => {
  t.is(
    overAt(new FairWait(5_000, 0), () => 0),
    5_000,
  );
});

test("a wait that began before its first timer ends as much earlier", (t) => {
  const wait = new FairWait(5_000, 0);
  t.is(wait.begin(4_000), 1_000);
  t.is(wait.look(5_000), undefined);
});

test("a stall within the wait gives it in full again", (t) => {
  // The process sleeps for 10 s from the second look on.
  const over = overAt(new FairWait(5_000, 0), (dueMs) => (dueMs === 2_500 ? 10_000 : 0));
  t.is(over, 12_500 + 5_000);
});

test("a stall at the very end of the wait gives it in full again", (t) => {
  const over = overAt(new FairWait(5_000, 0), (dueMs) => (dueMs === 5_000 ? 3_000 : 0));
  t.is(over, 8_000 + 5_000);
});

test("a timer that is a little late has what arrived read first", (t) => {
  const over = overAt(new FairWait(5_000, 0), (dueMs) => (dueMs === 5_000 ? 300 : 0));
  t.is(over, 5_300 + 100);
});

test("a loop that is always a little late still ends a wait", (t) => {
  const over = overAt(new FairWait(5_000, 0), () => 200);
  t.true(over !== undefined && over < 6_000, `over at ${over}`);
});
