import test from "ava";
import fc from "fast-check";
import {
  SIGNATURE_CACHE_SALT_BYTES,
  allocateSignatureCache,
  openSignatureCache,
} from "../../src/workers/signature-cache.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { toHex } from "../../src/bytes/hex.js";

const salt = (seed = 1): Uint8Array => sha256(new Uint8Array([seed])).slice(0, 16);
const id = (n: number): Uint8Array => sha256(new Uint8Array(new Uint32Array([n]).buffer));

test("the signature cache never reports an id that was not added", (t) => {
  // A few ids and their neighbours, which differ in one byte: many of them share a set.
  const anyId = fc
    .record({ base: fc.nat({ max: 3 }), byte: fc.nat({ max: 31 }), change: fc.nat({ max: 2 }) })
    .map(({ base, byte, change }) => {
      const near = base === 0 ? new Uint8Array(32) : id(base);
      near[byte]! ^= change;
      return near;
    });
  const step = fc.record({ add: fc.boolean(), id: anyId });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 0, max: 40 }),
      (steps, entries) => {
        const cache = openSignatureCache(allocateSignatureCache(entries, salt()));
        const added = new Set<string>();
        for (const { add, id } of steps) {
          if (cache.has(id)) t.true(added.has(toHex(id)));
          if (!add) continue;
          cache.add(id);
          added.add(toHex(id));
          // The id just added is there, but for all zeros, which mark an empty entry.
          t.is(
            cache.has(id),
            id.some((value) => value !== 0),
          );
        }
      },
    ),
  );
});

test("the signature cache keeps nearly all of what fills half of it", (t) => {
  const cache = openSignatureCache(allocateSignatureCache(8_192, salt()));
  for (let n = 0; n < 4_096; n++) cache.add(id(n));
  let kept = 0;
  for (let n = 0; n < 4_096; n++) if (cache.has(id(n))) kept++;
  // Two ids expected in a set of four: 3.7% are over (Poisson).
  t.true(kept >= 4_096 * 0.95, `${kept} kept`);
});

test("the signature cache keeps the newest of each set", (t) => {
  const cache = openSignatureCache(allocateSignatureCache(4, salt()));
  for (let n = 0; n < 10; n++) cache.add(id(n));
  const kept = Array.from({ length: 10 }, (_, n) => cache.has(id(n)));
  t.deepEqual(kept, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1].map(Boolean));
  cache.add(id(6));
  t.true(cache.has(id(9)), "adding what is there replaces nothing");
});

test("caches opened on the same memory share their ids", (t) => {
  const memory = allocateSignatureCache(64, salt());
  openSignatureCache(memory).add(id(1));
  t.true(openSignatureCache(memory).has(id(1)));
  t.false(openSignatureCache(allocateSignatureCache(64, salt())).has(id(1)));
});

test("another salt puts ids into other sets", (t) => {
  const survivors = (seed: number): string => {
    const cache = openSignatureCache(allocateSignatureCache(64, salt(seed)));
    for (let n = 0; n < 500; n++) cache.add(id(n));
    return Array.from({ length: 500 }, (_, n) => (cache.has(id(n)) ? 1 : 0)).join("");
  };
  t.not(survivors(1), survivors(2));
  t.is(salt().length, SIGNATURE_CACHE_SALT_BYTES);
});
