import test from "ava";
import { IdCache } from "../../src/actors/id-cache.js";

function cacheOf(entriesMax: number, ids: readonly string[]): IdCache {
  const cache = new IdCache(entriesMax);
  for (const id of ids) cache.add(id);
  return cache;
}

test("it keeps the newest ids, as many as it may", (t) => {
  const cache = cacheOf(3, ["a", "b", "c", "b", "d", "e"]);
  t.deepEqual(
    ["a", "b", "c", "d", "e"].filter((id) => cache.has(id)),
    ["c", "d", "e"],
  );
  t.is(cache.size, 3);
});

test("what is deleted may come again, and the bound holds whatever comes", (t) => {
  const cache = cacheOf(4, ["a", "b"]);
  cache.delete("a");
  t.false(cache.has("a"));
  cache.add("a");
  t.true(cache.has("a"));
  for (let i = 0; i < 1_000; i++) {
    cache.add(String(i % 7));
    t.true(cache.has(String(i % 7)));
    if (i % 3 === 0) cache.delete(String(i % 5));
    t.true(cache.size <= 4);
  }
});

test("a cache of none keeps none", (t) => {
  t.is(cacheOf(0, ["a"]).size, 0);
});
