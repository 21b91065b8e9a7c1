import test from "ava";
import { RollingFloor } from "../../src/chain/rolling-floor.js";
import { fresh, made, pool } from "../support/mempool.js";

test("the floor lies above what gave way, and halves with time until it is nothing", (t) => {
  const floor = new RollingFloor(1_000);
  t.is(floor.at(0), 0);
  floor.raise(7n, 5_000);
  t.is(floor.at(5_000), 8);
  t.is(floor.at(6_000), 4);
  floor.raise(1n, 6_000);
  t.is(floor.at(6_000), 4, "what gives way later for less does not lower it");
  t.is(floor.at(8_000), 1);
  t.is(floor.at(9_000), 0);
  t.is(new RollingFloor(0).at(1), 0);
});

test("a mempool that was full asks more than what gave way, as long as it is more than half full", (t) => {
  const mempool = pool({ countMax: 4, floorHalfLifeMs: 1_000 });
  for (const sender of [0, 1, 2, 3]) t.true(mempool.add(made(sender, 0, 8), fresh, 0).ok);
  t.is(mempool.floor(0), 0n);
  t.like(mempool.add(made(4, 0, 8), fresh, 0), { reason: "full" });
  t.true(mempool.add(made(4, 0, 9), fresh, 0).ok);
  t.is(mempool.floor(0), 9n);
  t.like(mempool.add(made(5, 0, 8), fresh, 0), { reason: "underpriced" });
  mempool.remove([made(0, 0, 8).id]);
  t.like(mempool.add(made(5, 0, 8), fresh, 0), { reason: "underpriced" }, "though there is room");
  t.true(
    mempool.restore(made(5, 0, 8), fresh, 0).ok,
    "an abandoned block's comes back all the same",
  );
  mempool.remove([made(5, 0, 8).id]);
  t.true(mempool.add(made(5, 0, 8), fresh, 1_000).ok, "half of it in half a life");
  t.is(mempool.floor(1_000), 5n);
  mempool.remove([made(1, 0, 8).id, made(2, 0, 8).id, made(5, 0, 8).id]);
  t.is(mempool.floor(1_000), 0n);
});

test("who is let in for another's excess does not raise the floor", (t) => {
  const mempool = pool({ countMax: 4, sendersMin: 2, floorHalfLifeMs: 1_000 });
  for (const nonce of [0, 1, 2, 3]) t.true(mempool.add(made(0, nonce, 100), fresh, 0).ok);
  t.true(mempool.add(made(1, 0, 1), fresh, 0).ok);
  t.is(mempool.floor(0), 0n);
});
