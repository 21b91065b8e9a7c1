import test from "ava";
import fc from "fast-check";
import { ByteRate } from "../../../src/actors/throttle/byte-rate.js";

const steps = fc.array(
  fc.record({
    bytes: fc.integer({ min: 0, max: 200_000 }),
    pauseMs: fc.integer({ min: 0, max: 500 }),
  }),
  { maxLength: 60 },
);

test("whatever is taken when, no more goes than the burst and the rate allow", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 65_536, max: 2 ** 32 }), steps, (bytesPerSecond, taken) => {
      const rate = new ByteRate(bytesPerSecond, 0);
      let nowMs = 0;
      let sum = 0;
      for (const { bytes, pauseMs } of taken) {
        nowMs += pauseMs;
        const may = rate.bytes(nowMs);
        t.true(may <= rate.burstBytes);
        if (may <= 0) continue;
        const takes = Math.min(bytes, may);
        rate.take(takes);
        sum += takes;
      }
      t.true(sum <= rate.burstBytes + (bytesPerSecond * nowMs) / 1_000);
    }),
  );
});

test("what it says to wait is enough, and less is not", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 65_536, max: 2 ** 32 }),
      fc.integer({ min: 0, max: 2 ** 26 }),
      (bytesPerSecond, over) => {
        const rate = new ByteRate(bytesPerSecond, 0);
        rate.take(rate.burstBytes + over);
        const waitMs = rate.waitMs(0);
        if (waitMs > 0.001) t.true(rate.bytes(waitMs - 0.001) <= 0);
        t.true(rate.bytes(waitMs) > 0);
      },
    ),
  );
});

test("what was taken in advance is made good before anything else goes", (t) => {
  const rate = new ByteRate(1_000_000, 0);
  rate.take(rate.burstBytes + 500_000);
  t.true(rate.bytes(499) <= 0);
  t.is(rate.bytes(600), 100_000);
  rate.give(50_000);
  t.is(rate.bytes(600), rate.burstBytes, "no more than a bucket is kept");
});
