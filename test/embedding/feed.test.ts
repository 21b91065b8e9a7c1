import test from "ava";
import type { ExecutionContext } from "ava";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { carry } from "../../src/runtime/thread-outcome.js";
import { FeedReader, FeedSender, type FeedItem } from "../../src/thread/feed.js";

/** What the owner lets be in flight, and what may wait behind it. */
const CREDIT = 2_048;
const QUEUE = 8_192;

function openFeed(t: ExecutionContext) {
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  const sender = new FeedSender(port1);
  const items: FeedItem[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const read = () =>
    new FeedReader(port2, (item) => {
      items.push(item);
      for (const { count, resolve } of waiting) if (items.length === count) resolve();
    });
  const received = (count: number): Promise<void> =>
    new Promise((resolve) => waiting.push({ count, resolve }));
  return { sender, items, read, received, port: port2 };
}

/** So that the sender flushes, as it does after each turn of a scheduler. */
const turnEnds = (): Promise<void> => Promise.resolve();

test("items arrive in order, however many there are", async (t) => {
  const { sender, items, read, received } = openFeed(t);
  read();
  const count = 3 * CREDIT;
  const all = received(count);
  for (let i = 0; i < count; i++) sender.push(1, i);
  await all;
  t.deepEqual(
    items,
    Array.from({ length: count }, (_, i) => [1, i] as const),
  );
});

test("an owner that does not read is sent no more than its credit", async (t) => {
  const { sender, port } = openFeed(t);
  for (let turn = 0; turn < 3; turn++) {
    for (let i = 0; i < CREDIT; i++) sender.push(1, i);
    await turnEnds();
  }
  let sent = 0;
  for (let batch = receiveMessageOnPort(port); batch; batch = receiveMessageOnPort(port)) {
    sent += (batch.message as { items: readonly FeedItem[] }).items.length;
  }
  t.is(sent, CREDIT);
});

test("what waits is bounded: the oldest are dropped, counted", async (t) => {
  const { sender, items, read, received } = openFeed(t);
  for (let i = 0; i < CREDIT; i++) sender.push(1, i);
  await turnEnds();
  for (let i = 0; i < QUEUE + 10; i++) sender.push(2, i);
  await turnEnds();

  const all = received(CREDIT + QUEUE);
  const reader = read();
  await all;
  t.is(reader.missed, 10);
  t.deepEqual(items[CREDIT - 1], [1, CREDIT - 1]);
  t.deepEqual(items[CREDIT], [2, 10, 10], "the oldest that waited were dropped");
  t.deepEqual(items.at(-1), [2, QUEUE + 9]);
});

test("the last word takes along all that waits", async (t) => {
  const { sender, items, read } = openFeed(t);
  for (let i = 0; i < 2 * CREDIT; i++) sender.push(1, i);
  await turnEnds();
  sender.end({ error: carry(new Error("over")) });
  const reader = read();
  reader.close();
  t.is(items.length, 2 * CREDIT);
  t.is(reader.end?.error?.message, "over");
});

test("whose items were dropped is told how many, with the next one for them", async (t) => {
  const { sender, items, read, received } = openFeed(t);
  for (let i = 0; i < CREDIT; i++) sender.push(1, i);
  await turnEnds();
  for (let i = 0; i < 10; i++) sender.push(2, i);
  for (let i = 0; i < QUEUE; i++) sender.push(3, i);
  sender.push(2, 10);
  await turnEnds();
  const all = received(CREDIT + QUEUE);
  read();
  await all;
  const told = items.filter(([, , dropped]) => dropped !== undefined);
  t.deepEqual(told, [
    [3, 1, 1],
    [2, 10, 10],
  ]);
});
