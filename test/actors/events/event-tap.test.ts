import test from "ava";
import { eventBus } from "../../../src/actors/events/event-bus.js";
import { eventTap, type EventTapArgs } from "../../../src/actors/events/event-tap.js";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import { createHarness } from "../support.js";

const event: NetworkEvent = { type: "TransactionAccepted", id: "1" };

async function start(onEvent: EventTapArgs["onEvent"], rest: Partial<EventTapArgs> = {}) {
  const harness = createHarness();
  const bus = harness.spawn(eventBus, { mailboxMax: 100 });
  const missed = { count: 0 };
  const tap = harness.spawn(eventTap, { onEvent, missed, ...rest });
  bus.tell({ type: "Subscribe", subscriber: tap, numbered: true });
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

test("what a slow function misses is counted, the oldest first, and told before the next one", async (t) => {
  const heard: NetworkEvent[] = [];
  const ids: string[] = [];
  let missed = 0;
  const harness = createHarness();
  const onEvent = (one: NetworkEvent, id: string): void => {
    heard.push(one);
    ids.push(id);
  };
  const tap = harness.spawn(eventTap, {
    onEvent,
    tellsMissed: true,
    missed: { count: 0 },
    onMissed: () => missed++,
  });
  const run = "00";
  for (let seq = 1; seq <= 5_000; seq++) {
    tap.tell({ type: "EventTold", run, seq, event: { ...event, id: `${seq}` } });
  }
  await harness.settle();
  const [gap, first, ...rest] = heard;
  t.is(missed, 5_000 - 1 - rest.length);
  t.true(missed > 0);
  t.deepEqual(gap, {
    type: "EventsMissed",
    reason: "slow",
    count: missed,
    firstId: null,
    lastId: `00-${missed}`,
  });
  t.like(first, { id: `${missed + 1}` });
  t.is(ids[1], `00-${missed + 1}`);
  t.like(heard.at(-1), { id: "5000" });
});

test("a function that did not ask for it is not told what it missed", async (t) => {
  const heard: NetworkEvent[] = [];
  const harness = createHarness();
  const onEvent = (one: NetworkEvent): void => void heard.push(one);
  const tap = harness.spawn(eventTap, { onEvent, missed: { count: 0 } });
  for (let seq = 1; seq <= 5_000; seq++) tap.tell({ type: "EventTold", run: "00", seq, event });
  tap.tell({ type: "EventsLost", count: 3 });
  await harness.settle();
  t.true(heard.every(({ type }) => type === event.type));
});
