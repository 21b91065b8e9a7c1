import test from "ava";
import { eventBus } from "../../../src/actors/events/event-bus.js";
import { eventTap, type EventTapArgs } from "../../../src/actors/events/event-tap.js";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import { createHarness } from "../support.js";

const event: NetworkEvent = { type: "TransactionAccepted", id: "1" };

async function start(onEvent: EventTapArgs["onEvent"], rest: Partial<EventTapArgs> = {}) {
  const harness = createHarness();
  const bus = harness.spawn(eventBus, { mailboxMax: 100 });
  const tap = harness.spawn(eventTap, { onEvent, ...rest });
  bus.tell({ type: "Subscribe", subscriber: tap });
  await harness.settle();
  return { ...harness, tap, publish: () => bus.tell({ type: "Publish", event }) };
}

test("a tap hands events to its function until it is ended", async (t) => {
  const heard: NetworkEvent[] = [];
  const harness = await start((one) => heard.push(one));
  harness.publish();
  await harness.settle();
  t.deepEqual(heard, [event]);
  harness.tap.tell({ type: "TapEnded" });
  await harness.settle();
  harness.publish();
  await harness.settle();
  t.is(heard.length, 1);
  t.is(harness.system.deadLetters, 0);
});

test("a function that throws ends its own subscription and nothing else", async (t) => {
  const failures: unknown[] = [];
  const fail = (): never => {
    throw new Error("host");
  };
  const harness = await start(fail, { onFailed: (error) => failures.push(error) });
  harness.expectFault(harness.tap);
  harness.publish();
  await harness.settle();
  t.is(harness.faults.length, 1);
  harness.publish();
  await harness.settle();
  t.is(harness.faults.length, 1);
  t.deepEqual(failures.map(String), ["Error: host"]);
});

test("what a slow function misses is counted, the oldest first", async (t) => {
  const heard: NetworkEvent[] = [];
  let missed = 0;
  const harness = createHarness();
  const tap = harness.spawn(eventTap, {
    onEvent: (one) => heard.push(one),
    onMissed: () => missed++,
  });
  for (let id = 0; id < 5_000; id++) tap.tell({ ...event, id: `${id}` });
  await harness.settle();
  t.is(missed, 5_000 - heard.length);
  t.true(missed > 0);
  t.like(heard.at(-1), { id: "4999" });
});
