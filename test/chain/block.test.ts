import test from "ava";
import fc from "fast-check";
import { decodeCbor, encodeCbor, type CborValue } from "../../src/bytes/cbor.js";
import { toHex } from "../../src/bytes/hex.js";
import { encodeBlock, splitBlock } from "../../src/chain/block.js";
import { makeBlock, makeKey, makeTransaction, testParams } from "../support/chain.js";
import { mutate, mutations } from "../support/mutate.js";

const { blockBytesMax } = testParams;
const transactions = [1, 2, 3].map((nonce) => makeTransaction(makeKey(1), nonce));

test("a block splits into views of the bytes that arrived", (t) => {
  const block = makeBlock({ transactions });
  const split = splitBlock(block.bytes, blockBytesMax);
  t.true(split.ok);
  if (!split.ok) return;
  t.deepEqual(split.value, { header: block.headerBytes, transactions });
  for (const view of [split.value.header, ...split.value.transactions]) {
    t.is(view.buffer, block.bytes.buffer);
  }
  t.deepEqual(encodeBlock(split.value), block.bytes);
});

test("the splitter takes exactly what the generic decoder takes", (t) => {
  const { bytes } = makeBlock({ transactions });
  let taken = 0;
  const property = fc.property(mutations, (changes) => {
    const input = mutate(bytes, changes);
    const read = decodeCbor(input, { depthMax: 2, itemsMax: 100 });
    const value = read.ok ? (read.value as CborValue[]) : [];
    const expected =
      Array.isArray(value) &&
      value.length === 2 &&
      value[0] instanceof Uint8Array &&
      Array.isArray(value[1]) &&
      value[1].every((item: CborValue) => item instanceof Uint8Array);
    const { ok } = splitBlock(input, blockBytesMax);
    t.is(ok, expected, toHex(input));
    if (ok) taken++;
  });
  t.notThrows(() => fc.assert(property, { numRuns: 1000 }));
  t.true(taken > 100 && taken < 900);
});

test("a block over the limit is refused for its size", (t) => {
  const { bytes } = makeBlock({ transactions });
  t.true(splitBlock(bytes, bytes.length).ok);
  t.like(splitBlock(bytes, bytes.length - 1), { fault: { rule: "size" } });
});

test("a block of empty byte strings is refused before they become views", (t) => {
  const crowd = encodeBlock({
    header: makeBlock().headerBytes,
    transactions: Array.from({ length: 1000 }, () => new Uint8Array()),
  });
  t.like(splitBlock(crowd, blockBytesMax), { fault: { rule: "encoding" } });
  t.false(splitBlock(encodeCbor([1, []]), blockBytesMax).ok);
  t.false(splitBlock(encodeCbor([new Uint8Array(), [], 1]), blockBytesMax).ok);
});
