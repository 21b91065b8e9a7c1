import test from "ava";
import { fresh, keys, made, pool } from "../support/mempool.js";

test("a mempool full of one sender's dearest transactions takes another's first one", (t) => {
  const mempool = pool({ countMax: 8, sendersMin: 4 });
  for (let nonce = 0; nonce < 8; nonce++) t.true(mempool.add(made(0, nonce, 1_000), fresh).ok);
  for (const sender of [1, 2, 3]) {
    for (const nonce of [0, 1]) t.true(mempool.add(made(sender, nonce, 1), fresh).ok);
  }
  t.is(mempool.count, 8);
  t.like(mempool.add(made(4, 0, 1), fresh), { reason: "full" }, "nobody holds more than a share");
  t.true(mempool.add(made(4, 0, 2), fresh).ok, "among shares the price counts");
  t.deepEqual(
    [0, 1, 2, 3].map((nonce) => mempool.has(made(0, nonce, 1_000).id)),
    [true, true, false, false],
    "its last ones gave way",
  );
  mempool.invariants();
});

test("the same by bytes: a few large transactions are a crowd", (t) => {
  const mempool = pool({ bytesMax: 20_000, sendersMin: 4 });
  for (let nonce = 0; nonce < 9; nonce++)
    t.true(mempool.add(made(0, nonce, 1_000, 2_000), fresh).ok);
  t.true(mempool.add(made(1, 0, 1, 2_000), fresh).ok);
  t.false(mempool.has(made(0, 8, 1_000, 2_000).id));
  mempool.invariants();
});

test("whoever holds more than a share pushes out nobody else, whatever it pays", (t) => {
  const mempool = pool({ countMax: 4, sendersMin: 2 });
  for (const sender of [1, 2]) mempool.add(made(sender, 0, 1), fresh);
  for (const nonce of [0, 1]) mempool.add(made(0, nonce, 1_000), fresh);
  t.like(mempool.add(made(0, 2, 1_000), fresh), { reason: "full" });
  t.true(mempool.has(made(1, 0, 1).id) && mempool.has(made(2, 0, 1).id));
});

test("of one transaction a sender is never a crowd", (t) => {
  const mempool = pool({ countMax: 2, sendersMin: 64 });
  t.true(mempool.add(made(0, 0, 5), fresh).ok);
  t.true(mempool.add(made(1, 0, 5), fresh).ok);
  t.like(mempool.add(made(2, 0, 5), fresh), { reason: "full" });
  t.like(mempool.add(made(1, 1, 500), fresh), { reason: "full" });
});

test("what waits behind a cheap nonce is worth no more, and gives way with it", (t) => {
  const mempool = pool({ countMax: 4 });
  mempool.add(made(0, 0, 1), fresh);
  for (const nonce of [1, 2]) t.true(mempool.add(made(0, nonce, 1_000), fresh).ok);
  t.true(mempool.add(made(1, 0, 5), fresh).ok);
  for (const sender of [2, 3]) t.true(mempool.add(made(sender, 0, 5), fresh).ok);
  t.deepEqual(
    [made(0, 0, 1), made(0, 1, 1_000), made(0, 2, 1_000)].map(({ id }) => mempool.has(id)),
    [true, false, false],
    "the last ones first: no gap is left behind",
  );
  t.true(keys.length >= 4);
  mempool.invariants();
});
