import test from "ava";
import { Absences, TrustedPeers } from "../../../src/actors/peer/operator-wishes.js";
import { peerIdOf } from "../support.js";

test("beside configured peers so many are trusted as there are places, and each change is told", (t) => {
  const changed: string[] = [];
  const trust = new TrustedPeers([peerIdOf(1)], 2, (peerId) => changed.push(peerId));
  t.is(trust.add(peerIdOf(1)), "trusted");
  t.false(trust.remove(peerIdOf(1)), "that is the configuration's");
  t.deepEqual([trust.add(peerIdOf(2)), trust.add(peerIdOf(2))], ["added", "trusted"]);
  t.deepEqual([trust.add(peerIdOf(3)), trust.add(peerIdOf(4))], ["added", "full"]);
  t.true(trust.remove(peerIdOf(2)));
  t.is(trust.add(peerIdOf(4)), "added");
  t.deepEqual(changed, [2, 3, 2, 4].map(peerIdOf));
  t.deepEqual([...trust.all].toSorted(), [1, 3, 4].map(peerIdOf).toSorted());
  trust.invariants();
});

test("of those that were stored as many are trusted as there are places; others are forgotten", (t) => {
  const changed: string[] = [];
  const trust = new TrustedPeers([peerIdOf(1)], 1, (peerId) => changed.push(peerId));
  for (const number of [1, 2, 3]) trust.restore(peerIdOf(number));
  t.deepEqual([...trust.byOperator], [peerIdOf(2)]);
  t.deepEqual(trust.forgotten, [peerIdOf(3)]);
  t.deepEqual(changed, [peerIdOf(3)], "only its record is another one now");
});

test("who is away may come back when its time is over, or before when it is let", (t) => {
  const absences = new Absences(10);
  absences.begin(peerIdOf(1), 1_000, 0);
  t.deepEqual(
    [0, 999, 1_000].map((nowMs) => absences.leftMs(peerIdOf(1), nowMs)),
    [1_000, 1, 0],
  );
  t.false(absences.end(peerIdOf(1), 1_000));
  absences.begin(peerIdOf(1), 5_000, 1_000);
  absences.begin(peerIdOf(1), 3_000, 1_000);
  t.is(absences.leftMs(peerIdOf(1), 1_000), 2_000, "what was said last holds");
  t.true(absences.end(peerIdOf(1), 1_000));
  t.is(absences.leftMs(peerIdOf(1), 1_000), 0);
});

test("of too many who are away the first to come back gives way", (t) => {
  const absences = new Absences(3);
  for (const number of [1, 2, 3]) absences.begin(peerIdOf(number), 10_000 * (4 - number), 0);
  absences.begin(peerIdOf(4), 50_000, 0);
  absences.invariants();
  const left = (nowMs: number): number[] =>
    [1, 2, 3, 4].map((number) => absences.leftMs(peerIdOf(number), nowMs));
  t.deepEqual(left(0), [30_000, 20_000, 0, 50_000]);
  absences.begin(peerIdOf(5), 90_000, 25_000);
  absences.invariants();
  t.deepEqual(left(25_000), [5_000, 0, 0, 25_000], "one that is over goes before all others");
});
