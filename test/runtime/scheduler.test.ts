import test from "ava";
import type { Runnable } from "../../src/runtime/scheduler.js";
import { createScheduler } from "../../src/runtime/scheduler.js";

/** A cell with `work` messages, each of which takes `costMs` on the clock it is given. */
class FakeCell implements Runnable {
  readonly path: string;
  work: number;
  slices: number[] = [];
  chargedMs = 0;
  private readonly cost: () => void;
  private inSlice = 0;

  constructor(path: string, work: number, cost: () => void) {
    this.path = path;
    this.work = work;
    this.cost = cost;
  }

  drain(messagesMax: number): boolean {
    for (let left = messagesMax; left > 0 && this.work > 0; left--) {
      this.work--;
      this.inSlice++;
      this.cost();
    }
    return this.work > 0;
  }

  endSlice(): boolean {
    this.slices.push(this.inSlice);
    this.inSlice = 0;
    return this.work > 0;
  }

  charge(elapsedMs: number): void {
    this.chargedMs += elapsedMs;
  }
}

function manualClock() {
  let nowMs = 0;
  return { monotonicMs: () => nowMs, pass: (durationMs: number) => void (nowMs += durationMs) };
}

const immediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++) await immediate();
}

test("a busy actor yields to its neighbours after its budget", async (t) => {
  const order: string[] = [];
  const scheduler = createScheduler(manualClock(), { sliceMessagesMax: 8 });
  const busy = new FakeCell("busy", 100, () => order.push("busy"));
  const quiet = new FakeCell("quiet", 1, () => order.push("quiet"));
  scheduler.schedule(busy);
  scheduler.schedule(quiet);
  await until(() => busy.work === 0);
  t.is(order.indexOf("quiet"), 8);
  t.true(Math.max(...busy.slices) <= 8);
  t.is(
    busy.slices.reduce((sum, slice) => sum + slice),
    100,
  );
});

test("one expensive message ends the slice, and its time is charged", async (t) => {
  const clock = manualClock();
  const scheduler = createScheduler(clock, { sliceMs: 1, turnMs: 1_000 });
  const slow = new FakeCell("slow", 5, () => clock.pass(3));
  scheduler.schedule(slow);
  await until(() => slow.work === 0);
  t.deepEqual(slow.slices, [1, 1, 1, 1, 1]);
  t.is(slow.chargedMs, 15);
});

test("the event loop is let in when a turn is over, though actors are ready", async (t) => {
  const clock = manualClock();
  const scheduler = createScheduler(clock, { sliceMs: 1, turnMs: 2 });
  const endless = new FakeCell("endless", 100, () => clock.pass(1));
  scheduler.schedule(endless);
  let left = -1;
  setImmediate(() => void (left = endless.work));
  await until(() => left >= 0);
  t.true(left > 90, `the callback waited for one turn only, ${left} were left`);
  await until(() => endless.work === 0);
  t.is(endless.work, 0);
});

test("posted functions run in order, between slices, and posting again does not block", async (t) => {
  const scheduler = createScheduler(manualClock());
  const order: number[] = [];
  let again = 0;
  const loop = (): void => {
    if (again++ < 50) scheduler.post(loop);
  };
  scheduler.post(() => order.push(1));
  scheduler.post(loop);
  scheduler.post(() => order.push(2));
  await until(() => again > 50);
  t.deepEqual(order, [1, 2]);
  t.is(again, 51);
});
