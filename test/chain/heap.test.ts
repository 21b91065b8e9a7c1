import test from "ava";
import fc from "fast-check";
import { Heap } from "../../src/chain/heap.js";

test("items leave in order whatever the order of pushes, pops and filters", (t) => {
  const operation = fc.oneof(
    { weight: 4, arbitrary: fc.record({ push: fc.nat(50) }) },
    { weight: 2, arbitrary: fc.constant("pop" as const) },
    { weight: 1, arbitrary: fc.record({ drop: fc.nat(50) }) },
  );
  const property = fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const heap = new Heap<number>((left, right) => left < right);
    let model: number[] = [];
    for (const step of operations) {
      if (step === "pop") t.is(heap.pop(), model.shift());
      else if ("push" in step) {
        heap.push(step.push);
        model.push(step.push);
        model.sort((left, right) => left - right);
      } else {
        heap.filter((item) => item % 7 !== step.drop % 7);
        model = model.filter((item) => item % 7 !== step.drop % 7);
      }
      t.is(heap.size, model.length);
    }
    for (const item of model) t.is(heap.pop(), item);
    t.is(heap.pop(), undefined);
  });
  t.notThrows(() => fc.assert(property));
});
