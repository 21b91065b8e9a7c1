import test from "ava";
import { Range } from "../../../src/actors/sync/range.js";
import { peerIdOf } from "../support.js";
import { checkedAt, hashAt } from "./plan-bench.js";

const ask = (request: number) => ({ request, peerId: peerIdOf(request), count: 10, sinceMs: 0 });

test("a range goes from wanted to connecting, and has the fields of its state alone", (t) => {
  const range = new Range(5, 2);
  t.deepEqual([range.state.name, range.lastHeight, range.bytes], ["wanted", 6, 0]);
  range.ask(ask(1));
  range.ask(ask(2));
  t.deepEqual(
    range.asks.map(({ request }) => request),
    [1, 2],
  );
  range.unask(1);
  t.is(range.state.name, "requested");
  range.received(peerIdOf(2), 700, 2);
  t.deepEqual([range.server, range.bytes, range.asks.length], [peerIdOf(2), 700, 0]);
  range.taskDone([checkedAt(6)]);
  t.true(range.has(hashAt(6)));
  range.taskDone([checkedAt(5)]);
  t.deepEqual(
    range.handOut().map(({ header }) => header.height),
    [5, 6],
  );
  t.is(range.connected().bytes, 700);
});

test("the last request that fails makes it wanted again, and so do blocks that are not its own", (t) => {
  const range = new Range(5, 2);
  range.ask(ask(1));
  range.unask(1);
  t.is(range.state.name, "wanted");
  range.ask(ask(2));
  range.received(peerIdOf(2), 700, 1);
  range.spoiled();
  t.deepEqual([range.state.name, range.bytes, range.server], ["wanted", 0, undefined]);
});

test("a transition from the wrong state is refused", (t) => {
  const wanted = new Range(5, 2);
  const checking = new Range(5, 2);
  checking.ask(ask(1));
  checking.received(peerIdOf(1), 700, 1);
  const checked = new Range(5, 1);
  checked.ask(ask(1));
  checked.received(peerIdOf(1), 700, 1);
  checked.taskDone([checkedAt(5)]);
  for (const wrong of [
    () => wanted.unask(1),
    () => wanted.received(peerIdOf(1), 1, 1),
    () => wanted.taskDone([]),
    () => wanted.spoiled(),
    () => wanted.handOut(),
    () => checking.ask(ask(2)),
    () => checking.renew(0),
    () => checking.handOut(),
    () => checking.taskDone([]),
    () => checked.spoiled(),
    () => checked.connected(),
  ]) {
    t.throws(wrong, { message: /a range that is|without all of its blocks/ });
  }
});
