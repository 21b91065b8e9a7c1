// The guard notices a ratio that fell, and one that nobody measured.

import test from "ava";
import { belowFloors } from "../../bench/lib/guard.js";

const floor = { bench: "bulk", ratio: "vibecoin/limit", metric: "rate", floor: 0.5 };
const line = { ...floor, min: 0.4, median: 0.6, max: 0.7 };

test("a ratio at or above its floor passes, by its median", (t) => {
  t.deepEqual(belowFloors([floor], [line]), []);
  t.deepEqual(belowFloors([floor], [{ ...line, median: 0.5 }]), []);
});

test("a ratio below its floor, of another subject or not measured is named", (t) => {
  const fallen = belowFloors([floor], [{ ...line, median: 0.49 }]);
  t.deepEqual(fallen, ["bulk rate vibecoin/limit: 0.49, floor 0.5"]);
  t.is(belowFloors([floor], [{ ...line, ratio: "vibecoin/libp2p" }]).length, 1);
  t.is(belowFloors([floor], []).length, 1);
});
