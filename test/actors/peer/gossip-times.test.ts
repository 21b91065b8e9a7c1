import test from "ava";
import fc from "fast-check";
import { GossipTimes, type NewsKind } from "../../../src/actors/peer/gossip-times.js";
import { peerIdOf } from "../support.js";

const REPEATS_MAX = 100;
const idOf = (number: number): string => number.toString(16).padStart(64, "0");

function timesOf(peers: number) {
  const times = new GossipTimes(REPEATS_MAX);
  for (let number = 1; number <= peers; number++) times.joined(peerIdOf(number), 0);
  const tell = (number: number, id: number, nowMs: number, kind: NewsKind = "transaction"): void =>
    times.told(kind, idOf(id), peerIdOf(number), () => true, nowMs);
  return { times, tell, of: (number: number) => times.of(peerIdOf(number)) };
}

test("a peer is as late as it is after the first who told what proved valid", (t) => {
  const { times, tell, of } = timesOf(3);
  tell(1, 7, 1_000);
  tell(2, 7, 1_080);
  t.is(of(2).transactionDelayMs, undefined, "it may be an invention");
  times.proven("transaction", idOf(7));
  tell(3, 7, 1_400);
  t.deepEqual(
    [1, 2, 3].map((number) => of(number).transactionDelayMs),
    [0, 80, 400],
  );
  t.is(of(1).blockDelayMs, undefined);
  tell(2, 8, 2_000);
  tell(1, 8, 2_800);
  times.proven("transaction", idOf(8));
  t.is(of(1).transactionDelayMs, 100, "an eighth of the way");
  t.deepEqual(
    new Set(times.takeChanged().map(([peerId]) => peerId)),
    new Set([1, 2, 3].map(peerIdOf)),
  );
  t.deepEqual(times.takeChanged(), []);
});

test("blocks and transactions are measured apart", (t) => {
  const { times, tell, of } = timesOf(2);
  tell(1, 7, 0, "block");
  tell(2, 7, 50, "block");
  times.proven("transaction", idOf(7));
  t.is(of(2).blockDelayMs, undefined);
  times.proven("block", idOf(7));
  t.deepEqual(of(2), { blockDelayMs: 50, transactionDelayMs: undefined, duplicates: 0 });
});

test("what others told before, or is long ago, measures nobody", (t) => {
  const { times, tell, of } = timesOf(2);
  times.told("block", idOf(1), peerIdOf(1), () => false, 0);
  times.proven("block", idOf(1));
  t.is(of(1).blockDelayMs, undefined);
  tell(1, 2, 0, "block");
  times.proven("block", idOf(2));
  tell(2, 2, 10_001, "block");
  t.is(of(2).blockDelayMs, undefined);
});

test("whoever invents news takes no places of others, and is not first with anything", (t) => {
  const { times, tell, of } = timesOf(2);
  for (let id = 0; id < 1_000; id++) tell(1, id, 0);
  tell(2, 5_000, 0);
  times.proven("transaction", idOf(5_000));
  t.is(of(2).transactionDelayMs, 0);
  t.is(of(1).transactionDelayMs, undefined);
  times.invariants();
});

test("some of what is told twice is how gossip is, and too much of it is told", (t) => {
  const { times, of } = timesOf(1);
  const tooOften = (count: number, nowMs: number): number => {
    let told = 0;
    for (let i = 0; i < count; i++) if (times.repeated(peerIdOf(1), nowMs)) told++;
    return told;
  };
  t.is(tooOften(REPEATS_MAX, 0), 0);
  t.is(tooOften(REPEATS_MAX, 60_000), 0, "another minute");
  t.is(tooOften(1, 60_001), 1);
  t.is(tooOften(REPEATS_MAX, 60_001), 0);
  t.is(tooOften(1, 60_001), 1, "and again for as many more");
  times.sent(peerIdOf(1), 50);
  t.is(tooOften(REPEATS_MAX + 50, 60_002), 0, "it may cross what it is told");
  t.is(of(1).duplicates, 4 * REPEATS_MAX + 2 + 50);
});

test("whatever is told by whomever, it stays within its bounds", (t) => {
  const step = fc.record({
    act: fc.constantFrom("tell", "prove", "leave", "join"),
    peer: fc.integer({ min: 1, max: 60 }),
    id: fc.nat({ max: 400 }),
    kind: fc.constantFrom<NewsKind>("block", "transaction"),
    waitMs: fc.nat({ max: 500 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const { times, tell } = timesOf(60);
      let nowMs = 0;
      for (const { act, peer, id, kind, waitMs } of steps) {
        nowMs += waitMs;
        if (act === "tell") tell(peer, id, nowMs, kind);
        else if (act === "prove") times.proven(kind, idOf(id));
        else if (act === "leave") times.gone(peerIdOf(peer));
        else times.joined(peerIdOf(peer), nowMs);
        times.invariants();
      }
    }),
  );
  t.pass();
});
