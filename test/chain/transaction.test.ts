import test from "ava";
import fc from "fast-check";
import { decodeCbor, encodeCbor, type CborValue } from "../../src/bytes/cbor.js";
import { concatBytes } from "../../src/bytes/compare.js";
import { toHex } from "../../src/bytes/hex.js";
import { sha256 } from "../../src/bytes/sha256.js";
import {
  encodeTransaction,
  encodeTransactionBody,
  readTransaction,
} from "../../src/chain/transaction.js";
import { makeKey, makeTransaction, signatures, testParams } from "../support/chain.js";
import { mutate, mutations } from "../support/mutate.js";
import { ownVectors } from "../support/vectors.js";

const key = makeKey(1);

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const fields = fc.record({
  recipient: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  value: uint64,
  gasPrice: uint64,
  gasLimit: fc.maxSafeNat(),
  timestampMs: fc.maxSafeNat(),
  data: fc.uint8Array({ maxLength: 300 }),
});

/** Whether the generic decoder and a plain look at the shape take these bytes. */
function takesGenerically(bytes: Uint8Array): boolean {
  const outer = decodeCbor(bytes, { depthMax: 1, itemsMax: 3 });
  if (!outer.ok || !Array.isArray(outer.value) || outer.value.length !== 2) return false;
  const [body, signature] = outer.value as CborValue[];
  if (!isBytes(body) || !isBytes(signature, 64)) return false;
  const inner = decodeCbor(body, { depthMax: 1, itemsMax: 9 });
  if (!inner.ok || !Array.isArray(inner.value) || inner.value.length !== 8) return false;
  const [sender, recipient, value, price, limit, nonce, time, data] = inner.value as CborValue[];
  return (
    isBytes(sender, 32) &&
    isBytes(recipient, 32) &&
    ["number", "bigint"].includes(typeof value) &&
    ["number", "bigint"].includes(typeof price) &&
    [limit, nonce, time].every((item) => typeof item === "number") &&
    isBytes(data)
  );
}

function isBytes(value: CborValue | undefined, length?: number): value is Uint8Array {
  return value instanceof Uint8Array && (length === undefined || value.length === length);
}

test("a signed transaction reads back with the fields it was made of", (t) => {
  const property = fc.property(fields, fc.maxSafeNat(), (made, nonce) => {
    const bytes = makeTransaction(key, nonce, made);
    const read = readTransaction(bytes, testParams);
    t.true(read.ok);
    if (!read.ok) return;
    const { value } = read;
    const { recipient, gasLimit, timestampMs, data, gasPrice } = value;
    const { value: amount } = value;
    t.deepEqual({ recipient, gasLimit, timestampMs, data, gasPrice, value: amount }, made);
    t.is(value.nonce, nonce);
    t.deepEqual(value.sender, new Uint8Array(key.publicKey));
    t.deepEqual(value.id, sha256(bytes));
    t.deepEqual(value.body, encodeTransactionBody(value));
    t.deepEqual(encodeTransaction(value.body, value.signature), bytes);
    t.true(signatures.verify(value.signature, value.body, value.sender));
    t.is(value.data.buffer, bytes.buffer, "fields are views");
  });
  t.notThrows(() => fc.assert(property));
});

test("the fixed-shape reader takes exactly what the generic decoder takes", (t) => {
  let taken = 0;
  let refused = 0;
  const property = fc.property(fields, fc.nat(1000), mutations, (made, nonce, changes) => {
    const bytes = mutate(makeTransaction(key, nonce, made), changes);
    const { ok } = readTransaction(bytes, testParams);
    t.is(ok, takesGenerically(bytes), toHex(bytes));
    if (ok) taken++;
    else refused++;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 2000 }));
  t.true(taken > 100 && refused > 100, `${taken} taken, ${refused} refused`);
});

test("a field of another type or size is refused", (t) => {
  const address = new Uint8Array(32);
  const good: CborValue[] = [address, address, 1, 1, 1, 1, 1, new Uint8Array()];
  const signature = new Uint8Array(64);
  const read = (body: CborValue, sig: CborValue = signature) =>
    readTransaction(encodeCbor([encodeCbor(body), sig]), testParams);
  t.true(read(good).ok);
  const bad: [number, CborValue][] = [
    [0, new Uint8Array(31)],
    [1, new Uint8Array(33)],
    [2, "1"],
    [3, new Uint8Array(1)],
    [4, 2n ** 53n],
    [5, 2n ** 53n],
    [6, 2n ** 53n],
    [7, "data"],
    [7, [1]],
  ];
  for (const [index, value] of bad) t.like(read(good.with(index, value)), { ok: false });
  t.false(read(good.slice(0, 7)).ok);
  t.false(read([...good, 1]).ok);
  const trailing = concatBytes([encodeCbor(good), Uint8Array.of(0)]);
  t.false(readTransaction(encodeCbor([trailing, signature]), testParams).ok);
  t.false(read(good, new Uint8Array(63)).ok);
  t.false(read(good, "signature").ok);
  t.false(readTransaction(encodeCbor([encodeCbor(good), signature, 1]), testParams).ok);
});

test("limits on size hold to the byte", (t) => {
  const { transactionDataBytesMax: dataMax } = testParams;
  const largest = makeTransaction(key, 1, { data: new Uint8Array(dataMax) });
  t.true(readTransaction(largest, testParams).ok);
  const over = makeTransaction(key, 1, { data: new Uint8Array(dataMax + 1) });
  t.like(readTransaction(over, testParams), { fault: { rule: "size" } });
  const limits = { ...testParams, transactionBytesMax: largest.length };
  t.true(readTransaction(largest, limits).ok);
  limits.transactionBytesMax--;
  t.like(readTransaction(largest, limits), { fault: { rule: "size" } });
});

test("one known transaction keeps its bytes and id", (t) => {
  const known = ownVectors<{ transaction: { bytes: string; id: string } }>("chain-golden.json");
  const bytes = makeTransaction(key, 7, { data: Uint8Array.of(1, 2, 3) });
  t.deepEqual({ bytes: toHex(bytes), id: toHex(sha256(bytes)) }, known.transaction);
});
