import test from "ava";
import fc from "fast-check";
import { decodeCbor, encodeCbor, scanCbor, type CborValue } from "../../src/bytes/cbor.js";
import { fromHex, toHex } from "../../src/bytes/hex.js";
import { mutate, mutations } from "../support/mutate.js";
import { optionalVectors, ownVectors } from "../support/vectors.js";

const limits = { depthMax: 8, itemsMax: 4096 };

type Tagged = number | string | { bytes: string } | { uint: string } | Tagged[];
interface Vectors {
  readonly accepted: [string, Tagged][];
  readonly refused: [string, string][];
}
const vectors = ownVectors<Vectors>("cbor.json");

function untag(value: Tagged): CborValue {
  if (Array.isArray(value)) return value.map(untag);
  if (typeof value !== "object") return value;
  return "bytes" in value ? fromHex(value.bytes) : BigInt(value.uint);
}

/** Byte strings as plain Uint8Arrays, whatever view the decoder made. */
function plain(value: CborValue): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return Array.isArray(value) ? value.map(plain) : value;
}

const leaf = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(70_000),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 400 }),
  fc.uint8Array({ maxLength: 300 }),
);
const { tree } = fc.letrec<{ tree: CborValue }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("tree"), { maxLength: 30 })),
}));

for (const [hex, value] of vectors.accepted) {
  test(`reads and writes ${hex}`, (t) => {
    const read = decodeCbor(fromHex(hex), limits);
    t.true(read.ok);
    if (read.ok) t.deepEqual(plain(read.value), untag(value));
    t.is(toHex(encodeCbor(untag(value))), hex);
  });
}

for (const [hex, what] of vectors.refused) {
  test(`refuses ${what} (${hex})`, (t) => {
    t.false(scanCbor(fromHex(hex), limits).ok);
    t.false(decodeCbor(fromHex(hex), limits).ok);
  });
}

test("what is encoded decodes to the same value", (t) => {
  const property = fc.property(tree, (value) => {
    const read = decodeCbor(encodeCbor(value), { depthMax: 8, itemsMax: 1_000_000 });
    t.true(read.ok);
    if (read.ok) t.deepEqual(plain(read.value), plain(value));
  });
  t.notThrows(() => fc.assert(property, { numRuns: 500 }));
});

test("a mutation is refused or is itself the one encoding of its value", (t) => {
  let accepted = 0;
  const property = fc.property(tree, mutations, (value, changes) => {
    const input = mutate(encodeCbor(value), changes);
    const read = decodeCbor(input, limits);
    if (!read.ok) return;
    accepted++;
    t.deepEqual(encodeCbor(read.value), input);
  });
  t.notThrows(() => fc.assert(property, { numRuns: 2000 }));
  t.true(accepted > 100, "the property meets valid bytes too");
});

test("bombs of depth, count and length are refused before anything is built", (t) => {
  const nested = new Uint8Array(20_000).fill(0x81);
  const counted = Uint8Array.from([0x9a, 0x00, 0xff, 0xff, 0xff]);
  const wide = new Uint8Array(20_000).fill(0x9a);
  const long = Uint8Array.from([0x5a, 0x7f, 0xff, 0xff, 0xff, 0x00]);
  for (const bomb of [nested, counted, wide, long]) t.false(decodeCbor(bomb, limits).ok);
  t.like(scanCbor(nested, limits), { detail: "arrays nested too deep at byte 8" });
  t.like(scanCbor(counted, limits), { detail: "too many items at byte 0" });
  const believable = Uint8Array.from([0x83, 0x81, 0x00, 0x00]);
  t.like(scanCbor(Uint8Array.from([0x83, 0x82, 0x00, 0x00]), limits), {
    detail: "more items than bytes at byte 1",
  });
  t.false(scanCbor(believable, limits).ok);
});

test("limits hold exactly", (t) => {
  const bytes = encodeCbor([[1, 2], [3]]);
  t.deepEqual(scanCbor(bytes, { depthMax: 2, itemsMax: 6 }), { ok: true, value: 6 });
  t.false(scanCbor(bytes, { depthMax: 1, itemsMax: 6 }).ok);
  t.false(scanCbor(bytes, { depthMax: 2, itemsMax: 5 }).ok);
  t.true(scanCbor(encodeCbor("text"), { depthMax: 0, itemsMax: 1 }).ok);
});

test("values outside the subset cannot be encoded", (t) => {
  const outside = [-1, 0.5, NaN, 2 ** 53, -1n, 2n ** 64n, "\ud800", null, undefined, true, {}];
  for (const value of outside) {
    t.throws(() => encodeCbor(value as CborValue), { instanceOf: RangeError });
    t.throws(() => encodeCbor([value as CborValue]), { instanceOf: RangeError });
  }
  t.deepEqual(encodeCbor(-0), Uint8Array.of(0));
});

test("an encoding owns its memory and a decoded byte string is a view", (t) => {
  const first = encodeCbor([Uint8Array.of(1, 2, 3)]);
  encodeCbor([Uint8Array.of(9, 9, 9)]);
  t.is(toHex(first), "8143010203");
  t.is(first.buffer.byteLength, first.length);
  const read = decodeCbor(first, limits);
  t.true(read.ok);
  if (read.ok) t.is(((read.value as CborValue[])[0] as Uint8Array).buffer, first.buffer);
});

interface AppendixA {
  readonly hex: string;
  readonly decoded?: unknown;
}

test("RFC 8949 appendix A: the subset is read, all else is refused", (t) => {
  const appendix = optionalVectors<AppendixA[]>("cbor-rfc8949-appendix-a.json");
  if (appendix === undefined) {
    t.log("skipped: the optional collection of RFC 8949 vectors is absent");
    t.pass();
    return;
  }
  let read = 0;
  for (const { hex } of appendix) {
    const bytes = fromHex(hex);
    const verdict = decodeCbor(bytes, limits);
    // A value of the subset starts with one of four major types and has no indefinite length.
    const heads = [0, 2, 3, 4].includes(bytes[0]! >> 5) && (bytes[0]! & 31) < 28;
    const nestedOutside = /^8.(.*)(a[0-9a-f]|9f|bf|5f|7f)/.test(hex);
    t.is(verdict.ok, heads && !nestedOutside, hex);
    if (verdict.ok) {
      read++;
      t.is(toHex(encodeCbor(verdict.value)), hex);
    }
  }
  t.true(read >= 20);
});
