import test from "ava";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import {
  lowOfShortId,
  shortIdKey,
  shortIdsOf,
  writeShortId,
  type ShortId,
} from "../../src/protocol/short-ids.js";

test("the key and a short id are those of the document", (t) => {
  const key = shortIdKey(Uint8Array.of(1), 2n);
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(key.k0, 0);
  bytes.writeUInt32LE(key.k1, 4);
  t.is(bytes.toString("hex"), "9f85fc3e37e6c331");
  t.is(toHex(shortIdsOf(key, new Uint8Array(32).fill(3))), "df15a8fb2f3e");
});

/** Written from docs/protocol.md, word by word, with integers of any size. */
function reference(header: Uint8Array, nonce: bigint, id: Uint8Array): string {
  const input = Buffer.alloc(header.length + 8);
  input.set(header);
  input.writeBigUInt64BE(nonce, header.length);
  const key = Buffer.from(sha256(input));
  const mask = 0xffffffffn;
  const word = (bytes: Uint8Array, at: number) => BigInt(Buffer.from(bytes).readUInt32LE(at));
  const rotated = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & mask;
  const [k0, k1] = [word(key, 0), word(key, 4)];
  let [v0, v1, v2, v3] = [k0, k1 ^ 0xeen, k0 ^ 0x6c796765n, k1 ^ 0x74656462n];
  const round = (): void => {
    v0 = (v0 + v1) & mask;
    v1 = rotated(v1, 5n) ^ v0;
    v0 = rotated(v0, 16n);
    v2 = (v2 + v3) & mask;
    v3 = rotated(v3, 8n) ^ v2;
    v0 = (v0 + v3) & mask;
    v3 = rotated(v3, 7n) ^ v0;
    v2 = (v2 + v1) & mask;
    v1 = rotated(v1, 13n) ^ v2;
    v2 = rotated(v2, 16n);
  };
  for (let at = 0; at <= 32; at += 4) {
    const m = at < 32 ? word(id, at) : 0x20000000n;
    v3 ^= m;
    round();
    v0 ^= m;
  }
  const output = Buffer.alloc(8);
  v2 ^= 0xeen;
  for (let i = 0; i < 3; i++) round();
  output.writeUInt32LE(Number(v1 ^ v3), 0);
  v1 ^= 0xddn;
  for (let i = 0; i < 3; i++) round();
  output.writeUInt32LE(Number(v1 ^ v3), 4);
  return output.toString("hex", 0, 6);
}

const id = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("short ids are what the document says, for any header, nonce and ids", (t) => {
  const cases = [fc.uint8Array({ maxLength: 200 }), fc.bigInt(0n, 2n ** 64n - 1n), id] as const;
  fc.assert(
    fc.property(...cases, (header, nonce, one) => {
      const written = toHex(shortIdsOf(shortIdKey(header, nonce), one));
      t.is(written, reference(header, nonce, one));
    }),
  );
});

test("their first four bytes can be had alone", (t) => {
  fc.assert(
    fc.property(id, fc.bigInt(0n, 2n ** 64n - 1n), (one, nonce) => {
      const key = shortIdKey(Uint8Array.of(7), nonce);
      const view = new DataView(one.buffer, one.byteOffset, one.length);
      const whole: ShortId = { low: 0, high: 0 };
      writeShortId(key, view, 0, whole);
      t.is(lowOfShortId(key, view, 0), whole.low);
    }),
  );
});
