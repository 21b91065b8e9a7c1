import test from "ava";
import {
  allocateThreadRows,
  LOOKS_PER_TASK,
  ThreadRow,
  ThreadWatch,
} from "../../src/workers/thread-watch.js";

/** What that many looks at these threads find. */
function looks(watch: ThreadWatch, count: number, ...alive: number[]): number[][] {
  return Array.from({ length: count }, () => watch.look(new Set(alive)));
}

const none = Array.from({ length: LOOKS_PER_TASK }, () => []);

test("a thread at one task in all looks is stuck, one that idles is not", (t) => {
  const memory = allocateThreadRows(2);
  const watch = new ThreadWatch(memory);
  const [idle, busy] = [new ThreadRow(memory, 7), new ThreadRow(memory, 8)];
  for (const row of [idle, busy, busy]) row.turn();
  t.deepEqual(looks(watch, LOOKS_PER_TASK, 7, 8), none);
  t.deepEqual(watch.look(new Set([7, 8])), [8]);
});

test("loading is a task", (t) => {
  const memory = allocateThreadRows(1);
  const watch = new ThreadWatch(memory);
  new ThreadRow(memory, 3);
  t.deepEqual(looks(watch, LOOKS_PER_TASK, 3), none);
  t.deepEqual(watch.look(new Set([3])), [3]);
});

test("a thread that goes from task to task is never stuck, however long it is busy", (t) => {
  const memory = allocateThreadRows(1);
  const watch = new ThreadWatch(memory);
  const row = new ThreadRow(memory, 3);
  for (let i = 0; i < 20; i++) {
    row.turn();
    row.turn();
    t.deepEqual(watch.look(new Set([3])), []);
  }
});

test("the rows of threads that are gone serve those that follow, without their past", (t) => {
  const memory = allocateThreadRows(1);
  const watch = new ThreadWatch(memory);
  for (let id = 1; id < 10; id++) {
    new ThreadRow(memory, id);
    t.deepEqual(looks(watch, LOOKS_PER_TASK, id), none);
    t.deepEqual(watch.look(new Set([id])), [id]);
    watch.look(new Set());
  }
});

test("a thread without a row is not watched", (t) => {
  const memory = allocateThreadRows(1);
  const rows = [1, 2, 3].map((id) => new ThreadRow(memory, id));
  for (const row of rows) row.turn();
  rows[2]!.turn();
  const watch = new ThreadWatch(memory);
  t.deepEqual(looks(watch, 2 * LOOKS_PER_TASK, 1, 2, 3).flat(), []);
});
