import test from "ava";
import fc from "fast-check";
import { RecentValues } from "../../src/storage/recent-values.js";

test("a value is the latest one that was set, or not known", (t) => {
  const writes = fc.array(
    fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      value: fc.option(fc.uint8Array({ maxLength: 12 })),
      reads: fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { maxLength: 3 }),
    }),
    { maxLength: 60 },
  );
  const property = fc.property(writes, (history) => {
    // Room for about three entries a generation.
    const recent = new RecentValues(800);
    const latest = new Map<string, Uint8Array | null>();
    for (const { key, value, reads } of history) {
      recent.set(key, value);
      latest.set(key, value);
      for (const name of reads) {
        const known = recent.get(name);
        if (known !== undefined) t.deepEqual(known, latest.get(name));
      }
    }
  });
  fc.assert(property);
});

test("what is used stays, what is not used goes", (t) => {
  const recent = new RecentValues(2_000);
  const value = new Uint8Array(8);
  recent.set("used", value);
  recent.set("unused", null);
  t.is(recent.get("unused"), null);
  for (let i = 0; i < 100; i++) {
    recent.set(`other ${i}`, value);
    t.deepEqual(recent.get("used"), value);
  }
  t.is(recent.get("unused"), undefined);
  t.is(recent.get("other 0"), undefined);
});
