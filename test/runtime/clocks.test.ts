import test from "ava";
import fc from "fast-check";
import { systemClock } from "../../src/runtime/clock.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";

test("virtual timers fire in the order of their times, equal times in the order they were set", (t) => {
  const timers = fc.array(fc.record({ delayMs: fc.nat(20), cancel: fc.boolean() }));
  fc.assert(
    fc.property(timers, (plan) => {
      const clock = new VirtualClock();
      const fired: number[] = [];
      const handles = plan.map(({ delayMs }, id) =>
        clock.setTimer(delayMs, () => {
          t.is(clock.monotonicMs(), delayMs);
          fired.push(id);
        }),
      );
      plan.forEach(({ cancel }, id) => cancel && handles[id]?.cancel());
      const expected = plan
        .map((timer, id) => ({ ...timer, id }))
        .filter(({ cancel }) => !cancel)
        .sort((a, b) => a.delayMs - b.delayMs || a.id - b.id)
        .map(({ id }) => id);
      while (clock.advanceToNext());
      t.deepEqual(fired, expected);
      t.is(clock.pendingTimers, 0);
    }),
  );
});

test("advanceBy fires what is due, also what is set meanwhile, and lands on the time asked", (t) => {
  const clock = new VirtualClock({ startWallMs: 1_000 });
  const fired: number[] = [];
  clock.setTimer(10, () => {
    fired.push(clock.monotonicMs());
    clock.setTimer(5, () => fired.push(clock.monotonicMs()));
    clock.setTimer(50, () => fired.push(clock.monotonicMs()));
  });
  clock.advanceBy(30);
  t.deepEqual(fired, [10, 15]);
  t.is(clock.monotonicMs(), 30);
  t.is(clock.wallMs(), 1_030);
  t.is(clock.nextAtMs, 60);
});

test("any delay above zero moves time, however late it is", (t) => {
  const clock = new VirtualClock();
  for (const passedMs of [2 ** 40, 0.3]) {
    clock.advanceBy(passedMs);
    const beforeMs = clock.monotonicMs();
    clock.setTimer(1e-9, () => {});
    clock.advanceToNext();
    t.true(clock.monotonicMs() > beforeMs);
  }
  clock.setTimer(0.1, () => {});
  const startMs = clock.monotonicMs();
  clock.advanceToNext();
  t.true(clock.monotonicMs() - startMs >= 0.1);
  t.is((clock.monotonicMs() * 1_024) % 1, 0);
});

test("a view has its own wall time and drifts", (t) => {
  const clock = new VirtualClock();
  const fast = clock.view({ startWallMs: 5_000, drift: 0.25 });
  let atMs = -1;
  fast.setTimer(100, () => void (atMs = clock.monotonicMs()));
  clock.advanceBy(200);
  t.is(atMs, 80);
  t.is(fast.monotonicMs(), 250);
  t.is(fast.wallMs(), 5_250);
});

test("the system clock runs forward, and a delay beyond setTimeout's range does not fire at once", async (t) => {
  const startMs = systemClock.monotonicMs();
  let early = false;
  const far = systemClock.setTimer(2 ** 40, () => void (early = true));
  const cancelled = systemClock.setTimer(0, () => t.fail("a cancelled timer fired"));
  cancelled.cancel();
  await new Promise<void>((resolve) => void systemClock.setTimer(20, resolve));
  far.cancel();
  t.false(early);
  t.true(systemClock.monotonicMs() > startMs);
  t.true(systemClock.wallMs() > Date.UTC(2020, 0));
});
