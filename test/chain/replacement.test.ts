import test from "ava";
import { fresh, made, pool } from "../support/mempool.js";

test("a replacement pays for its own bytes, and for no less than what it replaces", (t) => {
  const mempool = pool();
  mempool.add(made(0, 0, 10, 2_000), fresh);
  t.like(mempool.add(made(0, 0, 20), fresh), { reason: "conflict" }, "it pays less in all");
  const due = (10 * made(0, 0, 10, 2_000).bytes.length) / made(0, 0, 100).bytes.length + 1;
  t.like(mempool.add(made(0, 0, Math.floor(due)), fresh), { reason: "conflict" });
  t.true(mempool.add(made(0, 0, Math.ceil(due)), fresh).ok);
  mempool.invariants();
});

test("each replacement of a nonce has to offer twice as much more as the one before", (t) => {
  const mempool = pool();
  mempool.add(made(0, 0, 1_000), fresh);
  let price = 1_000;
  for (const percent of [10, 20, 40, 80]) {
    const due = Math.ceil((price * (100 + percent)) / 100);
    t.like(mempool.add(made(0, 0, due - 1), fresh), { reason: "conflict" });
    t.true(mempool.add(made(0, 0, due), fresh).ok);
    price = due;
  }
  t.is(mempool.count, 1);
});

test("one nonce is replaced a few times from the lowest price to the highest", (t) => {
  const mempool = pool();
  mempool.add(made(0, 0, 1), fresh);
  let replacements = 0;
  for (let price = 2n; price < 2n ** 64n; price += price / 16n + 1n) {
    if (mempool.add(made(0, 0, price), fresh).ok) replacements++;
  }
  t.true(replacements > 3 && replacements < 20, `${replacements} replacements`);
});
