import test from "ava";
import { atFloor, toldFloor } from "../../../src/actors/peer/fee-floor.js";

test("a peer is told of what pays at least its floor, and of what nobody knows the price of", (t) => {
  const ids = ["a", "b", "c", "d"];
  const prices = [4n, 5n, undefined, 6n];
  t.deepEqual(atFloor(5n, ids, prices), ["b", "c", "d"]);
  t.is(atFloor(0n, ids, prices), ids);
  t.is(atFloor(5n, ids, undefined), ids);
});

test("what is told of a floor is never more than it, and changes by an eighth or more", (t) => {
  t.deepEqual([0n, 1n, 7n, 8n, 9n, 10n, 1_000n, 1_023n, 2n ** 64n].map(toldFloor), [
    0n,
    1n,
    7n,
    8n,
    8n,
    10n,
    896n,
    896n,
    2n ** 64n,
  ]);
});
