import test from "ava";
import fc from "fast-check";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { HoldingQueue } from "../../../src/actors/service/holding-queue.js";

class Target implements ActorRef<number> {
  readonly path: string;
  readonly taken: number[] = [];
  room: number;

  constructor(path: string, room: number) {
    this.path = path;
    this.room = room;
  }

  tell(message: number): boolean {
    if (this.room === 0) return false;
    this.room--;
    this.taken.push(message);
    return true;
  }
}

test("what a target takes is not held", (t) => {
  const queue = new HoldingQueue();
  const target = new Target("/a", 9);
  queue.offer(target, 1);
  t.deepEqual(target.taken, [1]);
  t.is(queue.count, 0);
  t.false(queue.isHeld(target));
});

test("once a message is held those after it wait behind it, even if there is room", (t) => {
  const queue = new HoldingQueue();
  const target = new Target("/a", 0);
  queue.offer(target, 1);
  target.room = 9;
  queue.offer(target, 2);
  t.deepEqual(target.taken, []);
  t.true(queue.isHeld(target));
  queue.retry("/a");
  t.deepEqual(target.taken, [1, 2]);
  t.is(queue.count, 0);
});

test("one full target does not hold up another", (t) => {
  const queue = new HoldingQueue();
  const [full, free] = [new Target("/a", 0), new Target("/b", 9)];
  queue.offer(full, 1);
  queue.offer(free, 2);
  t.deepEqual(free.taken, [2]);
  queue.retry("/b");
  t.is(queue.count, 1);
});

test("to forget a target answers the messages that are lost", (t) => {
  const queue = new HoldingQueue();
  const target = new Target("/a", 0);
  for (const message of [1, 2, 3]) queue.offer(target, message);
  t.deepEqual(queue.forget("/a"), [1, 2, 3]);
  t.deepEqual(queue.forget("/a"), []);
  t.is(queue.count, 0);
  target.room = 1;
  queue.offer(target, 4);
  t.deepEqual(target.taken, [4]);
});

test("each target gets everything in order, however its room comes and goes", (t) => {
  const step = fc.oneof(
    fc.record({ offer: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ grant: fc.integer({ min: 0, max: 2 }), room: fc.integer({ min: 0, max: 4 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const queue = new HoldingQueue();
      const targets = ["/a", "/b", "/c"].map((path) => new Target(path, 0));
      const offered: number[][] = [[], [], []];
      for (const [message, action] of steps.entries()) {
        if ("offer" in action) {
          offered[action.offer]!.push(message);
          queue.offer(targets[action.offer]!, message);
        } else {
          const target = targets[action.grant]!;
          target.room += action.room;
          queue.retry(target.path);
        }
      }
      const taken = targets.reduce((sum, target) => sum + target.taken.length, 0);
      t.is(queue.count, offered.flat().length - taken);
      for (const [index, target] of targets.entries()) {
        target.room = 1_000;
        queue.retry(target.path);
        t.deepEqual(target.taken, offered[index]);
      }
      t.is(queue.count, 0);
    }),
  );
});
