import test from "ava";
import fc from "fast-check";
import {
  DeficitRoundRobin,
  URGENT,
  type WeightedQueue,
} from "../../../src/actors/service/deficit-round-robin.js";

interface Item {
  readonly of: string;
  readonly cost: number;
  readonly number: number;
}

const WEIGHTS = { control: URGENT, block: 4, sync: 2, transaction: 1 } as const;
type Name = keyof typeof WEIGHTS;

function queues() {
  const robin = new DeficitRoundRobin<Item>(({ cost }) => cost);
  const named = {} as Record<Name, WeightedQueue<Item>>;
  // Made in another order than they are served in.
  for (const name of ["transaction", "control", "block", "sync"] as const) {
    named[name] = robin.queue(name, WEIGHTS[name]);
  }
  let number = 0;
  return {
    robin,
    put: (of: Name, cost: number, count = 1): void => {
      for (let i = 0; i < count; i++) robin.push(named[of], { of, cost, number: number++ });
    },
    /** Takes so many, then refuses. */
    take: (countMax: number): Item[] => {
      const taken: Item[] = [];
      robin.serve((item) => taken.length < countMax && taken.push(item) > 0);
      robin.invariants();
      return taken;
    },
  };
}

const costOf = (items: readonly Item[], of: Name): number =>
  items.reduce((sum, item) => sum + (item.of === of ? item.cost : 0), 0);

test("who has room for all gets the most urgent first, and each queue in its order", (t) => {
  const { put, take, robin } = queues();
  for (const of of ["transaction", "sync", "block", "control"] as const) put(of, 800, 2);
  t.deepEqual(
    take(100).map(({ of }) => of),
    ["control", "control", "block", "block", "sync", "sync", "transaction", "transaction"],
  );
  t.is(robin.count, 0);
});

test("while all have work each gets what its weight says, however few are taken at a time", (t) => {
  for (const perTake of [1, 7, 128]) {
    const { put, take } = queues();
    put("block", 3_000, 2_000);
    put("sync", 1_100, 4_000);
    put("transaction", 812, 4_000);
    const taken: Item[] = [];
    while (taken.length < 2_400) taken.push(...take(perTake));
    const transactions = costOf(taken, "transaction");
    for (const [of, weight] of [
      ["block", 4],
      ["sync", 2],
    ] as const) {
      const share = costOf(taken, of) / transactions;
      t.true(Math.abs(share - weight) < 0.15 * weight, `${of}: ${share} at ${perTake} a time`);
    }
  }
});

test("a flood in one queue does not hold up what comes for another", (t) => {
  const { put, take } = queues();
  put("transaction", 812, 10_000);
  take(50);
  put("block", 4 * 1024 * 1024);
  put("control", 600);
  t.is(take(1)[0]?.of, "control");
  const before = take(20_000).findIndex(({ of }) => of === "block");
  // A block of 4 MiB has to save for 64 turns, in each of which a transaction queue has 16 KiB.
  t.true(before <= 65 * 21, `${before} transactions went first`);
});

test("nobody starves, nothing is lost or doubled, and each queue keeps its order", (t) => {
  const step = fc.oneof(
    fc.record({
      of: fc.constantFrom<Name>("control", "block", "sync", "transaction"),
      cost: fc.integer({ min: 1, max: 300_000 }),
    }),
    fc.record({ take: fc.integer({ min: 0, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const { put, take, robin } = queues();
      const taken: Item[] = [];
      let made = 0;
      for (const one of steps) {
        if ("take" in one) taken.push(...take(one.take));
        else {
          put(one.of, one.cost);
          made++;
        }
      }
      taken.push(...take(Infinity));
      const inOrder = (Object.keys(WEIGHTS) as Name[]).every((name) => {
        const numbers = taken.filter(({ of }) => of === name).map(({ number }) => number);
        return numbers.every((number, at) => at === 0 || number > numbers[at - 1]!);
      });
      return inOrder && taken.length === made && robin.count === 0;
    }),
  );
  t.pass();
});

test("what waits can be taken out at once", (t) => {
  const { put, robin } = queues();
  put("block", 1, 3);
  put("control", 1);
  t.is(robin.clear().length, 4);
  t.is(robin.count, 0);
  robin.invariants();
});
