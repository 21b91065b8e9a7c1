import test from "ava";
import fc from "fast-check";
import { NO_GOSSIP } from "../../../src/actors/peer/gossip-times.js";
import { NO_DEEDS } from "../../../src/actors/peer/peer-deeds.js";
import {
  PeerPerformance,
  performanceOf,
  scoreOf,
} from "../../../src/actors/peer/peer-performance.js";

const delayMs = fc.double({ min: 0, max: 1e6, noNaN: true });
const count = fc.nat({ max: 10_000 });
const figures = fc.record({
  successes: count,
  failures: count,
  timeouts: count,
  pingMs: fc.option(delayMs, { nil: undefined }),
  responseMs: fc.option(delayMs, { nil: undefined }),
  blockDelayMs: fc.option(delayMs, { nil: undefined }),
  transactionDelayMs: fc.option(delayMs, { nil: undefined }),
  usefulBlocks: count,
  usefulTransactions: count,
  invalid: count,
  violations: count,
});
type Args = Parameters<typeof scoreOf>;
type Figures = Args[0] & Args[1] & Args[2];
const UNMEASURED: Figures = { ...new PeerPerformance().snapshot(), ...NO_GOSSIP, ...NO_DEEDS };
const score = (values: Partial<Figures>): number => {
  const all = { ...UNMEASURED, ...values };
  return scoreOf(all, all, all);
};

test("an unmeasured peer stands in the middle of what delays can give", (t) => {
  t.is(score({}), 0.5 * 0.9 + 0.1);
});

test("the score stays between 0 and 1 and nears both ends", (t) => {
  fc.assert(
    fc.property(figures, (values) => {
      const one = score(values);
      return one > 0 && one < 1;
    }),
  );
  const delays = (ms: number) => ({
    pingMs: ms,
    responseMs: ms,
    blockDelayMs: ms,
    transactionDelayMs: ms,
  });
  t.true(score({ successes: 1e6, ...delays(0.1) }) > 0.99);
  t.true(score({ timeouts: 1e6, violations: 1e6, ...delays(1e6) }) < 0.01);
});

test("the score falls with each failure and rises with each success", (t) => {
  const isBetter = (better: Partial<Figures>, worse: Partial<Figures>): boolean =>
    score(better) > score(worse);
  fc.assert(
    fc.property(figures, (values) => {
      const { successes, failures, timeouts } = values;
      t.true(isBetter(values, { ...values, failures: failures + 1 }));
      t.true(isBetter(values, { ...values, timeouts: timeouts + 1 }));
      t.true(isBetter(values, { ...values, invalid: values.invalid + 1 }));
      t.true(isBetter(values, { ...values, violations: values.violations + 1 }));
      const asked = failures + timeouts;
      if (asked > 0) t.true(isBetter({ ...values, successes: successes + 1 }, values));
    }),
  );
});

test("the score never rises with a delay", (t) => {
  fc.assert(
    fc.property(figures, delayMs, delayMs, (values, one, other) => {
      const [shorter, longer] = [Math.min(one, other), Math.max(one, other)];
      for (const key of ["pingMs", "responseMs", "blockDelayMs", "transactionDelayMs"] as const) {
        t.true(score({ ...values, [key]: shorter }) >= score({ ...values, [key]: longer }));
      }
    }),
  );
});

test("half of a share is lost at 200 ms of the ping, a second of answers, half of one of news", (t) => {
  const news = { blockDelayMs: 500, transactionDelayMs: 500 };
  t.is(score({ responseMs: 1_000, pingMs: 200, ...news }), score({}));
});

test("averages start with the first sample and then move by an eighth", (t) => {
  const performance = new PeerPerformance();
  performance.answered(8);
  t.is(performance.responseMs, 8);
  performance.answered(16);
  t.is(performance.responseMs, 9);
  t.is(performance.successes, 2);
});

test("a snapshot is a copy, and with what else is known it has a score", (t) => {
  const performance = new PeerPerformance();
  performance.timeouts = 7;
  const dropped = { droppedOut: 5, droppedIn: 6 };
  const figures = { messagesIn: 1, messagesOut: 2, bytesIn: 3, bytesOut: 4, ...dropped };
  const snapshot = performance.snapshot(figures);
  performance.timeouts = 8;
  figures.bytesIn = 9;
  t.like(snapshot, { timeouts: 7, bytesIn: 3, bytesOut: 4, ...dropped });
  const whole = performanceOf(snapshot, { ...NO_GOSSIP, duplicates: 8 }, NO_DEEDS);
  t.like(whole, { timeouts: 7, duplicates: 8, score: score({ timeouts: 7 }) });
  t.deepEqual(structuredClone(whole), whole);
});

test("the shortest round trip stays, whatever comes after it", (t) => {
  const performance = new PeerPerformance();
  t.is(performance.pingMinMs, undefined);
  for (const elapsedMs of [30, 10, 90]) performance.pinged(elapsedMs, 25);
  t.like(performance.snapshot(), { pingMinMs: 10, pingMs: 25 });
});
