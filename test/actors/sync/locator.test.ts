import test from "ava";
import fc from "fast-check";
import { locatorOf } from "../../../src/actors/sync/locator.js";

const limits = { hashesMax: 32, depthMax: 1_024 };
const hashAt = (height: number): string => height.toString(16).padStart(64, "0");

test("a locator is dense at the head, then sparser, and ends with genesis", (t) => {
  const heights = locatorOf(1_000, hashAt, limits).map((hash) => Number.parseInt(hash, 16));
  t.deepEqual(heights.slice(0, 9), [1_000, 999, 998, 997, 996, 995, 994, 993, 991]);
  t.is(heights.at(-1), 0);
  for (let i = 9; i < heights.length - 1; i++) {
    t.true(heights[i - 1]! - heights[i]! >= heights[i - 2]! - heights[i - 1]!);
  }
});

test("a locator names the block at the depth to which forks are followed", (t) => {
  for (const depthMax of [3, 100, 700, 999]) {
    const locator = locatorOf(1_000, hashAt, { ...limits, depthMax });
    t.true(locator.includes(hashAt(1_000 - depthMax)));
    t.deepEqual(locator, locator.toSorted().toReversed());
    t.is(new Set(locator).size, locator.length);
  }
});

test("a locator is bounded for any height, and short for a short chain", (t) => {
  t.deepEqual(locatorOf(0, hashAt, limits), [hashAt(0)]);
  t.deepEqual(locatorOf(2, hashAt, limits), [2, 1, 0].map(hashAt));
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 }), fc.integer({ min: 2, max: 32 }), (height, hashesMax) => {
      const locator = locatorOf(height, hashAt, { ...limits, hashesMax });
      return locator.length <= hashesMax && locator.at(-1) === hashAt(0);
    }),
  );
});
