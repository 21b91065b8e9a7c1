import test from "ava";
import fc from "fast-check";
import { DEFAULTS, type NetworkConfig } from "../../../src/config.js";
import {
  locatorOf,
  SyncManager,
  type CheckTask,
  type ProvenHeader,
  type Range,
  type RangeRequest,
  type ServingPeer,
} from "../../../src/actors/sync/sync-manager.js";
import type { CheckedBlock, HeaderSummary } from "../../../src/chain/types.js";
import { seededRandom } from "../../../src/runtime/random.js";
import { peerIdOf } from "../support.js";

type Settings = NetworkConfig["sync"];

const HEADER_PEER = peerIdOf(1);
const limits = { hashesMax: 32, depthMax: 1_024 };
const hashAt = (height: number): string => height.toString(16).padStart(64, "0");

function summaryAt(height: number): HeaderSummary {
  return {
    hash: hashAt(height),
    height,
    previousHash: hashAt(height - 1),
    timestampMs: height,
    difficulty: 1n,
    totalDifficulty: BigInt(height),
  };
}

function headers(from: number, count: number): ProvenHeader[] {
  return Array.from({ length: count }, (_, i) => ({
    summary: summaryAt(from + i),
    bytes: new Uint8Array(new Uint32Array([from + i]).buffer),
  }));
}

function checkedAt(height: number): CheckedBlock {
  return {
    header: summaryAt(height),
    headerBytes: new Uint8Array(),
    bytes: new Uint8Array(),
    transactionCount: 1,
    transactionIds: new Uint8Array(32),
    effects: new Uint8Array(),
  };
}

const checkedOf = ({ fromHeight, blocks }: CheckTask): CheckedBlock[] =>
  blocks.map((_, i) => checkedAt(fromHeight + i));

const bodies = (count: number, bytes = 100): Uint8Array[] =>
  Array.from({ length: count }, () => new Uint8Array(bytes));

function peer(number: number, more: Partial<ServingPeer> = {}): ServingPeer {
  return { peerId: peerIdOf(number), claimedHeight: 2n ** 60n, score: 0.5, ...more };
}

/** Ranges of ten blocks at the first guess of a block's size. */
const small: Settings = {
  ...DEFAULTS.sync,
  rangeBytesTarget: 160 * 1024,
  bytesInFlightMax: 640 * 1024,
};

function session(count: number, settings: Partial<Settings> = {}): SyncManager {
  const manager = new SyncManager(1, HEADER_PEER, headers(100, 1)[0]!, { ...small, ...settings });
  manager.addHeaders(headers(101, count));
  return manager;
}

/** Answers a request in full and lets the pool accept it. */
function serve(manager: SyncManager, request: RangeRequest): void {
  manager.received(manager.rangeOf(request.request)!, bodies(request.count));
  for (let task = manager.nextTask(); task !== undefined; task = manager.nextTask()) {
    manager.taskDone(task, checkedOf(task));
  }
}

// ---- headers ---------------------------------------------------------------------------------

test("headers extend the tip, and a gap is a programmer's mistake", (t) => {
  const manager = session(5);
  t.is(manager.tip.summary.height, 105);
  t.throws(() => manager.addHeaders(headers(107, 1)), { message: /continue the plan/ });
  manager.addHeaders(headers(106, 2));
  t.is(manager.tip.summary.height, 107);
  t.is(manager.hashAt(100), hashAt(100));
  t.is(manager.hashAt(107), hashAt(107));
  t.throws(() => manager.hashAt(108));
});

test("it wants headers until it holds enough ahead, or there are no more", (t) => {
  const manager = session(4, { headersAheadMax: 5 });
  t.true(manager.wantsHeaders);
  t.false(manager.headersFull);
  manager.addHeaders(headers(105, 1));
  t.false(manager.wantsHeaders);
  t.true(manager.headersFull);
  const other = session(4);
  other.exhausted = true;
  t.false(other.wantsHeaders);
});

test("a chain longer than the window is surveyed first, then followed by its marks", (t) => {
  const manager = session(5, { headersAheadMax: 5 });
  manager.survey();
  t.true(manager.surveying);
  t.true(manager.wantsHeaders);
  t.is(manager.tip.summary.height, 105);
  t.true(manager.addHeaders(headers(106, 7)));
  manager.survey();
  t.is(manager.tip.summary.height, 112);
  manager.retrace();
  t.is(manager.best.height, 112);
  t.is(manager.tip.summary.height, 100);
  t.true(manager.addHeaders(headers(101, 4)));
  t.deepEqual(manager.assign([peer(1)], 0), [], "no mark is passed yet");
  t.true(manager.addHeaders(headers(105, 2)));
  const [first, ...none] = manager.assign([peer(1)], 0);
  t.deepEqual([first?.fromHeight, first?.count, none], [101, 5, []]);
  t.false(manager.wantsHeaders);
  serve(manager, first!);
  manager.nextToConnect();
  manager.connected();
  t.true(manager.wantsHeaders);
  t.true(manager.addHeaders(headers(107, 7)));
  t.false(manager.retracing);
  t.is(manager.best.height, 113);
  t.is(manager.assign([peer(1)], 0)[0]?.fromHeight, 106);
  manager.invariants();
});

test("headers that miss a mark of the survey are not taken for its chain", (t) => {
  const manager = session(5, { headersAheadMax: 5 });
  manager.survey();
  manager.addHeaders(headers(106, 2));
  manager.retrace();
  const forged = headers(101, 5);
  const last = { ...forged[4]!, summary: { ...forged[4]!.summary, hash: hashAt(999) } };
  t.false(manager.addHeaders([...forged.slice(0, 4), last]));
});

test("it is done when there are no more headers and all blocks are connected", (t) => {
  const manager = session(3);
  manager.exhausted = true;
  t.false(manager.done);
  serve(manager, manager.assign([peer(1)], 0)[0]!);
  t.is(manager.nextToConnect()?.count, 3);
  t.false(manager.done);
  manager.connected();
  t.true(manager.done);
  t.is(manager.base.summary.height, 103);
});

// ---- assignment ------------------------------------------------------------------------------

test("ranges are cut from the bottom, without a gap, each asked of one peer", (t) => {
  const manager = session(25, { rangesPerPeerMax: 9 });
  const requests = manager.assign([peer(1)], 0);
  t.deepEqual(
    requests.map(({ fromHeight, count, lastHash }) => [fromHeight, count, lastHash]),
    [
      [101, 10, hashAt(110)],
      [111, 10, hashAt(120)],
      [121, 5, hashAt(125)],
    ],
  );
  manager.invariants();
});

test("a peer is asked for no more ranges than its limit, the least loaded first", (t) => {
  const manager = session(100);
  const requests = manager.assign([peer(1), peer(2)], 0);
  const order = requests.map(({ peerId }) => Number.parseInt(peerId, 16));
  t.deepEqual(order, [1, 2, 1, 2]);
  t.deepEqual(manager.assign([peer(1), peer(2)], 0), []);
});

test("of peers with the same load the better score is asked first", (t) => {
  const manager = session(10);
  const peers = [peer(1, { score: 0.2 }), peer(2, { score: 0.9 }), peer(3, { score: 0.4 })];
  t.is(manager.assign(peers, 0)[0]?.peerId, peerIdOf(2));
});

test("a peer is not asked for blocks above the height that it claims", (t) => {
  const manager = session(15);
  const requests = manager.assign([peer(1, { claimedHeight: 110n })], 0);
  t.is(requests.length, 1);
  t.is(manager.assign([peer(2, { claimedHeight: 114n })], 0).length, 0);
  t.is(manager.assign([peer(2, { claimedHeight: 115n })], 0)[0]?.fromHeight, 111);
});

test("bytes in flight are bounded, by the mean size of the blocks seen", (t) => {
  const manager = session(1_000, { rangesPerPeerMax: 99 });
  const [first, ...rest] = manager.assign([peer(1)], 0);
  t.is(rest.length, 3);
  t.true(manager.bytesInFlight <= small.bytesInFlightMax);
  // Blocks are small after all: the next ranges hold more of them.
  for (const request of [first!, ...rest]) serve(manager, request);
  while (manager.nextToConnect() !== undefined) manager.connected();
  const [next] = manager.assign([peer(1)], 0);
  t.true(next!.count > 10);
});

test("a peer that failed on a range is not asked for it again until it is forgiven", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.failed(manager.rangeOf(request)!);
  t.deepEqual(manager.assign([peer(1)], 0), []);
  t.true(manager.starved);
  t.is(manager.assign([peer(1), peer(2)], 0)[0]?.peerId, peerIdOf(2));
  t.false(manager.starved);
  manager.failed(manager.rangeOf(2)!);
  manager.forgive();
  t.is(manager.assign([peer(1)], 0)[0]?.peerId, peerIdOf(1));
});

test("checked bodies behind a range that nobody serves keep no session alive", (t) => {
  const manager = session(30);
  const [front, middle, ...rest] = manager.assign([peer(1), peer(2)], 0);
  serve(manager, middle!);
  for (const { request } of rest) manager.failed(manager.rangeOf(request)!);
  t.true(manager.busy, "the front is under way");
  manager.failed(manager.rangeOf(front!.request)!);
  t.false(manager.busy);
  t.true(manager.starved);
  serve(manager, manager.assign([peer(3)], 0)[0]!);
  t.true(manager.busy, "now the first two can be connected");
});

test("the offerer that fails twice on one range withholds it; another peer that fails does not", (t) => {
  const manager = session(10);
  const undelivered = (number: number): boolean => {
    const [{ request }] = manager.assign([peer(number)], 0) as [RangeRequest];
    return manager.undelivered(manager.rangeOf(request)!);
  };
  t.false(undelivered(2));
  manager.forgive();
  t.false(undelivered(2));
  t.false(undelivered(1));
  manager.forgive();
  t.true(undelivered(1));
});

test("what was asked of a peer that left is asked of another", (t) => {
  const manager = session(20);
  manager.assign([peer(1)], 0);
  manager.peerGone(peerIdOf(1));
  const again = manager.assign([peer(2)], 0);
  t.deepEqual(
    again.map(({ fromHeight }) => fromHeight),
    [101, 111],
  );
  // It may come back with a clean slate.
  manager.peerGone(peerIdOf(2));
  t.is(manager.assign([peer(1), peer(2)], 0).length, 2);
});

test("an answer to a request that was given up is stale", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.failed(manager.rangeOf(request)!);
  t.is(manager.rangeOf(request), undefined);
  manager.assign([peer(2)], 0);
  t.is(manager.rangeOf(request), undefined);
});

test("a second answer to a request is stale", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(10));
  t.is(manager.rangeOf(request), undefined);
});

// ---- bodies ----------------------------------------------------------------------------------

test("a part of a range is taken, and the rest is asked for again", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(4));
  manager.invariants();
  const [rest] = manager.assign([peer(1)], 0);
  t.deepEqual([rest?.fromHeight, rest?.count], [105, 6]);
  t.is(rest?.lastHash, hashAt(110));
});

test("blocks go to the pool in tasks of about the target, lowest first, each with its parent", (t) => {
  const manager = session(20, { taskBytesTarget: 250 });
  const [low, high] = manager.assign([peer(1)], 0) as [RangeRequest, RangeRequest];
  manager.received(manager.rangeOf(high.request)!, bodies(10));
  manager.received(manager.rangeOf(low.request)!, bodies(10));
  const tasks: CheckTask[] = [];
  for (let task = manager.nextTask(); task; task = manager.nextTask()) tasks.push(task);
  t.deepEqual(
    tasks.map(({ fromHeight, blocks }) => [fromHeight, blocks.length]),
    [101, 104, 107, 110, 111, 114, 117, 120].map((height) => [height, height % 10 === 0 ? 1 : 3]),
  );
  t.is(new Uint32Array(tasks[1]!.parentHeader.slice().buffer)[0], 103);
  t.is(manager.tasksRunning, 8);
  t.is(manager.tasksWaiting, 0);
});

test("a block larger than the target is a task of its own", (t) => {
  const manager = session(3, { taskBytesTarget: 10 });
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(3, 1_000));
  t.is(manager.nextTask()?.blocks.length, 1);
  t.is(manager.tasksWaiting, 2);
});

test("tasks may end in any order; the range is handed out with its blocks in order", (t) => {
  const manager = session(10, { taskBytesTarget: 250 });
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(10));
  const tasks = Array.from({ length: 4 }, () => manager.nextTask()!);
  for (const task of tasks.reverse()) {
    t.is(manager.nextToConnect(), undefined);
    t.true(manager.matches(task, checkedOf(task)));
    manager.taskDone(task, checkedOf(task));
  }
  const range = manager.nextToConnect()!;
  t.deepEqual(
    range.checked.map(({ header }) => header.height),
    Array.from({ length: 10 }, (_, i) => 101 + i),
  );
  t.is(manager.serverOf(hashAt(105)), peerIdOf(1));
  t.is(manager.serverOf(hashAt(999)), undefined);
});

test("blocks other than those of the headers do not match", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(10));
  const task = manager.nextTask()!;
  t.false(manager.matches(task, [checkedAt(101), checkedAt(103)]));
  t.true(manager.matches(task, [checkedAt(101)]));
});

test("a lost task takes its whole range back, its other tasks too", (t) => {
  const manager = session(20, { taskBytesTarget: 250 });
  const [low, high] = manager.assign([peer(1)], 0) as [RangeRequest, RangeRequest];
  for (const { request } of [low, high]) manager.received(manager.rangeOf(request)!, bodies(10));
  const first = manager.nextTask()!;
  manager.taskDone(first, checkedOf(first));
  const second = manager.nextTask()!;
  const third = manager.nextTask()!;
  manager.taskLost(second);
  t.is(manager.task(third.task), undefined);
  t.is(manager.tasksRunning, 0);
  t.is(manager.tasksWaiting, 4, "those of the other range");
  const [again] = manager.assign([peer(2)], 0);
  t.deepEqual([again?.fromHeight, again?.count], [101, 10]);
});

test("ranges are handed out from the bottom, without waiting for the one before to be durable", (t) => {
  const manager = session(30, { rangesPerPeerMax: 9 });
  const requests = manager.assign([peer(1)], 0);
  serve(manager, requests[2]!);
  t.is(manager.nextToConnect(), undefined);
  serve(manager, requests[0]!);
  t.is(manager.nextToConnect()?.fromHeight, 101);
  t.true(manager.busy);
  t.is(manager.nextToConnect(), undefined);
  serve(manager, requests[1]!);
  t.is(manager.nextToConnect()?.fromHeight, 111);
  t.is(manager.nextToConnect()?.fromHeight, 121);
  t.is(manager.connected().fromHeight, 101);
  t.is(manager.connected().fromHeight, 111);
  t.throws(() => {
    manager.connected();
    manager.connected();
  });
});

test("a fault of the body alone is its server's; any other, or the offerer's own, is the chain's", (t) => {
  const manager = session(1);
  const byOther = (rule: "root" | "signature" | "encoding" | "size" | "nonce"): boolean =>
    manager.faultIsChains({ rule, detail: "" }, peerIdOf(2));
  t.deepEqual([byOther("root"), byOther("encoding"), byOther("size")], [false, false, false]);
  t.deepEqual([byOther("signature"), byOther("nonce")], [true, true]);
  t.true(manager.faultIsChains({ rule: "root", detail: "" }, HEADER_PEER));
});

// ---- the stall rule --------------------------------------------------------------------------

test("only the peer that everybody waits for is stalled, after a time that doubles", (t) => {
  const manager = session(30, { stallMinMs: 2_000, stallMaxMs: 8_000 });
  const peers = [peer(1), peer(2), peer(3)];
  let nowMs = 0;
  manager.assign([peer(1), peer(2)], nowMs);
  const expected = [2_000, 4_000, 8_000, 8_000];
  for (const stallMs of expected) {
    t.is(manager.stalled(peers, nowMs + stallMs - 1), undefined);
    const range = manager.stalled(peers, nowMs + stallMs)!;
    t.is(range.fromHeight, 101);
    manager.failed(range);
    manager.forgive();
    nowMs += stallMs;
    manager.assign([peer(3)], nowMs);
  }
});

test("each range that arrives makes the stall rule stricter again, down to its least", (t) => {
  const manager = session(60, { stallMinMs: 2_000, stallMaxMs: 8_000, rangesPerPeerMax: 9 });
  const requests = manager.assign([peer(1)], 0);
  t.truthy(manager.stalled([peer(2)], 2_000));
  serve(manager, requests[1]!);
  t.is(manager.stalled([peer(2)], 3_399), undefined);
  t.truthy(manager.stalled([peer(2)], 3_400));
});

test("a range that is being checked is not stalled", (t) => {
  const manager = session(10);
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  manager.received(manager.rangeOf(request)!, bodies(10));
  t.is(manager.stalled([peer(2)], 1e9), undefined);
});

test("nobody is stalled whose range no other peer may have", (t) => {
  const manager = session(10);
  manager.assign([peer(1)], 0);
  t.is(manager.stalled([peer(1)], 60_000), undefined);
  t.is(manager.stalled([peer(1), peer(2, { claimedHeight: 109n })], 60_000), undefined);
  t.truthy(manager.stalled([peer(1), peer(2, { claimedHeight: 110n })], 60_000));
});

test("it says in plain words what it waits for", (t) => {
  const manager = session(10);
  t.is(manager.waitingFor(0), "headers from 00000000");
  const [{ request }] = manager.assign([peer(1)], 0) as [RangeRequest];
  t.is(manager.waitingFor(1_500), "blocks 101 to 110 from 00000000 for 1.5 s");
  manager.failed(manager.rangeOf(request)!);
  t.is(manager.waitingFor(0), "a peer that serves blocks 101 to 110");
  const [again] = manager.assign([peer(2)], 0);
  manager.received(manager.rangeOf(again!.request)!, bodies(10));
  t.is(manager.waitingFor(0), "the checks of blocks 101 to 110");
  const task = manager.nextTask()!;
  manager.taskDone(task, checkedOf(task));
  t.is(manager.waitingFor(0), "the store to take blocks 101 to 110");
});

// ---- the model -------------------------------------------------------------------------------

test("whatever peers and pool do, every block is connected exactly once, in order, within bounds", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), (seed, total) => {
      const settings = {
        ...small,
        taskBytesTarget: 300,
        headersAheadMax: 120,
        rangesPerPeerMax: 2,
      };
      runModel(t, seed, total, settings);
    }),
    { numRuns: 60 },
  );
});

function runModel(
  t: { true(value: boolean, message?: string): void; is(a: unknown, b: unknown): void },
  seed: number,
  total: number,
  settings: Settings,
): void {
  const random = seededRandom(seed);
  const below = (max: number): number => Math.floor(random.float() * max);
  const manager = new SyncManager(1, HEADER_PEER, headers(100, 1)[0]!, settings);
  const wire: RangeRequest[] = [];
  const pool: CheckTask[] = [];
  const connecting: Range[] = [];
  const connected: number[] = [];
  let nowMs = 0;
  let trouble = 400;
  const peers = [1, 2, 3, 4].map((number) => peer(number, { score: random.float() }));

  const actions = [
    () => {
      const next = manager.tip.summary.height + 1;
      const left = 100 + total - next + 1;
      if (manager.wantsHeaders) manager.addHeaders(headers(next, Math.min(left, 1 + below(60))));
      if (manager.tip.summary.height === 100 + total) manager.exhausted = true;
    },
    () => wire.push(...manager.assign(peers, nowMs)),
    () => {
      // An answer, whole or in part, or a refusal, from anywhere in the queue.
      const [request] = wire.splice(below(wire.length), 1);
      const range = request && manager.rangeOf(request.request);
      if (range === undefined) return;
      if (trouble > 0 && below(4) === 0) {
        trouble--;
        manager.failed(range);
      } else {
        const count = below(3) === 0 ? 1 + below(range.count) : range.count;
        manager.received(range, bodies(count, 1 + below(400)));
      }
    },
    () => {
      const task = manager.tasksRunning < settings.tasksInPoolMax ? manager.nextTask() : undefined;
      if (task !== undefined) pool.push(task);
    },
    () => {
      // A verdict, in any order; those of tasks that were given up are not looked at.
      const [done] = pool.splice(below(pool.length), 1);
      const task = done && manager.task(done.task);
      if (task === undefined) return;
      if (trouble > 0 && below(5) === 0) {
        trouble--;
        manager.taskLost(task);
      } else {
        manager.taskDone(task, checkedOf(task));
      }
    },
    () => {
      const range = manager.nextToConnect();
      if (range !== undefined) connecting.push(range);
    },
    () => {
      if (connecting.length === 0) return;
      t.is(manager.connected(), connecting.shift());
    },
    () => {
      if (trouble-- > 0) manager.peerGone(peers[below(peers.length)]!.peerId);
      if (below(3) === 0) manager.forgive();
    },
    () => {
      nowMs += below(3_000);
      const range = manager.stalled(peers, nowMs);
      if (range !== undefined) manager.failed(range);
    },
  ];

  let steps = 0;
  const seen = new Set<Range>();
  while (!manager.done) {
    t.true(++steps < 100_000, "it comes to its end");
    actions[below(actions.length)]!();
    if (trouble <= 0) manager.forgive();
    for (const range of connecting) {
      if (seen.has(range)) continue;
      seen.add(range);
      connected.push(...range.checked.map(({ header }) => header.height));
    }
    manager.invariants();
    t.true(manager.tasksRunning <= settings.tasksInPoolMax);
    // The plan of memory counts them twice: a range that failed is an estimate again.
    t.true(manager.bytesInFlight <= 2 * settings.bytesInFlightMax);
    for (const { peerId } of peers) {
      const open = wire.filter(
        (request) => request.peerId === peerId && manager.rangeOf(request.request) !== undefined,
      );
      t.true(open.length <= settings.rangesPerPeerMax);
    }
  }
  t.is(connected.join(), Array.from({ length: total }, (_, i) => 101 + i).join());
}

// ---- the locator -----------------------------------------------------------------------------

test("a locator is dense at the head, then sparser, and ends with genesis", (t) => {
  const heights = locatorOf(1_000, hashAt, limits).map((hash) => Number.parseInt(hash, 16));
  t.deepEqual(heights.slice(0, 9), [1_000, 999, 998, 997, 996, 995, 994, 993, 991]);
  t.is(heights.at(-1), 0);
  for (let i = 9; i < heights.length - 1; i++) {
    t.true(heights[i - 1]! - heights[i]! >= heights[i - 2]! - heights[i - 1]!);
  }
});

test("a locator names the block at the depth to which forks are followed", (t) => {
  for (const depthMax of [3, 100, 700, 999]) {
    const locator = locatorOf(1_000, hashAt, { ...limits, depthMax });
    t.true(locator.includes(hashAt(1_000 - depthMax)));
    t.deepEqual(locator, locator.toSorted().toReversed());
    t.is(new Set(locator).size, locator.length);
  }
});

test("a locator is bounded for any height, and short for a short chain", (t) => {
  t.deepEqual(locatorOf(0, hashAt, limits), [hashAt(0)]);
  t.deepEqual(locatorOf(2, hashAt, limits), [2, 1, 0].map(hashAt));
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 }), fc.integer({ min: 2, max: 32 }), (height, hashesMax) => {
      const locator = locatorOf(height, hashAt, { ...limits, hashesMax });
      return locator.length <= hashesMax && locator.at(-1) === hashAt(0);
    }),
  );
});
