import test from "ava";
import type {
  EventId,
  EventPage,
  NetworkEventType,
  ToldEvent,
} from "../../src/actors/events/event-types.js";
import { CodedError } from "../../src/errors.js";
import { checkedRead, eventStream } from "../../src/network/event-stream.js";
import { startNetwork, type EventsMissed } from "../../src/index.js";

const told = (id: EventId): ToldEvent<"ListenerBound"> => ({
  id,
  event: { type: "ListenerBound", address: id },
});

/** Answers the pages in order, then never; or an error where there is one. */
function pages(...answers: readonly (EventPage<"ListenerBound"> | Error)[]) {
  const asked: (EventId | undefined)[] = [];
  const read = ({
    after,
  }: {
    after?: EventId | undefined;
  }): Promise<EventPage<"ListenerBound">> => {
    const answer = answers[asked.length];
    asked.push(after);
    if (answer === undefined) return new Promise(() => undefined);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { asked, read };
}

test("a stream reads page after page, and says in its place what was missed", async (t) => {
  const gap: EventsMissed = {
    type: "EventsMissed",
    reason: "forgotten",
    count: 2,
    firstId: "r-3",
    lastId: "r-4",
  };
  const { asked, read } = pages(
    { events: [], next: "r-0" },
    { events: [told("r-1"), told("r-2")], next: "r-2" },
    { events: [told("r-5")], missed: { id: "r-4", event: gap }, next: "r-5" },
  );
  const ids: EventId[] = [];
  for await (const { id, event } of eventStream(read, ["ListenerBound"])) {
    ids.push(event.type === "EventsMissed" ? `missed ${event.count}` : id);
    if (ids.length === 4) break;
  }
  t.deepEqual(ids, ["r-1", "r-2", "missed 2", "r-5"]);
  t.deepEqual(asked, [undefined, "r-0", "r-2", "r-5"]);
});

test("a stream begins when it is made, goes on after an id, and no page is read ahead of its turn", async (t) => {
  const { asked, read } = pages({ events: [told("r-8"), told("r-9")], next: "r-9" });
  const stream = eventStream(read, ["ListenerBound"], { after: "r-7" });
  t.deepEqual(asked, ["r-7"]);
  await stream.next();
  await stream.next();
  t.is(asked.length, 2);
});

test("a signal ends a stream that waits, and one that is made after it", async (t) => {
  const { read } = pages();
  const abort = new AbortController();
  const stream = eventStream(read, ["ListenerBound"], { signal: abort.signal });
  const waiting = stream.next();
  abort.abort();
  t.deepEqual(await waiting, { done: true, value: undefined });
  const late = eventStream(read, ["ListenerBound"], { signal: abort.signal });
  t.true((await late.next()).done);
});

test("a network that was too busy is asked again, one that has ended ends the stream", async (t) => {
  const { asked, read } = pages(
    new CodedError("TIMEOUT", "busy"),
    { events: [told("r-1")], next: "r-1" },
    new CodedError("STOPPED", "over"),
  );
  const stream = eventStream(read, ["ListenerBound"], { after: "r-0" });
  t.is((await stream.next()).value.id, "r-1");
  t.deepEqual(asked.slice(0, 2), ["r-0", "r-0"]);
  await t.throwsAsync(stream.next(), { code: "STOPPED" });
  t.true((await stream.next()).done);
});

test("events that are asked for at once come in order", async (t) => {
  const { read } = pages({ events: [told("r-1"), told("r-2")], next: "r-2" });
  const stream = eventStream(read, ["ListenerBound"]);
  const both = await Promise.all([stream.next(), stream.next()]);
  t.deepEqual(
    both.map(({ value }) => (value as ToldEvent).id),
    ["r-1", "r-2"],
  );
});

test("what is no type, id, count or time is refused before anything is asked", (t) => {
  const id = "0000000000000001-1";
  t.notThrows(() => checkedRead({ types: ["BlockConnected"], after: id, countMax: 1, waitMs: 0 }));
  for (const wrong of [
    null,
    { types: "BlockConnected" },
    { types: ["constructor"] },
    { after: "1" },
    { after: 1 },
    { countMax: 0 },
    { countMax: Number.NaN },
    { waitMs: -1 },
    { waitMs: 60_000 },
  ]) {
    t.throws(() => checkedRead(wrong), { code: "ARGUMENT_INVALID" });
  }
});

test("blocks are read from a network as they connect, one after the other", async (t) => {
  const network = await startNetwork({
    pool: { inline: true },
    produce: true,
    producer: { intervalMs: 10 },
  });
  t.teardown(() => network.stop());
  const heights: number[] = [];
  for await (const { event } of network.events(["BlockConnected"])) {
    if (event.type === "BlockConnected") heights.push(event.height);
    if (heights.length === 5) break;
  }
  t.deepEqual(
    heights,
    heights.map((_, index) => heights[0]! + index),
  );
  t.throws(() => network.events(["Nothing" as NetworkEventType]), { code: "ARGUMENT_INVALID" });
  t.throws(() => network.subscribe(["Nothing" as NetworkEventType], () => undefined), {
    instanceOf: TypeError,
  });
});
