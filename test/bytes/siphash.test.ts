import test from "ava";
import { toHex } from "../../src/bytes/hex.js";
import { SipHash } from "../../src/bytes/siphash.js";

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);

/** Of the reference implementation: the key and the messages count up from 0. */
const VECTORS = [
  [0, "310e0edd47db6f72"],
  [1, "fd67dc93c539f874"],
  [8, "62 24 93 9a 79 f5 f5 93"],
  [15, "e545be4961ca29a1"],
] as const;

test("it is the SipHash-2-4 of its paper", (t) => {
  const hash = new SipHash(counting(16));
  const target = new Uint8Array(10);
  for (const [length, expected] of VECTORS) {
    hash.into(target, 1, counting(length));
    t.is(toHex(target.subarray(1, 9)), expected.replaceAll(" ", ""), `${length} bytes`);
  }
  t.is(target[9], 0);
});

test("another key is another hash, and one of another length none", (t) => {
  const [one, two] = [new Uint8Array(8), new Uint8Array(8)];
  new SipHash(counting(16)).into(one, 0, counting(32));
  new SipHash(new Uint8Array(16)).into(two, 0, counting(32));
  t.notDeepEqual(one, two);
  t.throws(() => new SipHash(counting(15)));
});
