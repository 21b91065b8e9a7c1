import test from "ava";
import { bytesOf, EventRing } from "../../../src/actors/events/event-ring.js";
import { EVENTS, EVENT_TYPES, typesNamed } from "../../../src/actors/events/event-table.js";
import type { NetworkEvent, NetworkEventType } from "../../../src/actors/events/event-types.js";

const transaction = (id: number): NetworkEvent => ({ type: "TransactionAccepted", id: `${id}` });
const block = (height: number): NetworkEvent => ({
  type: "BlockConnected",
  hash: `${height}`,
  height,
  transactionCount: 0,
});
const ALL = new Set<NetworkEventType>(["TransactionAccepted", "BlockConnected"]);
const MUCH = { countMax: 1_000, bytesMax: 1_000_000 };

test("events come in order, whatever shelf they are on, and after the one that was had", (t) => {
  const ring = new EventRing("run", 100_000);
  const told = [transaction(1), block(1), transaction(2), block(2)];
  for (const event of told) ring.push(event);
  const { entries, lostSeq, seq } = ring.read(0, ALL, MUCH);
  t.deepEqual(
    entries.map((entry) => entry.event),
    told,
  );
  t.deepEqual([lostSeq, seq], [undefined, 4]);
  const blocks = ring.read(2, new Set<NetworkEventType>(["BlockConnected"]), MUCH);
  t.deepEqual(
    blocks.entries.map((entry) => entry.seq),
    [4],
  );
  t.deepEqual(ring.read(4, ALL, MUCH).entries, []);
});

test("a page ends at its bounds, and the next one follows it without a gap", (t) => {
  const ring = new EventRing("run", 1_000_000);
  for (let id = 1; id <= 10; id++) ring.push(transaction(id));
  const first = ring.read(0, ALL, { countMax: 4, bytesMax: 1_000_000 });
  t.deepEqual([first.entries.length, first.seq], [4, 4]);
  const small = ring.read(first.seq, ALL, { countMax: 10, bytesMax: bytesOf(transaction(1)) });
  t.deepEqual([small.entries.length, small.seq], [1, 5]);
  const one = ring.read(5, ALL, { countMax: 10, bytesMax: 1 });
  t.is(one.entries.length, 1, "one that is larger than a page is a page");
});

test("the oldest give way, and whoever had not read them is told up to where", (t) => {
  const ring = new EventRing("run", 16_000);
  for (let id = 1; id <= 100; id++) ring.push(transaction(id));
  ring.invariants();
  t.true(ring.bytes <= 16_000);
  const { entries, lostSeq } = ring.read(0, ALL, MUCH);
  t.is(entries[0]?.seq, lostSeq! + 1);
  t.is(entries.at(-1)?.seq, 100);
  t.is(ring.read(lostSeq!, ALL, MUCH).lostSeq, undefined);
});

test("a flood of transactions takes no block from anybody", (t) => {
  const ring = new EventRing("run", 16_000);
  ring.push(block(1));
  for (let id = 1; id <= 1_000; id++) ring.push(transaction(id));
  const { entries, lostSeq } = ring.read(0, new Set<NetworkEventType>(["BlockConnected"]), MUCH);
  t.is(entries.length, 1);
  t.is(lostSeq, undefined);
});

test("what never had a number is told to every reader", (t) => {
  const ring = new EventRing("run", 16_000);
  ring.push(block(1));
  ring.skip(3);
  ring.push(block(2));
  const { entries, lostSeq } = ring.read(1, ALL, MUCH);
  t.is(lostSeq, 4);
  t.deepEqual(
    entries.map((entry) => entry.seq),
    [5],
  );
});

test("each event has a name of its own, and a topic names all that are in it", (t) => {
  const names = EVENT_TYPES.map((type) => EVENTS[type].name);
  t.is(new Set(names).size, names.length);
  t.deepEqual(typesNamed("chain.reorg"), ["ChainReorganised"]);
  t.true(typesNamed("block")!.includes("BlockConnected"));
  for (const none of ["", "blocks", "block.", "missed", "constructor", "BlockConnected"]) {
    t.is(typesNamed(none), undefined);
  }
});
