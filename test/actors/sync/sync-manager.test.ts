import test from "ava";
import fc from "fast-check";
import type { RangeRequest } from "../../../src/actors/sync/body-ranges.js";
import type { CheckTask } from "../../../src/actors/sync/check-queue.js";
import type { CheckedBlock } from "../../../src/types/chain.js";
import { seededRandom } from "../../../src/runtime/random.js";
import { peerIdOf } from "../support.js";
import { bodies, checkedAt, headers, peer, session, small, type Settings } from "./plan-bench.js";

type Rig = ReturnType<typeof session>;

const checkedOf = ({ fromHeight, blocks }: CheckTask): CheckedBlock[] =>
  blocks.map((_, i) => checkedAt(fromHeight + i));

/** Answers a request in full. */
function answer({ asks, manager }: Rig, { request, peerId, count }: RangeRequest): void {
  asks.settle(request);
  manager.received(request, peerId, bodies(count));
}

/** Lets the pool accept all that waits for it. */
function checkAll({ manager }: Rig): void {
  for (let task = manager.checks.next(); task !== undefined; task = manager.checks.next()) {
    manager.taskDone(task, checkedOf(task));
  }
}

test("it is done when there are no more headers and all blocks are connected", (t) => {
  const rig = session(3);
  const { manager, chain } = rig;
  chain.exhausted = true;
  t.false(manager.done);
  answer(rig, manager.bodies.assign([peer(1)], 0)[0]!);
  checkAll(rig);
  t.is(manager.bodies.nextToConnect()?.length, 3);
  t.false(manager.done);
  manager.connected();
  t.true(manager.done);
  t.is(chain.base.summary.height, 103);
});

test("tasks may end in any order; the range is handed out with its blocks in order", (t) => {
  const rig = session(10, { taskBytesTarget: 250 });
  const { manager } = rig;
  answer(rig, manager.bodies.assign([peer(1)], 0)[0]!);
  const tasks = Array.from({ length: 4 }, () => manager.checks.next()!);
  for (const task of tasks.reverse()) {
    t.is(manager.bodies.nextToConnect(), undefined);
    t.true(manager.matches(task, checkedOf(task)));
    manager.taskDone(task, checkedOf(task));
  }
  t.deepEqual(
    manager.bodies.nextToConnect()!.map(({ header }) => header.height),
    Array.from({ length: 10 }, (_, i) => 101 + i),
  );
});

test("blocks other than those of the headers do not match", (t) => {
  const rig = session(10);
  answer(rig, rig.manager.bodies.assign([peer(1)], 0)[0]!);
  const task = rig.manager.checks.next()!;
  t.false(rig.manager.matches(task, [checkedAt(101), checkedAt(103)]));
  t.true(rig.manager.matches(task, [checkedAt(101)]));
});

test("a spoiled range is asked for again as a whole, of somebody else", (t) => {
  const rig = session(20, { taskBytesTarget: 250 });
  const { manager } = rig;
  for (const request of manager.bodies.assign([peer(1)], 0)) answer(rig, request);
  const first = manager.checks.next()!;
  manager.taskDone(first, checkedOf(first));
  const second = manager.checks.next()!;
  const third = manager.checks.next()!;
  manager.spoiled(second, 0);
  t.is(manager.checks.get(third.task), undefined);
  t.is(manager.checks.running, 0);
  t.is(manager.checks.waiting, 4, "those of the other range");
  manager.invariants();
  const [again] = manager.bodies.assign([peer(1), peer(2)], 0);
  t.deepEqual([again?.fromHeight, again?.count, again?.peerId], [101, 10, peerIdOf(2)]);
});

test("it says in plain words what it waits for", (t) => {
  const rig = session(10);
  const { manager, asks } = rig;
  t.is(manager.waitingFor(0), "headers from 00000000");
  const [first] = manager.bodies.assign([peer(1)], 0);
  t.is(manager.waitingFor(1_500), "blocks 101 to 110 from 00000000 for 1.5 s");
  manager.bodies.hedge([peer(1), peer(2)], 2_000);
  t.is(manager.waitingFor(2_500), "blocks 101 to 110 from 00000000 and 00000000 for 2.5 s");
  manager.bodies.peerGone(peerIdOf(2));
  asks.settle(first!.request);
  manager.bodies.failed(first!.request, peerIdOf(1), 2_500);
  t.is(manager.waitingFor(0), "a peer that serves blocks 101 to 110");
  answer(rig, manager.bodies.assign([peer(2)], 0)[0]!);
  t.is(manager.waitingFor(0), "the checks of blocks 101 to 110");
  checkAll(rig);
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
  const { asks, chain, manager } = session(0, settings);
  const { bodies: ranges, checks } = manager;
  const wire: RangeRequest[] = [];
  const pool: CheckTask[] = [];
  const connecting: number[][] = [];
  const connected: number[] = [];
  let nowMs = 0;
  let trouble = 400;
  const peers = [1, 2, 3, 4].map((number) => peer(number, { score: random.float() }));

  const actions = [
    () => {
      const next = chain.tip.summary.height + 1;
      const left = 100 + total - next + 1;
      const count = Math.min(left, chain.wanted, 1 + below(60));
      if (count > 0) chain.add(headers(next, count));
      if (chain.tip.summary.height === 100 + total) chain.exhausted = true;
    },
    () => wire.push(...ranges.assign(peers, nowMs)),
    () => {
      // An answer, whole or in part, or a refusal, from anywhere in the queue.
      const [asked] = wire.splice(below(wire.length), 1);
      if (asked === undefined || !asks.settle(asked.request)) return;
      const { request, peerId } = asked;
      const range = ranges.rangeOf(request);
      if (trouble > 0 && below(4) === 0) {
        trouble--;
        ranges.failed(request, peerId, nowMs);
      } else if (range !== undefined) {
        const count = below(3) === 0 ? 1 + below(range.count) : range.count;
        manager.received(request, peerId, bodies(count, 1 + below(400)));
      }
    },
    () => {
      const task = checks.running < settings.tasksInPoolMax ? checks.next() : undefined;
      if (task !== undefined) pool.push(task);
    },
    () => {
      // A verdict, in any order; those of tasks that were given up are not looked at.
      const [done] = pool.splice(below(pool.length), 1);
      const task = done && checks.get(done.task);
      if (task === undefined) return;
      if (trouble > 0 && below(5) === 0) {
        trouble--;
        if (below(2) === 0) manager.spoiled(task, nowMs);
        else checks.again(task);
      } else {
        manager.taskDone(task, checkedOf(task));
      }
    },
    () => {
      const blocks = ranges.nextToConnect();
      if (blocks === undefined) return;
      connecting.push(blocks.map(({ header }) => header.height));
    },
    () => {
      if (connecting.length === 0) return;
      const heights = connecting.shift()!;
      t.is(manager.connected().fromHeight, heights[0]);
      connected.push(...heights);
    },
    () => {
      if (trouble-- > 0) ranges.peerGone(peers[below(peers.length)]!.peerId);
    },
    () => {
      nowMs += below(3_000);
      const request = ranges.hedge(peers, nowMs);
      if (request !== undefined) wire.push(request);
    },
  ];

  let steps = 0;
  while (!manager.done) {
    t.true(++steps < 100_000, "it comes to its end");
    actions[below(actions.length)]!();
    manager.invariants();
    asks.invariants();
    t.true(checks.running <= settings.tasksInPoolMax);
    t.true(ranges.bytesInFlight <= settings.bytesInFlightMax);
    for (const { peerId } of peers) t.true(asks.countOf(peerId) <= settings.rangesPerPeerMax);
  }
  t.is(connected.join(), Array.from({ length: total }, (_, i) => 101 + i).join());
}
