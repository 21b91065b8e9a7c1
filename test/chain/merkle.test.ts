import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { toHex } from "../../src/bytes/hex.js";
import { merkleRoot } from "../../src/chain/merkle.js";

function digest(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** MTH as RFC 6962 section 2.1 defines it. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return digest();
  if (leaves.length === 1) return digest(Uint8Array.of(0), leaves[0]!);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return digest(Uint8Array.of(1), treeHash(left), treeHash(right));
}

test("the root is that of RFC 6962 for any number of transactions", (t) => {
  for (let count = 0; count <= 70; count++) {
    const ids = Array.from({ length: count }, (_, i) => digest(Uint8Array.of(count, i)));
    t.deepEqual(merkleRoot(ids), treeHash(ids) as Uint8Array<ArrayBuffer>, `${count} ids`);
  }
  const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const property = fc.property(fc.array(id, { maxLength: 200 }), (ids) => {
    t.deepEqual(toHex(merkleRoot(ids)), toHex(treeHash(ids)));
  });
  t.notThrows(() => fc.assert(property, { numRuns: 50 }));
});

test("a root holds still while others are computed, and order matters", (t) => {
  const [a, b, c] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const root = merkleRoot([a, b, c]);
  const kept = toHex(root);
  t.not(toHex(merkleRoot([a, c, b])), kept);
  t.not(toHex(merkleRoot([a, b, c, c])), kept);
  t.is(toHex(root), kept);
});

test("no transactions have the digest of nothing", (t) => {
  t.is(toHex(merkleRoot([])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});
