import test from "ava";
import { ANSWER_BYTES_MAX } from "../../../src/actors/sync/open-asks.js";
import { BodyRanges, type RangeRequest } from "../../../src/actors/sync/body-ranges.js";
import type { Range } from "../../../src/actors/sync/range.js";
import { peerIdOf } from "../support.js";
import { bodies, checkedAt, hashAt, peer, rangesOf, small } from "./plan-bench.js";

type Rig = ReturnType<typeof rangesOf>;

/** Answers a request; its blocks pass all checks. */
function serve(rig: Rig, { request, peerId, count }: RangeRequest, bytes = 100): void {
  rig.asks.settle(request);
  receive(rig.ranges, request, peerId, bodies(count, bytes)).forEach(check);
}

function receive(
  ranges: BodyRanges,
  request: number,
  peerId: string,
  blocks: readonly Uint8Array[],
): readonly Range[] {
  const taken: Range[] = [];
  ranges.received({ request, peerId }, blocks, (range) => {
    taken.push(range);
    return 1;
  });
  return taken;
}

function check(range: Range): void {
  range.taskDone(Array.from({ length: range.count }, (_, i) => checkedAt(range.fromHeight + i)));
}

function fail({ ranges, asks }: Rig, { request, peerId }: RangeRequest, nowMs = 0): boolean {
  asks.settle(request);
  return ranges.failed(request, peerId, nowMs);
}

function connectAll({ ranges, chain }: Rig): void {
  while (ranges.nextToConnect() !== undefined) chain.connected(ranges.connected().count);
}

// ---- assignment ------------------------------------------------------------------------------

test("ranges are cut from the bottom, without a gap, each asked of one peer", (t) => {
  const { ranges } = rangesOf(25);
  t.deepEqual(
    ranges
      .assign([peer(1)], 0)
      .map(({ fromHeight, count, lastHash }) => [fromHeight, count, lastHash]),
    [
      [101, 10, hashAt(110)],
      [111, 10, hashAt(120)],
      [121, 5, hashAt(125)],
    ],
  );
  ranges.invariants();
});

test("a peer is asked for no more ranges than its limit, the least loaded first", (t) => {
  const rig = rangesOf(1_000, { rangesPerPeerMax: 2 });
  const peers = [peer(1), peer(2)];
  const numbers = (requests: readonly RangeRequest[]) =>
    requests.map(({ peerId }) => Number.parseInt(peerId, 16));
  const first = rig.ranges.assign(peers, 0);
  t.deepEqual(numbers(first), [1, 2, 1], "the second one has delivered nothing yet");
  serve(rig, first[1]!);
  t.deepEqual(numbers(rig.ranges.assign(peers, 0)), [2, 2]);
  t.deepEqual(rig.ranges.assign(peers, 0), []);
});

test("of peers with the same load the better score is asked first", (t) => {
  const { ranges } = rangesOf(10);
  const peers = [peer(1, { score: 0.2 }), peer(2, { score: 0.9 }), peer(3, { score: 0.4 })];
  t.is(ranges.assign(peers, 0)[0]?.peerId, peerIdOf(2));
});

test("a peer is not asked for blocks above the height that it claims", (t) => {
  const { ranges } = rangesOf(15);
  const blocks = ({ fromHeight, count }: RangeRequest): [number, number] => [fromHeight, count];
  t.deepEqual(ranges.assign([peer(1, { claimedHeight: 110n })], 0).map(blocks), [[101, 10]]);
  t.deepEqual(ranges.assign([peer(2, { claimedHeight: 110n })], 0), []);
  t.deepEqual(ranges.assign([peer(2, { claimedHeight: 114n })], 0).map(blocks), [[111, 4]]);
  t.deepEqual(ranges.assign([peer(3, { claimedHeight: 115n })], 0).map(blocks), [[115, 1]]);
  ranges.invariants();
});

test("of peers that this node knows as little of, who brought some of it is asked first", (t) => {
  const rig = rangesOf(1_000, { rangesPerPeerMax: 1 });
  const [, first] = rig.ranges.assign([peer(1), peer(2)], 0);
  serve(rig, first!);
  const others = [peer(3, { score: 1 }), peer(2, { score: 0.1 })];
  t.is(rig.ranges.assign(others, 0)[0]?.peerId, peerIdOf(2));
});

test("a range holds as many blocks as are about its size by those that came", (t) => {
  const rig = rangesOf(1_000);
  for (const request of rig.ranges.assign([peer(1)], 0)) serve(rig, request);
  connectAll(rig);
  t.true(rig.ranges.assign([peer(1)], 0).at(-1)!.count > 10);
});

test("who failed is asked last, and for one range at a time", (t) => {
  const rig = rangesOf(1_000);
  const [first] = rig.ranges.assign([peer(1, { score: 9 })], 0);
  fail(rig, first!);
  const peers = [peer(1, { score: 9 }), peer(2, { score: 0 })];
  const again = rig.ranges.assign(peers, 5_000);
  t.is(again[0]?.peerId, peerIdOf(2));
  t.is(again[0]?.fromHeight, 101);
});

test("who is on another chain is asked for the first blocks alone, until it is found where they part", (t) => {
  const { asks, ranges } = rangesOf(1_000);
  let [asked] = ranges.assign([peer(2)], 0) as [RangeRequest];
  const counts: number[] = [];
  for (;;) {
    asks.settle(asked.request);
    t.false(ranges.isElsewhere(peerIdOf(2)) && counts.length === 0);
    ranges.elsewhere(asked.request, peerIdOf(2));
    t.true(ranges.isElsewhere(peerIdOf(2)));
    const next = ranges.assign([peer(2)], 0);
    if (next.length === 0) break;
    [asked] = next as [RangeRequest];
    t.is(asked.fromHeight, 101);
    counts.push(asked.count);
  }
  t.deepEqual(counts, [5, 2, 1]);
  t.is(ranges.assign([peer(2), peer(3)], 1e9)[0]?.fromHeight, 101);
  ranges.invariants();
});

test("what was asked of a peer that left is asked of another", (t) => {
  const { ranges, asks } = rangesOf(20);
  ranges.assign([peer(1)], 0);
  ranges.peerGone(peerIdOf(1));
  t.is(asks.bytes, 0);
  const again = ranges.assign([peer(2), peer(3)], 0);
  t.deepEqual(
    again.map(({ fromHeight }) => fromHeight),
    [101, 111],
  );
});

test("an answer to a request that was given up is stale, and so is a second one", (t) => {
  const rig = rangesOf(10);
  const [first] = rig.ranges.assign([peer(1)], 0);
  fail(rig, first!);
  t.is(rig.ranges.rangeOf(first!.request), undefined);
  const [second] = rig.ranges.assign([peer(2)], 0);
  t.is(rig.ranges.rangeOf(first!.request), undefined);
  serve(rig, second!);
  t.is(rig.ranges.rangeOf(second!.request), undefined);
});

test("a part of a range is taken, and the rest is asked for again", (t) => {
  const { ranges } = rangesOf(10);
  const [{ request }] = ranges.assign([peer(1)], 0) as [RangeRequest];
  receive(ranges, request, peerIdOf(1), bodies(4));
  ranges.invariants();
  const [rest] = ranges.assign([peer(1)], 0);
  t.deepEqual([rest?.fromHeight, rest?.count, rest?.lastHash], [105, 6, hashAt(110)]);
});

test("the offerer that fails twice on one range withholds it; another peer that fails does not", (t) => {
  const rig = rangesOf(10);
  let nowMs = 0;
  const undelivered = (number: number): boolean => {
    nowMs += 100_000;
    const [request] = rig.ranges.assign([peer(number)], nowMs) as [RangeRequest];
    return fail(rig, request, nowMs);
  };
  t.false(undelivered(2));
  t.false(undelivered(2));
  t.false(undelivered(1));
  t.true(undelivered(1));
});

test("checked bodies behind a range that nobody serves keep no session alive", (t) => {
  const rig = rangesOf(30);
  const [front, middle, last] = rig.ranges.assign([peer(1)], 0);
  serve(rig, middle!);
  fail(rig, last!);
  t.true(rig.ranges.busy, "the front is under way");
  fail(rig, front!);
  t.false(rig.ranges.busy);
  serve(rig, rig.ranges.assign([peer(3)], 0)[0]!);
  t.true(rig.ranges.busy, "now the first two can be connected");
});

test("ranges are handed out from the bottom, without waiting for the one before to be durable", (t) => {
  const rig = rangesOf(30);
  const { ranges } = rig;
  const requests = ranges.assign([peer(1)], 0);
  serve(rig, requests[2]!);
  t.is(ranges.nextToConnect(), undefined);
  serve(rig, requests[0]!);
  t.is(ranges.nextToConnect()?.[0]?.header.height, 101);
  t.is(ranges.nextToConnect(), undefined);
  serve(rig, requests[1]!);
  t.is(ranges.nextToConnect()?.[0]?.header.height, 111);
  t.is(ranges.nextToConnect()?.[0]?.header.height, 121);
  t.is(ranges.serverOf(hashAt(105)), peerIdOf(1));
  t.is(ranges.serverOf(hashAt(999)), undefined);
  t.is(ranges.connected().fromHeight, 101);
  t.is(ranges.connected().fromHeight, 111);
  t.throws(() => {
    ranges.connected();
    ranges.connected();
  });
});

// ---- what may come at most -------------------------------------------------------------------

test("answers are reserved at the most that may come, whatever blocks had so far", (t) => {
  const bytesInFlightMax = 8 * ANSWER_BYTES_MAX;
  const rig = rangesOf(4_000, { bytesInFlightMax, rangesPerPeerMax: 99 });
  const peers = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => peer(number));
  // Small blocks at first: ranges of many.
  for (let round = 0; round < 3; round++) {
    for (const request of rig.ranges.assign(peers, 0)) serve(rig, request);
    connectAll(rig);
    rig.ranges.invariants();
  }
  const requests = rig.ranges.assign(peers, 0);
  t.true(requests.every(({ count }) => count > 10));
  t.is(requests.length, 6, "two answers are kept for the front");
  // Then each brings as much as a message can have.
  for (const { request, peerId, count } of requests) {
    rig.asks.settle(request);
    receive(rig.ranges, request, peerId, bodies(count, Math.floor(ANSWER_BYTES_MAX / count)));
    rig.ranges.invariants();
  }
  t.true(rig.ranges.bytesInFlight <= bytesInFlightMax);
  t.deepEqual(rig.ranges.assign(peers, 0), []);
});

test("an answer that nobody wants any more takes no room, and its peer is asked for no more", (t) => {
  const rig = rangesOf(4_000, { bytesInFlightMax: 4 * ANSWER_BYTES_MAX });
  const peers = [1, 2, 3, 4, 5].map((number) => peer(number));
  const [front] = rig.ranges.assign(peers, 0);
  const hedge = rig.ranges.hedge(peers, 2_000);
  t.is(rig.asks.bytes, 3 * ANSWER_BYTES_MAX);
  t.is(rig.ranges.hedge(peers, 60_000), undefined, "two are enough");
  serve(rig, hedge!);
  t.is(rig.asks.bytes, ANSWER_BYTES_MAX, "the second range's");
  t.is(rig.asks.countOf(front!.peerId), 1, "still owed");
  // A session after this one finds all the room there is, and whom to ask for it.
  rig.asks.forsakeAll();
  t.is(rig.asks.bytes, 0);
  const next = new BodyRanges({ ...rig, offerer: peerIdOf(5), nowMs: 0 });
  const asked = next.assign(peers, 0);
  t.is(asked.length, 2);
  t.true(asked.every(({ peerId }) => peerId !== front!.peerId));
  rig.asks.invariants();
});

test("the front range is asked for, however much waits behind it", (t) => {
  const rig = rangesOf(4_000, { bytesInFlightMax: 4 * ANSWER_BYTES_MAX, rangesPerPeerMax: 99 });
  const [front, second] = rig.ranges.assign([peer(1)], 0);
  serve(rig, second!, Math.floor(ANSWER_BYTES_MAX / 10));
  const [third, ...none] = rig.ranges.assign([peer(1)], 0);
  t.is(third, undefined, "one behind the front is all that fits");
  t.deepEqual(none, []);
  fail(rig, front!);
  t.is(rig.ranges.assign([peer(2)], 0)[0]?.fromHeight, 101);
});

// ---- the front range -------------------------------------------------------------------------

test("when the front keeps everybody waiting another peer is asked for it too", (t) => {
  const rig = rangesOf(30, { stallMinMs: 2_000, stallMaxMs: 8_000 });
  const { ranges } = rig;
  const peers = [peer(2, { score: 1 }), peer(1), peer(3)];
  const [front] = ranges.assign(peers, 0);
  t.is(front?.peerId, peerIdOf(2));
  t.is(ranges.hedge(peers, 1_999), undefined);
  const hedge = ranges.hedge(peers, 2_000)!;
  t.deepEqual([hedge.fromHeight, hedge.count], [front!.fromHeight, front!.count]);
  t.not(hedge.peerId, front!.peerId);
  t.is(ranges.hedge(peers, 3_999), undefined);
  // The first one brings it after all: others were asked too soon.
  serve(rig, front!);
  const second = ranges.front!;
  t.is(second.fromHeight, 101);
  t.is(ranges.rangeOf(hedge.request), undefined);
});

test("an answer that comes from the first one makes it wait longer, each that comes less", (t) => {
  const rig = rangesOf(600, { stallMinMs: 2_000, stallMaxMs: 8_000 });
  const { ranges } = rig;
  const peers = [peer(1), peer(2)];
  let nowMs = 0;
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    const front = ranges.assign([peer(1)], nowMs).find(({ request }) => {
      return ranges.front?.asks[0]?.request === request;
    });
    let waited = 0;
    while (ranges.hedge(peers, nowMs + waited) === undefined) waited += 100;
    waits.push(waited);
    nowMs += waited;
    for (const request of front === undefined ? [] : [front]) serve(rig, request);
    ranges.peerGone(peerIdOf(1));
    ranges.peerGone(peerIdOf(2));
    connectAll(rig);
  }
  t.deepEqual(waits, [2_000, 4_000, 8_000]);
});

test("nobody gets company where no other peer may have the range", (t) => {
  const { ranges } = rangesOf(10);
  ranges.assign([peer(1)], 0);
  t.is(ranges.hedge([peer(1)], 60_000), undefined);
  t.is(ranges.hedge([peer(1), peer(2, { claimedHeight: 100n })], 60_000), undefined);
  t.truthy(ranges.hedge([peer(1), peer(2, { claimedHeight: 110n })], 60_000));
});

test("what others have of a range comes from them, when one alone claims the whole", (t) => {
  const rig = rangesOf(10);
  const { ranges } = rig;
  const [whole] = ranges.assign([peer(1)], 0) as [RangeRequest];
  const hedge = ranges.hedge([peer(1), peer(2, { claimedHeight: 106n })], 2_000)!;
  t.deepEqual([hedge.fromHeight, hedge.count, hedge.lastHash], [101, 6, hashAt(106)]);
  ranges.invariants();
  // The one who has all of it may come first after all: the rest is asked for anew.
  t.is(ranges.countOf(whole.request), 10);
  rig.asks.settle(whole.request);
  const [taken] = receive(ranges, whole.request, whole.peerId, bodies(10)) as [Range];
  t.deepEqual([taken.fromHeight, taken.count], [101, 6]);
  check(taken);
  ranges.invariants();
  const [rest] = ranges.assign([peer(1)], 2_000) as [RangeRequest];
  t.deepEqual([rest.fromHeight, rest.count], [107, 4]);
});

test("a range that is being checked keeps nobody waiting", (t) => {
  const { ranges } = rangesOf(10);
  const [{ request }] = ranges.assign([peer(1)], 0) as [RangeRequest];
  receive(ranges, request, peerIdOf(1), bodies(10));
  t.is(ranges.hedge([peer(1), peer(2)], 1e9), undefined);
  t.is(ranges.waitedMs, 0);
});

test("the front's wait counts whoever was asked, and blocks earn some of it", (t) => {
  const rig = rangesOf(4_000);
  const { ranges } = rig;
  const [first] = ranges.assign([peer(1)], 0);
  for (let nowMs = 500; nowMs <= 30_000; nowMs += 500) ranges.hedge([], nowMs);
  t.is(ranges.waitedMs, 30_000);
  serve(rig, first!);
  ranges.nextToConnect();
  // Ten blocks at one a second.
  rig.chain.connected(ranges.connected().count);
  t.is(ranges.waitedMs, 20_000);
  for (let nowMs = 30_500; nowMs <= 44_500; nowMs += 500) ranges.hedge([], nowMs);
  t.is(ranges.waitedMs, 34_500);
});

test("what this node slept through nobody is waited for", (t) => {
  const { ranges } = rangesOf(30);
  const peers = [peer(1), peer(2)];
  ranges.assign([peer(1)], 0);
  ranges.renew(90_000);
  t.is(ranges.hedge(peers, 91_999), undefined);
  t.is(ranges.waitedMs, 1_999);
  t.truthy(ranges.hedge(peers, 92_000));
});

test("the settings leave room for the front and one more", (t) => {
  t.true(small.bytesInFlightMax >= 3 * ANSWER_BYTES_MAX);
});
