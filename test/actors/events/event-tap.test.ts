import test from "ava";
import { eventBus } from "../../../src/actors/events/event-bus.js";
import { eventTap } from "../../../src/actors/events/event-tap.js";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import { createHarness } from "../support.js";

const event: NetworkEvent = { type: "TransactionAccepted", id: "1" };

async function start(onEvent: (event: NetworkEvent) => void) {
  const harness = createHarness();
  const bus = harness.spawn(eventBus, { mailboxMax: 100 });
  const tap = harness.spawn(eventTap, { onEvent });
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
  const harness = await start(() => {
    throw new Error("host");
  });
  harness.expectFault(harness.tap);
  harness.publish();
  await harness.settle();
  t.is(harness.faults.length, 1);
  harness.publish();
  await harness.settle();
  t.is(harness.faults.length, 1);
});
