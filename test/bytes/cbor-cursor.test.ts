import test from "ava";
import fc from "fast-check";
import { encodeCbor } from "../../src/bytes/cbor.js";
import { CborCursor, splitArray } from "../../src/bytes/cbor-cursor.js";

test("splitArray gives the very bytes of each item", (t) => {
  const items = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 });
  const property = fc.property(items, fc.uint8Array({ maxLength: 9 }), (list, padding) => {
    const encoded = encodeCbor(list);
    const bytes = Uint8Array.from([...padding, ...encoded, ...padding]);
    const start = padding.length;
    const ranges = splitArray(bytes, 40, start, start + encoded.length);
    t.truthy(ranges);
    t.is(ranges!.length, list.length * 2);
    list.forEach((item, i) => {
      t.deepEqual(bytes.slice(ranges![2 * i], ranges![2 * i + 1]), item);
    });
    if (padding.length > 0) t.is(splitArray(bytes, 40, start), undefined);
  });
  t.notThrows(() => fc.assert(property, { numRuns: 200 }));
});

test("splitArray refuses other items, too many items and bytes cut short", (t) => {
  const good = encodeCbor([Uint8Array.of(1), Uint8Array.of(2, 3)]);
  t.deepEqual([...splitArray(good, 2)!], [2, 3, 4, 6]);
  t.is(splitArray(good, 1), undefined);
  t.is(splitArray(encodeCbor([1]), 9), undefined);
  t.is(splitArray(encodeCbor(["a"]), 9), undefined);
  t.is(splitArray(encodeCbor(Uint8Array.of(1)), 9), undefined);
  for (let cut = 0; cut < good.length; cut++) t.is(splitArray(good.subarray(0, cut), 9), undefined);
  t.is(splitArray(Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff), 2 ** 32), undefined);
});

test("integers are read to the last bit", (t) => {
  const values = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt(0n, 70_000n));
  const property = fc.property(values, (value) => {
    const bytes = encodeCbor(value);
    const exact = new CborCursor(bytes);
    t.is(exact.uint64(), value);
    t.true(exact.done);
    t.true(new CborCursor(bytes).skipUint64());
    const small = value < 2n ** 53n ? Number(value) : -1;
    t.is(new CborCursor(bytes).uint(), small);
  });
  t.notThrows(() => fc.assert(property));
  t.is(new CborCursor(encodeCbor(2n ** 53n)).uint(), -1);
  t.is(new CborCursor(encodeCbor(2 ** 53 - 1)).uint(), 2 ** 53 - 1);
  t.is(new CborCursor(encodeCbor("a")).uint64(), -1n);
  t.false(new CborCursor(encodeCbor("a")).skipUint64());
});

test("a byte string of another length than the asked one is refused", (t) => {
  const bytes = encodeCbor(new Uint8Array(32));
  t.is(new CborCursor(bytes).fixedBytes(32), 2);
  t.is(new CborCursor(bytes).fixedBytes(31), -1);
  t.is(new CborCursor(bytes.subarray(0, 33)).fixedBytes(32), -1);
});
