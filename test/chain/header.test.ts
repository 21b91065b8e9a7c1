import test from "ava";
import fc from "fast-check";
import { decodeCbor, encodeCbor, type CborValue } from "../../src/bytes/cbor.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256Hex } from "../../src/bytes/sha256.js";
import {
  encodeHeader,
  HEADER_BYTES_MAX,
  readHeader,
  summarize,
  type HeaderFields,
} from "../../src/chain/header.js";
import { makeBlock } from "../support/chain.js";
import { mutate, mutations } from "../support/mutate.js";
import { ownVectors } from "../support/vectors.js";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const fields: fc.Arbitrary<HeaderFields> = fc.record({
  height: fc.maxSafeNat(),
  previousHash: hash.map(toHex),
  timestampMs: fc.maxSafeNat(),
  transactionRoot: hash,
  stateRoot: hash,
  difficulty: uint64,
  totalDifficulty: uint64,
  nonce: uint64,
  extra: fc.uint8Array({ maxLength: 1024 }),
});

function takesGenerically(bytes: Uint8Array): boolean {
  const read = decodeCbor(bytes, { depthMax: 1, itemsMax: 10 });
  if (!read.ok || !Array.isArray(read.value) || read.value.length !== 9) return false;
  const items = read.value as CborValue[];
  const isHash = (item?: CborValue) => item instanceof Uint8Array && item.length === 32;
  const isUint = (item?: CborValue) => typeof item === "number" || typeof item === "bigint";
  return (
    [items[0], items[2]].every((item) => typeof item === "number") &&
    [items[1], items[3], items[4]].every(isHash) &&
    [items[5], items[6], items[7]].every(isUint) &&
    items[8] instanceof Uint8Array &&
    items[8].length <= 1024
  );
}

test("a header reads back with its fields, its hash and the place of its nonce", (t) => {
  const property = fc.property(fields, (made) => {
    const bytes = encodeHeader(made);
    t.true(bytes.length <= HEADER_BYTES_MAX);
    const read = readHeader(bytes);
    t.true(read.ok);
    if (!read.ok) return;
    const { hash: headerHash, nonceStart, nonceEnd, ...rest } = read.value;
    t.deepEqual(rest, made);
    t.is(headerHash, sha256Hex(bytes));
    t.deepEqual(bytes.slice(nonceStart, nonceEnd), encodeCbor(made.nonce));
    t.deepEqual(Object.keys(summarize(read.value)), [
      "hash",
      "height",
      "previousHash",
      "timestampMs",
      "difficulty",
      "totalDifficulty",
    ]);
  });
  t.notThrows(() => fc.assert(property));
});

test("the fixed-shape reader takes exactly what the generic decoder takes", (t) => {
  let taken = 0;
  const property = fc.property(fields, mutations, (made, changes) => {
    const bytes = mutate(encodeHeader(made), changes);
    const { ok } = readHeader(bytes);
    t.is(ok, takesGenerically(bytes), toHex(bytes));
    if (ok) taken++;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 2000 }));
  t.true(taken > 100 && taken < 1900);
});

test("a field of another type or size is refused", (t) => {
  const zeros = new Uint8Array(32);
  const good: CborValue[] = [1, zeros, 1, zeros, zeros, 1, 1, 1, new Uint8Array()];
  t.true(readHeader(encodeCbor(good)).ok);
  const short = new Uint8Array(31);
  const wrong: CborValue[] = [2n ** 53n, short, "1", short, short, short, "1", [], "extra"];
  wrong.forEach((value, index) => {
    const read = readHeader(encodeCbor(good.with(index, value)));
    t.like(read, { ok: false, fault: { rule: "encoding" } });
  });
  t.false(readHeader(encodeCbor(good.slice(1))).ok);
  t.false(readHeader(encodeCbor([...good, 1])).ok);
});

test("extra and the whole have a size limit", (t) => {
  const extra = (length: number) => ({ fields: { extra: new Uint8Array(length) } });
  t.true(readHeader(makeBlock(extra(1024)).headerBytes).ok);
  const zeros = new Uint8Array(32);
  const over = encodeCbor([1, zeros, 1, zeros, zeros, 1, 1, 1, new Uint8Array(1025)]);
  t.like(readHeader(over), { fault: { rule: "size", detail: "1025 bytes of extra" } });
  t.like(readHeader(new Uint8Array(HEADER_BYTES_MAX + 1)), { fault: { rule: "size" } });
});

test("one known header keeps its bytes and hash", (t) => {
  const known = ownVectors<{ header: { bytes: string; hash: string } }>("chain-golden.json");
  const { headerBytes, header } = makeBlock();
  t.deepEqual({ bytes: toHex(headerBytes), hash: header.hash }, known.header);
});
