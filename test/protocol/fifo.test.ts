import test from "ava";
import fc from "fast-check";
import { Fifo } from "../../src/protocol/fifo.js";

interface Item {
  readonly number: number;
}

test("whatever is put in and taken out, it behaves like an array", (t) => {
  const act = fc.oneof(
    fc.record({ type: fc.constant("push" as const), count: fc.nat(3_000) }),
    fc.record({ type: fc.constant("shift" as const), count: fc.nat(3_000) }),
    fc.constant({ type: "unshift" as const, count: 1 }),
    fc.constant({ type: "clear" as const, count: 1 }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
      const fifo = new Fifo<Item>();
      const model: Item[] = [];
      let number = 0;
      const one = {
        push: () => {
          fifo.push({ number });
          model.push({ number: number++ });
        },
        unshift: () => {
          fifo.unshift({ number });
          model.unshift({ number: number++ });
        },
        shift: () => {
          if (fifo.shift()?.number !== model.shift()?.number) t.fail("another item is the oldest");
        },
        clear: () => {
          fifo.clear();
          model.length = 0;
        },
      };
      for (const { type, count } of acts) {
        for (let i = 0; i < count; i++) one[type]();
        t.is(fifo.length, model.length);
        t.deepEqual(fifo.first, model[0]);
        t.deepEqual([...fifo.items()], model);
        t.is(
          fifo.some((item) => item.number === number - 1),
          model.some((item) => item.number === number - 1),
        );
      }
    }),
    { numRuns: 30 },
  );
});
