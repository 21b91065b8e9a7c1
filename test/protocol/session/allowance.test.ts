import test from "ava";
import fc from "fast-check";
import { Allowance } from "../../../src/protocol/session/allowance.js";
import { RateLimit } from "../../../src/protocol/session/rate-limit.js";

const rate = fc.record({
  itemsPerSecond: fc.constantFrom(1, 7, 250, 4_000),
  burstItems: fc.integer({ min: 1, max: 64 }),
  bytesPerSecond: fc.constantFrom(1, 333, 8_192, 1_000_000),
  burstBytes: fc.integer({ min: 1, max: 10_000 }),
});
const takes = fc.array(
  fc.record({
    items: fc.integer({ min: 0, max: 40 }),
    bytes: fc.integer({ min: 0, max: 6_000 }),
    pauseMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 500, noNaN: true })),
  }),
  { maxLength: 60 },
);

test("it takes what a bucket of items and one of bytes both take, and waits for the later one", (t) => {
  const check = fc.property(rate, fc.integer({ min: 1, max: 4 }), takes, (full, more, steps) => {
    const allowance = new Allowance(full, more);
    const items = new RateLimit({
      itemsPerSecond: full.itemsPerSecond * more,
      burstItems: full.burstItems * more,
    });
    const bytes = new RateLimit({
      itemsPerSecond: full.bytesPerSecond * more,
      burstItems: full.burstBytes * more,
    });
    let nowMs = 0;
    for (const step of steps) {
      nowMs += step.pauseMs;
      const waitMs = Math.max(items.waitMs(step.items, nowMs), bytes.waitMs(step.bytes, nowMs));
      t.is(allowance.waitMs(step.items, step.bytes, nowMs), waitMs);
      t.is(allowance.take(step.items, step.bytes, nowMs), waitMs === 0);
      if (waitMs > 0) continue;
      items.take(step.items, nowMs);
      bytes.take(step.bytes, nowMs);
    }
  });
  t.notThrows(() => fc.assert(check));
});

test("what one bucket refuses is charged to neither", (t) => {
  const full = { itemsPerSecond: 1, burstItems: 2, bytesPerSecond: 1, burstBytes: 100 };
  const allowance = new Allowance(full);
  for (let i = 0; i < 10; i++) t.false(allowance.take(1, 101, 0));
  for (let i = 0; i < 10; i++) t.false(allowance.take(3, 1, 0));
  t.true(allowance.take(2, 100, 0));
});

test("nothing is taken of a rate that any number of is 0", (t) => {
  const full = { itemsPerSecond: 8, burstItems: 8, bytesPerSecond: 0, burstBytes: 100 };
  t.false(new Allowance(full).take(1, 1, 1e9));
  t.is(new Allowance(full).waitMs(1, 1, 1e9), Number.POSITIVE_INFINITY);
});
