import test from "ava";
import { release } from "../../src/bytes/release.js";
import { uninitialised } from "../../src/bytes/uninitialised.js";

test("a buffer that is released is empty, and so is every view of it", (t) => {
  const bytes = uninitialised(65_536);
  const view = bytes.subarray(10, 20);
  release(bytes);
  t.is(bytes.length, 0);
  t.is(view.length, 0);
});

test("the memory of what is released is free before the collector runs", (t) => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1_000; i++) release(uninitialised(1_048_576));
  const grown = process.memoryUsage().arrayBuffers - before;
  t.true(grown < 16 * 1_048_576, `${grown} bytes are left of a gigabyte`);
});

test("a part of a buffer is not released, for others may have the rest", (t) => {
  const bytes = uninitialised(65_536).fill(7);
  release(bytes.subarray(0, 65_535));
  release(bytes.subarray(1));
  t.is(bytes.length, 65_536);
  t.is(bytes[65_535], 7);
});
