import test from "ava";
import fc from "fast-check";
import { LateMap } from "../../src/protocol/late-map.js";

test("it holds what a Map would, whatever is set, deleted and cleared", (t) => {
  const step = fc.oneof(
    fc.record({ act: fc.constant("set" as const), key: fc.nat(3), value: fc.nat() }),
    fc.record({ act: fc.constant("delete" as const), key: fc.nat(3) }),
    fc.record({ act: fc.constant("clear" as const) }),
  );
  const check = fc.property(fc.array(step), (steps) => {
    const map = new Map<number, number>();
    const late = new LateMap<number, number>();
    for (const one of steps) {
      if (one.act === "set") {
        map.set(one.key, one.value);
        late.set(one.key, one.value);
      } else if (one.act === "delete") t.is(late.delete(one.key), map.delete(one.key));
      else {
        map.clear();
        late.clear();
      }
      t.is(late.size, map.size);
      t.deepEqual([...late.values()], [...map.values()]);
      for (const key of [0, 1, 2, 3]) {
        t.is(late.get(key), map.get(key));
        t.is(late.has(key), map.has(key));
      }
    }
  });
  t.notThrows(() => fc.assert(check));
});
