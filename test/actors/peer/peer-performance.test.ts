import test from "ava";
import fc from "fast-check";
import { PeerPerformance } from "../../../src/actors/peer/peer-performance.js";

const delayMs = fc.double({ min: 0, max: 1e6, noNaN: true });
const count = fc.nat({ max: 10_000 });
const figures = fc.record({
  successes: count,
  failures: count,
  timeouts: count,
  pingMs: fc.option(delayMs, { nil: undefined }),
  responseMs: fc.option(delayMs, { nil: undefined }),
});

function performanceOf(values: Partial<PeerPerformance>): PeerPerformance {
  return Object.assign(new PeerPerformance(), values);
}

test("an unmeasured peer stands in the middle of what delays can give", (t) => {
  t.is(new PeerPerformance().score(), 0.5 * 0.5 + 0.3 * 0.5 + 0.2 * 0.5);
});

test("the score stays between 0 and 1 and nears both ends", (t) => {
  fc.assert(
    fc.property(figures, (values) => {
      const score = performanceOf(values).score();
      return score > 0 && score < 1;
    }),
  );
  t.true(performanceOf({ successes: 1e6, pingMs: 0.1, responseMs: 0.1 }).score() > 0.99);
  t.true(performanceOf({ timeouts: 1e6, pingMs: 1e6, responseMs: 1e6 }).score() < 0.01);
});

test("the score falls with each failure and rises with each success", (t) => {
  const isBetter = (better: Partial<PeerPerformance>, worse: Partial<PeerPerformance>): boolean =>
    performanceOf(better).score() > performanceOf(worse).score();
  fc.assert(
    fc.property(figures, (values) => {
      const { successes, failures, timeouts } = values;
      t.true(isBetter(values, { ...values, failures: failures + 1 }));
      t.true(isBetter(values, { ...values, timeouts: timeouts + 1 }));
      const asked = failures + timeouts;
      if (asked > 0) t.true(isBetter({ ...values, successes: successes + 1 }, values));
    }),
  );
});

test("the score never rises with a delay", (t) => {
  fc.assert(
    fc.property(figures, delayMs, delayMs, (values, one, other) => {
      const [shorter, longer] = [Math.min(one, other), Math.max(one, other)];
      for (const key of ["pingMs", "responseMs"] as const) {
        const quick = performanceOf({ ...values, [key]: shorter }).score();
        t.true(quick >= performanceOf({ ...values, [key]: longer }).score());
      }
    }),
  );
});

test("half of the ping's share is lost at 200 ms, of the answers' at a second", (t) => {
  const base = { successes: 0, responseMs: 1_000, pingMs: 200 };
  t.is(performanceOf(base).score(), new PeerPerformance().score());
});

test("averages start with the first sample and then move by an eighth", (t) => {
  const performance = new PeerPerformance();
  performance.answered(8);
  t.is(performance.responseMs, 8);
  performance.answered(16);
  t.is(performance.responseMs, 9);
  t.is(performance.successes, 2);
});

test("a snapshot is a copy with the score", (t) => {
  const performance = new PeerPerformance();
  performance.timeouts = 7;
  const dropped = { droppedOut: 5, droppedIn: 6 };
  const figures = { messagesIn: 1, messagesOut: 2, bytesIn: 3, bytesOut: 4, ...dropped };
  const snapshot = performance.snapshot(figures);
  performance.timeouts = 8;
  figures.bytesIn = 9;
  t.like(snapshot, { timeouts: 7, bytesIn: 3, bytesOut: 4, ...dropped });
  t.is(snapshot.score, performanceOf({ timeouts: 7 }).score());
  t.deepEqual(structuredClone(snapshot), snapshot);
});

test("the shortest round trip stays, whatever comes after it", (t) => {
  const performance = new PeerPerformance();
  t.is(performance.pingMinMs, undefined);
  for (const elapsedMs of [30, 10, 90]) performance.pinged(elapsedMs, 25);
  t.like(performance.snapshot(), { pingMinMs: 10, pingMs: 25 });
});
