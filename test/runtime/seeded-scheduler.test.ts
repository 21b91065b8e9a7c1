import test from "ava";
import { createHarness, scripted } from "./harness.js";

/** Five actors that pass messages round, and the order in which they got them. */
function interleaving(seed: number): string {
  const { system, settle, trace } = createHarness(seed);
  const log: unknown[] = [];
  const refs = Array.from({ length: 5 }, (_, i) =>
    system.spawn(scripted(), { log }, { name: `a${i}` }),
  );
  refs.forEach((ref, from) => {
    for (let hop = 0; hop < 5; hop++) {
      ref.tell(() => void refs[(from + hop) % 5]?.tell(() => log.push(`${from}-${hop}`)));
    }
  });
  settle();
  return trace.map(({ path }) => path).join(" ") + log.join(" ");
}

test("one seed is one interleaving, another seed another", (t) => {
  t.is(interleaving(1), interleaving(1));
  t.not(interleaving(1), interleaving(2));
});

test("a step delivers one message", (t) => {
  const { system, scheduler, trace } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(), { log }, { name: "a" });
  for (let i = 0; i < 3; i++) ref.tell(() => log.push(i));
  t.true(scheduler.step());
  t.deepEqual(log, [], "the first step is init");
  t.true(scheduler.step());
  t.deepEqual(log, [0]);
  t.is(trace.length, 1);
  t.is(scheduler.runUntilIdle(), 2);
  t.false(scheduler.step());
  t.true(scheduler.idle);
});

test("a livelock is found", (t) => {
  const { system, scheduler } = createHarness();
  const ref = system.spawn(scripted(), { log: [] }, { name: "a" });
  const again = (): void => void ref.tell(again);
  again();
  t.throws(() => scheduler.runUntilIdle(1_000), { message: /rest/ });
});
