import test from "ava";
import fc from "fast-check";
import { RateLimit } from "../../../src/protocol/session/rate-limit.js";

/** The same seen from the other side: a bucket of tokens that fills at the rate. */
class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = 0;

  constructor(itemsPerSecond: number, burst: number) {
    this.#perMs = itemsPerSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  take(items: number, nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (items > this.#tokens) return false;
    this.#tokens -= items;
    return true;
  }
}

const rate = fc.record({
  // Powers of two, so that neither model rounds.
  itemsPerSecond: fc.constantFrom(125, 250, 500, 1_000, 4_000),
  burstItems: fc.integer({ min: 1, max: 64 }),
});
const takes = fc.array(
  fc.record({
    items: fc.integer({ min: 1, max: 70 }),
    pauseMs: fc.integer({ min: 0, max: 200 }),
  }),
  { maxLength: 100 },
);

test("it takes and refuses what a bucket of tokens does", (t) => {
  fc.assert(
    fc.property(rate, takes, (settings, steps) => {
      const limit = new RateLimit(settings);
      const bucket = new Bucket(settings.itemsPerSecond, settings.burstItems);
      let nowMs = 0;
      for (const { items, pauseMs } of steps) {
        nowMs += pauseMs;
        t.is(limit.take(items, nowMs), bucket.take(items, nowMs));
      }
    }),
  );
});

test("what it says to wait is exactly enough", (t) => {
  fc.assert(
    fc.property(rate, takes, (settings, steps) => {
      const limit = new RateLimit(settings);
      let nowMs = 0;
      for (const { items, pauseMs } of steps) {
        nowMs += pauseMs;
        const waitMs = limit.waitMs(items, nowMs);
        if (items > settings.burstItems) {
          t.is(waitMs, Number.POSITIVE_INFINITY);
          continue;
        }
        if (waitMs > 0) t.false(limit.take(items, nowMs + waitMs - 0.125));
        nowMs += waitMs;
        t.true(limit.take(items, nowMs));
      }
    }),
  );
});

test("a refusal costs nothing", (t) => {
  const limit = new RateLimit({ itemsPerSecond: 10, burstItems: 10 });
  t.true(limit.take(8, 0));
  for (let i = 0; i < 100; i++) t.false(limit.take(5, 0));
  t.true(limit.take(2, 0));
});

test("more than the burst is never taken", (t) => {
  const limit = new RateLimit({ itemsPerSecond: 1_000, burstItems: 4 });
  t.false(limit.take(5, 1e12));
  t.is(limit.waitMs(5, 1e12), Number.POSITIVE_INFINITY);
});

test("a rate or a burst of nothing takes nothing, ever", (t) => {
  for (const settings of [
    { itemsPerSecond: 0, burstItems: 8 },
    { itemsPerSecond: 8, burstItems: 0 },
    { itemsPerSecond: 0, burstItems: 0 },
  ]) {
    const limit = new RateLimit(settings);
    for (const nowMs of [0, 1, 1e9]) {
      t.false(limit.take(1, nowMs));
      t.is(limit.waitMs(1, nowMs), Number.POSITIVE_INFINITY);
    }
  }
});
