import test from "ava";
import fc from "fast-check";
import {
  decodeKeptPage,
  encodeKeptPage,
  keptBytes,
} from "../../../src/actors/integration/kept-page.js";

const transactions = fc.array(
  fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    own: fc.boolean(),
    sinceWallMs: fc.nat({ max: 2 ** 48 - 1 }),
  }),
);

test("a page gives back what was written on it", (t) => {
  const property = fc.property(transactions, (all) => {
    const page = encodeKeptPage(all);
    t.is(
      page.length,
      all.reduce((sum, { bytes }) => sum + keptBytes(bytes), 1),
    );
    t.deepEqual(
      decodeKeptPage(page).map((kept) => ({ ...kept, bytes: Uint8Array.from(kept.bytes) })),
      all.map((kept) => ({ ...kept, bytes: Uint8Array.from(kept.bytes) })),
    );
  });
  t.notThrows(() => fc.assert(property));
});

test("of a damaged page what comes before the damage is read, and of any bytes at all something", (t) => {
  const all = [1, 2, 3].map((byte) => ({
    bytes: Uint8Array.of(byte, byte),
    own: false,
    sinceWallMs: 7,
  }));
  const page = encodeKeptPage(all);
  t.is(decodeKeptPage(page.subarray(0, page.length - 1)).length, 2);
  t.deepEqual(decodeKeptPage(Uint8Array.of(9, ...page.subarray(1))), []);
  t.deepEqual(decodeKeptPage(new Uint8Array()), []);
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    for (const kept of decodeKeptPage(bytes)) t.true(kept.bytes.length > 0);
  });
  t.notThrows(() => fc.assert(property));
});
