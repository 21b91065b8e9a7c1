// Reading by ids, as the bus answers it.

import test from "ava";
import { eventBus, type EventBusMessage } from "../../../src/actors/events/event-bus.js";
import { eventId, readEventId, runName } from "../../../src/actors/events/event-ids.js";
import type {
  EventId,
  EventPage,
  NetworkEvent,
  NetworkEventType,
} from "../../../src/actors/events/event-types.js";
import { HeardTypes } from "../../../src/actors/events/heard.js";
import { createHarness } from "../support.js";

const RUN = "00000000000000aa";
const block = (height: number): NetworkEvent => ({
  type: "BlockConnected",
  hash: `${height}`,
  height,
  transactionCount: 0,
});
const accepted = (id: string): NetworkEvent => ({ type: "TransactionAccepted", id });

function start({ keptBytesMax = 1_000_000, mailboxMax = 1_000 } = {}) {
  const harness = createHarness();
  const heard = new HeardTypes();
  const dropped = { count: 0 };
  const args = { mailboxMax, run: RUN, keptBytesMax, heard, dropped };
  const bus = harness.spawn(eventBus, args);
  const read = async (
    types: readonly NetworkEventType[],
    after?: EventId,
    waitMs = 0,
  ): Promise<{ readonly page: () => EventPage | undefined }> => {
    const probe = harness.probe<EventPage>();
    const place = after === undefined ? {} : { after: readEventId(after)! };
    const question: EventBusMessage = {
      type: "ReadEvents",
      types,
      ...place,
      countMax: 256,
      waitMs,
      replyTo: probe.ref,
    };
    bus.tell(question);
    await harness.settle();
    return { page: () => probe.received[0] };
  };
  const publish = async (...events: NetworkEvent[]): Promise<void> => {
    for (const event of events) bus.tell({ type: "Publish", event });
    await harness.settle();
  };
  const advance = (durationMs: number): Promise<void> => harness.advance(durationMs);
  return { ...harness, advance, bus, heard, read, publish };
}

test("a reader that has no id is told where now is, and reads on from there", async (t) => {
  const { read, publish } = start();
  await publish(block(1));
  const now = (await read(["BlockConnected"])).page()!;
  t.deepEqual(now.events, []);
  await publish(block(2), block(3));
  const { events, missed, next } = (await read(["BlockConnected"], now.next)).page()!;
  t.deepEqual(
    events.map(({ event }) => event),
    [block(2), block(3)],
  );
  t.is(missed, undefined);
  t.is(next, events[1]!.id);
});

test("a question waits for what it asks, and for nothing else", async (t) => {
  const { read, publish } = start();
  const { next } = (await read(["BlockConnected"])).page()!;
  const asked = await read(["BlockConnected"], next, 5_000);
  await publish({ type: "ListenerBound", address: "a" });
  t.is(asked.page(), undefined);
  await publish(block(1));
  t.like(asked.page(), { events: [{ event: block(1) }] });
});

test("a question that waited in vain is answered by an empty page", async (t) => {
  const { read, advance } = start();
  const { next } = (await read(["BlockConnected"])).page()!;
  const asked = await read(["BlockConnected"], next, 2_000);
  await advance(1_000);
  t.is(asked.page(), undefined);
  await advance(2_000);
  t.deepEqual(asked.page(), { events: [], next });
});

test("an id of another run is never taken for one of this: all that is kept follows", async (t) => {
  const { read, publish } = start();
  await publish(block(1));
  for (const foreign of [eventId("00000000000000bb", 1), eventId(RUN, 1_000)]) {
    const { events, missed } = (await read(["BlockConnected"], foreign)).page()!;
    t.like(missed?.event, { reason: "restarted", count: null, firstId: null });
    t.deepEqual(
      events.map(({ event }) => event),
      [block(1)],
    );
  }
});

test("who comes back too late is told the most that it can have missed", async (t) => {
  const { read, publish } = start({ keptBytesMax: 8_000 });
  const { next } = (await read(["BlockConnected"])).page()!;
  const blocks = Array.from({ length: 50 }, (_, height) => block(height));
  await publish(...blocks);
  const { events, missed } = (await read(["BlockConnected"], next)).page()!;
  const { event, id } = missed!;
  t.like(event, { type: "EventsMissed", reason: "forgotten", firstId: eventId(RUN, 1) });
  t.is(event.lastId, id);
  t.is(event.count! + events.length, 50);
  t.is(readEventId(events[0]!.id)!.seq, readEventId(id)!.seq + 1);
});

test("what comes in floods is heard while it is asked for, and for a while after", async (t) => {
  const { read, publish, heard, advance, bus, probe, settle } = start();
  t.false(heard.has("TransactionAccepted"));
  const { next } = (await read(["TransactionAccepted"])).page()!;
  t.true(heard.has("TransactionAccepted"));
  t.false(heard.has("TransactionReceived"));
  await publish(accepted("1"));
  t.is((await read(["TransactionAccepted"], next)).page()!.events.length, 1);
  await advance(300_000);
  t.true(heard.has("TransactionAccepted"));
  const late = (await read(["TransactionAccepted"], next)).page()!;
  t.is(late.missed, undefined);
  await advance(700_000);
  t.false(heard.has("TransactionAccepted"));
  const { missed } = (await read(["TransactionAccepted"], late.next)).page()!;
  t.is(missed?.event.reason, "forgotten", "meanwhile there may have been any number");
  await advance(700_000);
  const subscriber = probe<NetworkEvent>();
  bus.tell({ type: "Subscribe", subscriber: subscriber.ref, types: ["TransactionRejected"] });
  await settle();
  t.true(heard.has("TransactionRejected"));
  subscriber.stop();
  await settle();
  t.false(heard.has("TransactionRejected"));
});

test("who asks for other types than before is told that nobody kept them", async (t) => {
  const { read } = start();
  const { next } = (await read(["BlockConnected"])).page()!;
  const { missed } = (await read(["TransactionAccepted"], next)).page()!;
  t.is(missed?.event.reason, "forgotten");
});

test("events that a flood dropped before they had ids are told to readers", async (t) => {
  const { read, bus, settle } = start({ mailboxMax: 4 });
  const { next } = (await read(["BlockConnected"])).page()!;
  for (let height = 1; height <= 10; height++) bus.tell({ type: "Publish", event: block(height) });
  await settle();
  const { events, missed } = (await read(["BlockConnected"], next)).page()!;
  t.is(missed?.event.count, 6);
  t.deepEqual(
    events.map(({ event }) => event),
    [7, 8, 9, 10].map(block),
  );
});

test("an id is read back, and nothing else is taken for one", (t) => {
  const run = runName({ bytes: (count) => new Uint8Array(count).fill(7) });
  t.deepEqual(readEventId(eventId(run, 12)), { run, seq: 12 });
  for (const text of ["", "7", `${run}`, `${run}-`, `${run}-01`, `${run}--1`, `${run}-1\n`]) {
    t.is(readEventId(text), undefined);
  }
  t.is(readEventId(`${run}-${"9".repeat(17)}`), undefined);
});
