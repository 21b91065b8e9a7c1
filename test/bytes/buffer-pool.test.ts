import test from "ava";
import { BufferPool } from "../../src/bytes/buffer-pool.js";

const pool = () => new BufferPool({ bufferBytes: 1_024, freeMax: 2 });

test("a buffer given back, or a part of it, is taken again", (t) => {
  const buffers = pool();
  const first = buffers.take(1_024);
  t.not(buffers.take(1_024).buffer, first.buffer, "it is in use");
  buffers.give(first.subarray(0, 100));
  const again = buffers.take(800);
  t.is(again.buffer, first.buffer);
  t.is(again.length, 800);
  t.not(buffers.take(800).buffer, first.buffer, "it is in use again");
});

test("what takes half a buffer or less, or more than one, is made to measure and not kept", (t) => {
  const buffers = pool();
  for (const bytes of [17, 512, 1_025]) {
    const made = buffers.take(bytes);
    t.is(made.buffer.byteLength, bytes);
    buffers.give(made);
    t.not(buffers.take(bytes).buffer, made.buffer);
  }
});

test("small ones share memory, none of which is anybody else's, and are not kept", (t) => {
  const buffers = pool();
  const made = Array.from({ length: 20 }, (_, i) => buffers.take(1 + (i % 16)).fill(i));
  for (const each of made) buffers.give(each);
  buffers.take(1_024).fill(0xff);
  buffers.take(16).fill(0xff);
  for (const [i, each] of made.entries()) t.deepEqual([...new Set(each)], [i]);
  t.true(new Set(made.map(({ buffer }) => buffer)).size < 5);
});

test("no more buffers are kept than the pool may", (t) => {
  const buffers = pool();
  const made = [1, 2, 3, 4].map(() => buffers.take(1_000));
  for (const each of made) buffers.give(each);
  const kept = new Set(made.map(({ buffer }) => buffer));
  const taken = [1, 2, 3, 4].map(() => buffers.take(1_000).buffer);
  t.is(taken.filter((buffer) => kept.has(buffer)).length, 2);
});
