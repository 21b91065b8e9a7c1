import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import {
  concatBytes,
  equalBytes,
  readUint64,
  toLatin1,
  writeUint64,
} from "../../src/bytes/compare.js";
import { fromHex, isHex, toHex } from "../../src/bytes/hex.js";
import { sha256, sha256Hex, sha256Into, sha256Latin1 } from "../../src/bytes/sha256.js";

test("hex reads back and is strict", (t) => {
  const property = fc.property(fc.uint8Array(), (bytes) => {
    t.deepEqual(fromHex(toHex(bytes)), bytes);
    t.deepEqual(fromHex(toHex(bytes).toUpperCase()), bytes);
  });
  t.notThrows(() => fc.assert(property));
  for (const text of ["0", "0g", "g0", "zz", " 00", "0x00", "0\u0130", "\u0131\u0131"]) {
    t.false(isHex(text));
    t.throws(() => fromHex(text), { instanceOf: RangeError });
  }
  t.true(isHex("00ff", 2));
  t.false(isHex("00ff", 3));
});

test("every form of sha256 is the standard digest", (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    t.deepEqual(sha256(bytes), digest);
    t.is(sha256Hex(bytes), toHex(digest));
    t.is(sha256Latin1(bytes), toLatin1(digest));
    const target = new Uint8Array(40);
    sha256Into(bytes, target, 5);
    t.deepEqual(target, concatBytes([new Uint8Array(5), digest, new Uint8Array(3)]));
  });
  t.notThrows(() => fc.assert(property));
});

test("equality and joining follow the content", (t) => {
  t.true(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
  t.deepEqual(
    concatBytes([Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3)]),
    Uint8Array.of(1, 2, 3),
  );
});

test("eight-byte integers read back to the last bit", (t) => {
  const property = fc.property(fc.maxSafeNat(), (value) => {
    const bytes = new Uint8Array(10);
    writeUint64(bytes, 1, value);
    t.is(readUint64(bytes, 1), value);
    t.is(new DataView(bytes.buffer).getBigUint64(1), BigInt(value));
  });
  t.notThrows(() => fc.assert(property));
});
