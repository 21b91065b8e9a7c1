import test from "ava";
import { CheckQueue } from "../../../src/actors/sync/check-queue.js";
import { Range } from "../../../src/actors/sync/range.js";
import { bodies, headers } from "./plan-bench.js";

const headerAt = (height: number): Uint8Array => headers(height, 1)[0]!.bytes;

function queueOf(...ranges: readonly [range: Range, bytes: number][]): CheckQueue {
  const queue = new CheckQueue(250);
  for (const [range, bytes] of ranges) queue.add(range, bodies(range.count, bytes), headerAt);
  return queue;
}

test("blocks go to the pool in tasks of about the target, lowest first, each with its parent", (t) => {
  const queue = queueOf([new Range(111, 10), 100], [new Range(101, 10), 100]);
  const tasks = Array.from({ length: 8 }, () => queue.next()!);
  t.deepEqual(
    tasks.map(({ fromHeight, blocks }) => [fromHeight, blocks.length]),
    [101, 104, 107, 110, 111, 114, 117, 120].map((height) => [height, height % 10 === 0 ? 1 : 3]),
  );
  t.is(new DataView(tasks[1]!.parentHeader.buffer).getUint32(0), 103);
  t.is(queue.next(), undefined);
  t.is(queue.running, 8);
  t.is(queue.waiting, 0);
});

test("a block larger than the target is a task of its own", (t) => {
  const queue = queueOf([new Range(1, 3), 1_000]);
  t.is(queue.next()?.blocks.length, 1);
  t.is(queue.waiting, 2);
});

test("what the pool did not check is checked again from hand, in its place", (t) => {
  const queue = queueOf([new Range(1, 10), 100]);
  const first = queue.next()!;
  queue.next();
  queue.again(first);
  t.is(queue.get(first.task), undefined);
  const again = queue.next();
  t.is(again?.fromHeight, 1);
  t.deepEqual(again?.blocks, first.blocks);
  queue.done(again!);
  queue.again(again!);
  t.is(queue.waiting, 2, "a task that ended is no more");
});

test("a range that is dropped takes its tasks with it, and no other's", (t) => {
  const spoiled = new Range(1, 10);
  const queue = queueOf([spoiled, 100], [new Range(11, 10), 100]);
  const first = queue.next()!;
  queue.drop(spoiled);
  t.is(queue.get(first.task), undefined);
  t.is(queue.running, 0);
  t.is(queue.waiting, 4);
  t.is(queue.next()?.fromHeight, 11);
});
