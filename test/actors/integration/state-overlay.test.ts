import test from "ava";
import fc from "fast-check";
import type { StateWrite } from "../../../src/ports.js";
import { StateOverlay } from "../../../src/actors/integration/state-overlay.js";

const base = {
  state: (key: Uint8Array): Uint8Array | undefined =>
    key[0]! < 4 ? Uint8Array.of(key[0]!, 100) : undefined,
};

test("reads see the newest write, then the base", (t) => {
  const overlay = new StateOverlay(base);
  const key = Uint8Array.of(1);
  t.deepEqual(overlay.state(key), Uint8Array.of(1, 100));
  overlay.apply([{ key, value: Uint8Array.of(7) }]);
  t.deepEqual(overlay.state(key), Uint8Array.of(7));
  overlay.apply([{ key: Uint8Array.of(1), value: undefined }]);
  t.is(overlay.state(key), undefined);
  t.is(overlay.state(Uint8Array.of(9)), undefined);
});

test("keys are compared by content, also those that are views", (t) => {
  const overlay = new StateOverlay(base);
  const whole = Uint8Array.of(9, 8, 7, 6);
  overlay.apply([{ key: whole.subarray(1, 3), value: whole }]);
  t.is(overlay.state(Uint8Array.of(8, 7)), whole);
  t.is(overlay.state(Uint8Array.of(8)), undefined);
  t.is(overlay.state(Uint8Array.of(8, 7, 6)), undefined);
});

test("it is a map over the base whose writes are the last of each key", (t) => {
  const write = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 2 }),
    value: fc.option(fc.uint8Array({ maxLength: 3 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(fc.array(write, { maxLength: 5 }), { maxLength: 8 }), (batches) => {
      const overlay = new StateOverlay(base);
      const model = new Map<string, StateWrite>();
      for (const batch of batches) {
        overlay.apply(batch);
        for (const one of batch) model.set(one.key.join(), one);
      }
      for (const { key, value } of model.values()) t.deepEqual(overlay.state(key), value);
      t.deepEqual(
        new Map(overlay.writes().map((one) => [one.key.join(), one.value])),
        new Map([...model].map(([key, one]) => [key, one.value])),
      );
    }),
  );
});
