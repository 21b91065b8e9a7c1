import test from "ava";
import { ToldSample } from "../../../src/actors/handlers/told-sample.js";
import type { Endpoint } from "../../../src/protocol/address.js";

const DAY_MS = 86_400_000;
const LOOK_MS = 10_000;

function places(count: number, first = 0): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    scheme: "tcp",
    host: `8.8.${(first + index) >> 8}.${(first + index) & 255}`,
    port: 8_765,
  }));
}

function sampleOf(float = 0.5): ToldSample {
  return new ToldSample({ sampleMs: DAY_MS, float: () => float });
}

test("what was drawn once is told for a day, whatever is known meanwhile", (t) => {
  const sample = sampleOf();
  t.true(sample.isDue(0));
  const first = places(256);
  sample.offer(first, 0);
  t.is(sample.version, 1);
  t.false(sample.isDue(DAY_MS - 1));
  sample.offer(places(256, 256), DAY_MS - 1);
  t.deepEqual(sample.endpoints, first);
  t.true(sample.isDue(DAY_MS));
  sample.offer(places(256, 256), DAY_MS);
  t.is(sample.version, 2);
  t.deepEqual(sample.endpoints, places(256, 256));
});

test("a day is some hours longer or shorter, drawn each time", (t) => {
  const short = sampleOf(0);
  short.offer(places(256), 0);
  t.true(short.isDue((DAY_MS * 7) / 8));
  const long = sampleOf(1);
  long.offer(places(256), 0);
  t.false(long.isDue((DAY_MS * 9) / 8 - 1));
});

test("one that holds all there is gives way to twice as much, nine times a day at most", (t) => {
  const sample = sampleOf();
  let nowMs = 0;
  sample.offer([], nowMs);
  for (let known = 1; known <= 256; known++) {
    t.false(sample.isDue(nowMs));
    nowMs += LOOK_MS;
    if (sample.isDue(nowMs)) sample.offer(places(known), nowMs);
  }
  t.is(sample.version, 10);
  t.is(sample.endpoints.length, 256);
  t.true(nowMs < DAY_MS);
});

test("what shrinks or grows little is not told, and what comes back does not count again", (t) => {
  const sample = sampleOf();
  sample.offer(places(100), 0);
  sample.offer(places(3, 500), LOOK_MS);
  sample.offer(places(199, 500), 2 * LOOK_MS);
  t.is(sample.version, 1);
  t.deepEqual(sample.endpoints, places(100));
});

test("a sample that grew ends with the day in which it was first drawn", (t) => {
  const sample = sampleOf();
  sample.offer(places(100), 0);
  sample.offer(places(256), DAY_MS / 2);
  t.is(sample.version, 2);
  t.false(sample.isDue(DAY_MS - 1));
  t.true(sample.isDue(DAY_MS));
});
