import test from "ava";
import { eventBus } from "../../../src/actors/events/event-bus.js";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import { createHarness } from "../support.js";

const accepted = (id: string): NetworkEvent => ({ type: "TransactionAccepted", id });
const bound: NetworkEvent = { type: "ListenerBound", address: "tcp://127.0.0.1:1" };

function start(mailboxMax = 1_000) {
  const harness = createHarness();
  const bus = harness.spawn(eventBus, { mailboxMax });
  return {
    ...harness,
    bus,
    publish: (event: NetworkEvent) => bus.tell({ type: "Publish", event }),
  };
}

test("each subscriber hears of the types it asked for, in order", async (t) => {
  const harness = start();
  const all = harness.probe<NetworkEvent>();
  const some = harness.probe<NetworkEvent>();
  harness.bus.tell({ type: "Subscribe", subscriber: all.ref });
  harness.bus.tell({ type: "Subscribe", subscriber: some.ref, types: ["ListenerBound"] });
  for (const event of [accepted("1"), bound, accepted("2")]) harness.publish(event);
  await harness.settle();
  t.deepEqual(all.received, [accepted("1"), bound, accepted("2")]);
  t.deepEqual(some.received, [bound]);
});

test("a second subscription replaces the first, and to unsubscribe ends it", async (t) => {
  const harness = start();
  const probe = harness.probe<NetworkEvent>();
  harness.bus.tell({ type: "Subscribe", subscriber: probe.ref });
  harness.bus.tell({ type: "Subscribe", subscriber: probe.ref, types: ["ListenerBound"] });
  harness.publish(accepted("1"));
  harness.publish(bound);
  await harness.settle();
  t.deepEqual(probe.take(), [bound]);
  harness.bus.tell({ type: "Unsubscribe", subscriber: probe.ref });
  await harness.settle();
  harness.publish(bound);
  await harness.settle();
  t.deepEqual(probe.take(), []);
});

test("a subscriber that stopped is forgotten", async (t) => {
  const harness = start();
  const probe = harness.probe<NetworkEvent>();
  harness.bus.tell({ type: "Subscribe", subscriber: probe.ref });
  await harness.settle();
  probe.stop();
  await harness.settle();
  harness.publish(bound);
  await harness.settle();
  t.is(harness.system.deadLetters, 0);
});

test("a full subscriber misses events; the bus and the others do not wait for it", async (t) => {
  const harness = start();
  const slow = harness.probe<NetworkEvent>(undefined, 2);
  const quick = harness.probe<NetworkEvent>();
  for (const { ref } of [slow, quick]) harness.bus.tell({ type: "Subscribe", subscriber: ref });
  await harness.settle();
  harness.scheduler.hold(slow.ref.path);
  for (let i = 0; i < 5; i++) harness.publish(accepted(`${i}`));
  await harness.settle();
  harness.scheduler.release(slow.ref.path);
  await harness.settle();
  t.deepEqual(slow.received, [accepted("0"), accepted("1")]);
  t.is(quick.received.length, 5);
  const missed = harness.system.figures().find(({ path }) => path === slow.ref.path);
  t.is(missed?.refused.full, 3);
});

test("under a flood the oldest facts are dropped, subscriptions never", async (t) => {
  const harness = start(3);
  const probe = harness.probe<NetworkEvent>();
  for (let i = 0; i < 10; i++) harness.publish(accepted(`${i}`));
  harness.bus.tell({ type: "Subscribe", subscriber: probe.ref });
  await harness.settle();
  t.deepEqual(probe.received, [accepted("7"), accepted("8"), accepted("9")]);
});
