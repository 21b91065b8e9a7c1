import test from "ava";
import { WindowMax } from "../../src/runtime/window-max.js";

test("the largest value of the last half minute is told, and forgotten within a minute", (t) => {
  for (const startMs of [0, 1e9]) {
    const longest = new WindowMax();
    t.is(longest.read(startMs), 0);
    longest.add(7, startMs);
    longest.add(3, startMs + 1_000);
    for (const afterMs of [1_000, 29_999, 30_000, 59_000]) {
      t.is(longest.read(startMs + afterMs), 7, `${afterMs} ms`);
    }
    t.is(longest.read(startMs + 60_001), 0);
    longest.add(2, startMs + 61_000);
    t.is(longest.read(startMs + 61_000), 2);
    t.is(longest.read(startMs + 600_000), 0);
  }
});

test("a value that comes after a long silence is not mixed with those before it", (t) => {
  const longest = new WindowMax();
  longest.add(9, 0);
  longest.add(1, 600_000);
  t.is(longest.read(600_000), 1);
});
