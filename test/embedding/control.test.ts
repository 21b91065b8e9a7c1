import test from "ava";
import { ownBytes } from "../../src/thread/control.js";

test("bytes are copied out of a larger buffer, all else stays as it is", (t) => {
  const pooled = Buffer.from("a small view of a pool");
  const own = ownBytes(pooled) as Uint8Array;
  t.deepEqual(own, new Uint8Array(pooled));
  t.is(own.buffer.byteLength, pooled.length);
  const options = { bytes: pooled };
  t.is(ownBytes(options), options);
});
