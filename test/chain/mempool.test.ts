import test from "ava";
import fc from "fast-check";
import type { MempoolLimits } from "../../src/chain/mempool.js";
import type { MempoolTransaction } from "../../src/ports.js";
import { confirmedNonces, fresh, keys, made, pool, roomy, type Made } from "../support/mempool.js";

test("what was added is found, once", (t) => {
  const mempool = pool();
  const one = made(0, 1, 5);
  t.deepEqual(mempool.add(one, fresh), { ok: true });
  t.deepEqual(mempool.add(one, fresh), { ok: false, reason: "known" });
  t.true(mempool.has(one.id));
  t.deepEqual(mempool.get(one.id), one.bytes);
  t.is(mempool.get("ab".repeat(32)), undefined);
  t.is(mempool.count, 1);
  t.is(mempool.bytes, one.bytes.length);
});

test("each refusal has its reason", (t) => {
  const mempool = pool({ minGasPrice: 3, perSenderMax: 2 });
  const reason = (transaction: MempoolTransaction, view = fresh) => {
    const answer = mempool.add(transaction, view);
    return answer.ok ? "ok" : answer.reason;
  };
  t.is(reason({ id: "ab".repeat(32), bytes: new Uint8Array(9) }), "invalid");
  t.is(reason(made(0, 1, 2)), "underpriced");
  t.is(reason(made(0, 1, 3), confirmedNonces([1])), "nonce");
  t.is(reason(made(0, 2, 3), confirmedNonces([1])), "ok");
  t.is(reason(made(0, 2, 3, 1)), "conflict");
  t.is(reason(made(0, 3, 3)), "ok");
  t.is(reason(made(0, 4, 900)), "full");
  t.is(reason(made(0, 3, 4)), "ok");
  mempool.invariants();
});

test("a replacement has to pay the bump, and at least one unit more", (t) => {
  const mempool = pool();
  mempool.add(made(0, 1, 100), fresh);
  t.like(mempool.add(made(0, 1, 109), fresh), { reason: "conflict" });
  t.true(mempool.add(made(0, 1, 110), fresh).ok);
  t.is(mempool.count, 1);
  t.false(mempool.has(made(0, 1, 100).id));
  const free = pool({ replaceBumpPercent: 0 });
  free.add(made(0, 1, 0), fresh);
  t.like(free.add(made(0, 1, 0, 1), fresh), { reason: "conflict" });
  t.true(free.add(made(0, 1, 1), fresh).ok);
});

test("a full pool gives up its cheapest, the latest first, for a better price only", (t) => {
  const mempool = pool({ countMax: 3 });
  for (const transaction of [made(0, 1, 5), made(1, 1, 3), made(2, 1, 3)]) {
    t.true(mempool.add(transaction, fresh).ok);
  }
  t.like(mempool.add(made(3, 1, 3), fresh), { reason: "full" });
  t.true(mempool.add(made(3, 1, 4), fresh).ok);
  t.deepEqual(
    [made(0, 1, 5), made(1, 1, 3), made(2, 1, 3)].map(({ id }) => mempool.has(id)),
    [true, true, false],
  );
  t.true(mempool.add(made(3, 1, 6), fresh).ok, "a replacement evicts nobody else");
  t.is(mempool.count, 3);
  t.true(mempool.has(made(1, 1, 3).id));
  mempool.invariants();
});

test("many small ones make room for a large one, or all of them stay", (t) => {
  const small = [1, 2, 3, 4, 5, 6].map((nonce) => made(nonce % 3, nonce, nonce));
  const bytesMax = small.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const mempool = pool({ bytesMax });
  for (const transaction of small) t.true(mempool.add(transaction, fresh).ok);
  t.like(mempool.add(made(4, 1, 2, 400), fresh), { reason: "full" });
  t.is(mempool.count, 6);
  mempool.invariants();
  t.true(mempool.add(made(4, 1, 5, 400), fresh).ok);
  t.deepEqual(
    small.map(({ id }) => mempool.has(id)),
    [false, false, true, false, false, true],
    "a sender's dear one is worth what its cheap one before it pays",
  );
  t.like(pool({ bytesMax: 100 }).add(small[0]!, fresh), { reason: "full" });
});

test("a larger replacement of the cheapest makes room at the expense of the next", (t) => {
  const [old, next, best] = [made(0, 1, 1), made(1, 1, 2), made(2, 1, 9)];
  const mempool = pool({ bytesMax: old.bytes.length + next.bytes.length + best.bytes.length });
  for (const transaction of [old, next, best]) mempool.add(transaction, fresh);
  t.true(mempool.add(made(0, 1, 5, 100), fresh).ok);
  mempool.invariants();
  t.deepEqual(
    [old, next, best].map(({ id }) => mempool.has(id)),
    [false, false, true],
  );
});

test("selection goes by price, keeps each sender's nonces in order and fits", (t) => {
  const mempool = pool();
  const list = [made(0, 1, 1), made(0, 2, 90), made(1, 5, 50), made(1, 7, 2), made(2, 1, 50)];
  for (const transaction of list) mempool.add(transaction, fresh);
  const names = (bytesMax: number, view = fresh) =>
    mempool.select(bytesMax, view).map(({ id }) => list.findIndex((made) => made.id === id));
  t.deepEqual(names(100_000), [2, 4, 3, 0, 1]);
  const two = list[2]!.bytes.length + list[4]!.bytes.length + 10;
  t.deepEqual(names(two), [2, 4]);
  t.deepEqual(names(two - 2), [2]);
  t.deepEqual(names(0), []);
  t.is(mempool.count, 5);
  t.deepEqual(names(100_000, confirmedNonces([1, 7])), [4, 1]);
  t.is(mempool.count, 2, "what the state has passed is dropped when it is met");
});

test("a sender whose next one does not fit is left out, others go on", (t) => {
  const mempool = pool();
  for (const made_ of [made(0, 1, 9, 3000), made(0, 2, 9), made(1, 1, 1)]) {
    mempool.add(made_, fresh);
  }
  t.deepEqual(
    mempool.select(1000, fresh).map(({ id }) => id),
    [made(1, 1, 1).id],
  );
});

test("a confirmed block drops its transactions and those it made stale", (t) => {
  const mempool = pool();
  const list = [made(0, 1, 1), made(0, 2, 1), made(0, 3, 1), made(1, 1, 1), made(2, 1, 1)];
  for (const transaction of list) mempool.add(transaction, fresh);
  // Sender 0 had nonce 2 confirmed by our transaction, sender 1 nonce 4 by one we never saw.
  mempool.confirmed([list[1]!.id, "ab".repeat(32)], confirmedNonces([2, 4]));
  t.deepEqual(
    list.map(({ id }) => mempool.has(id)),
    [false, false, true, false, true],
  );
  mempool.confirmed([list[4]!.id], fresh);
  t.false(mempool.has(list[4]!.id), "confirmed is dropped whatever the state says");
  mempool.invariants();
});

test("a restored transaction takes the place of its sender's higher nonces, and of no other's", (t) => {
  const mempool = pool({ perSenderMax: 3, countMax: 4 });
  for (const nonce of [5, 6, 7]) mempool.add(made(0, nonce, 9), fresh);
  mempool.add(made(1, 1, 9), fresh);
  t.like(mempool.add(made(0, 4, 9), fresh), { reason: "full" });
  for (const nonce of [3, 4]) t.true(mempool.restore(made(0, nonce, 9), fresh).ok);
  t.like(mempool.restore(made(0, 8, 90), fresh), { reason: "full" });
  t.like(mempool.restore(made(2, 1, 9), fresh), { reason: "full" });
  t.deepEqual(
    mempool.select(100_000, fresh).map(({ id }) => id),
    [made(1, 1, 9), made(0, 3, 9), made(0, 4, 9), made(0, 5, 9)].map(({ id }) => id),
  );
  mempool.invariants();
});

test("a restored transaction that is dearer does not drive out its sender's lower nonces", (t) => {
  const mempool = pool({ countMax: 2 });
  for (const nonce of [1, 2]) t.true(mempool.restore(made(0, nonce, 1), fresh).ok);
  t.like(mempool.restore(made(0, 3, 50), fresh), { reason: "full" });
  t.true(mempool.has(made(0, 1, 1).id));
  t.true(mempool.restore(made(1, 3, 50), fresh).ok, "another sender's price counts");
  mempool.invariants();
});

test("nonces that overtook lower ones wait for them a while, and are jumped then", (t) => {
  const mempool = pool({ gapWaitMs: 100 });
  const nonces = (nowMs: number, view = fresh) =>
    mempool.select(100_000, view, nowMs).map(({ id }) => all.find((made) => made.id === id)!.nonce);
  const all = Array.from({ length: 10 }, (_, nonce) => made(0, nonce, 7));
  for (const one of all.slice(5)) t.true(mempool.add(one, fresh, 0).ok);
  t.deepEqual(nonces(99), []);
  t.deepEqual(nonces(99, confirmedNonces([4])), [5, 6, 7, 8, 9], "for the chain there is no gap");
  for (const one of all.slice(0, 3)) t.true(mempool.add(one, fresh, 50).ok);
  t.deepEqual(nonces(60), [0, 1, 2]);
  t.deepEqual(nonces(100), [0, 1, 2, 5, 6, 7, 8, 9], "those between do not come");
  for (const one of all.slice(3, 5)) t.true(mempool.add(one, fresh, 100).ok);
  t.deepEqual(nonces(101), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("the nonce that is due has room, though later ones came first and filled it", (t) => {
  const mempool = pool({ perSenderMax: 4, gapWaitMs: 100 });
  for (const nonce of [4, 5, 6, 7]) t.true(mempool.add(made(0, nonce, 7), fresh, 0).ok);
  t.like(mempool.add(made(0, 1, 7), fresh, 0), { reason: "full" }, "it is not due yet");
  for (const nonce of [0, 1, 2, 3]) t.true(mempool.add(made(0, nonce, 7), fresh, 0).ok);
  t.is(mempool.select(100_000, fresh, 0).length, 4);
  t.like(mempool.add(made(0, 4, 7), fresh, 0), { reason: "full" }, "and drives out none that is");
  t.is(mempool.takeDropped().length, 4);
  mempool.invariants();
});

test("a transaction is kept in memory of its own", (t) => {
  const one = made(0, 1, 1);
  const message = new Uint8Array(10_000);
  message.set(one.bytes, 500);
  const mempool = pool();
  mempool.add({ id: one.id, bytes: message.subarray(500, 500 + one.bytes.length) }, fresh);
  t.is(mempool.get(one.id)!.buffer.byteLength, one.bytes.length);
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      add: fc.tuple(fc.nat(4), fc.nat(6), fc.nat(12), fc.constantFrom(0, 0, 300)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ confirm: fc.tuple(fc.nat(4), fc.nat(3)) }) },
);

interface Waiting extends Made {
  readonly replacements: number;
}

/** The same pool said plainly: lists and sorting. */
class Model {
  entries: Waiting[] = [];
  readonly #limits: MempoolLimits;

  constructor(limits: MempoolLimits) {
    this.#limits = limits;
  }

  add(tx: Made, last: readonly number[]): string {
    if (this.entries.some(({ id }) => id === tx.id)) return "known";
    if (tx.nonce <= last[tx.sender]!) return "nonce";
    const old = this.entries.find(
      ({ sender, nonce }) => sender === tx.sender && nonce === tx.nonce,
    );
    if (old !== undefined && !this.#outbids(tx, old)) return "conflict";
    const rest = this.entries.filter((entry) => entry !== old);
    while (!this.#fits(tx, rest)) {
      const victim = this.#victim(tx, rest, last[tx.sender]!);
      if (victim === undefined) return "full";
      rest.splice(rest.indexOf(victim), 1);
    }
    const replacements = old === undefined ? 0 : old.replacements + 1;
    this.entries = [...rest, { ...tx, replacements }];
    return "ok";
  }

  #outbids(tx: Made, old: Waiting): boolean {
    const bump = this.#limits.replaceBumpPercent * 2 ** old.replacements;
    const due = old.price * old.bytes.length + tx.bytes.length;
    const isDearer = tx.price > old.price && tx.price * 100 >= old.price * (100 + bump);
    return isDearer && tx.price * tx.bytes.length >= due;
  }

  #fits(tx: Made, rest: readonly Waiting[]): boolean {
    const { countMax, bytesMax, perSenderMax } = this.#limits;
    if (rest.filter(({ sender }) => sender === tx.sender).length >= perSenderMax) return false;
    return rest.length < countMax && bytesOf(rest) + tx.bytes.length <= bytesMax;
  }

  #victim(tx: Made, rest: readonly Waiting[], last: number): Waiting | undefined {
    const own = rest.filter(({ sender }) => sender === tx.sender);
    const lower = own.filter(({ nonce }) => nonce < tx.nonce);
    const worth = Math.min(tx.price, ...lower.map(({ price }) => price));
    const tails = keys.flatMap((_, sender) => {
      const all = rest.filter((entry) => entry.sender === sender);
      if (all.length === 0) return [];
      const tail = all.reduce((left, right) => (left.nonce > right.nonce ? left : right));
      const crowds = this.#crowds(all);
      return [{ tail, worth: Math.min(...all.map(({ price }) => price)), crowds }];
    });
    tails.sort((a, b) => a.worth - b.worth || rest.indexOf(b.tail) - rest.indexOf(a.tail));
    if (own.length < this.#limits.perSenderMax) {
      const crowds = this.#crowds([...own, tx]);
      const crowding = tails.find((one) => one.crowds);
      if (crowding !== undefined && (!crowds || crowding.worth < worth)) return crowding.tail;
      if (!crowds && tails[0]!.worth < worth) return tails[0]!.tail;
    }
    const highest = tails.find(({ tail }) => tail.sender === tx.sender)?.tail;
    let next = last + 1;
    while (own.some(({ nonce }) => nonce === next)) next++;
    return highest !== undefined && highest.nonce > tx.nonce && tx.nonce === next
      ? highest
      : undefined;
  }

  #crowds(all: readonly MempoolTransaction[]): boolean {
    const { sendersMin = 1, countMax, bytesMax } = this.#limits;
    if (sendersMin === 1 || all.length < 2) return false;
    return all.length * sendersMin > countMax || bytesOf(all) * sendersMin > bytesMax;
  }
}

function bytesOf(all: readonly MempoolTransaction[]): number {
  return all.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

for (const sendersMin of [1, 3]) {
  test(`the pool behaves as its plain model does, with room for ${sendersMin} senders`, (t) => {
    const limits = { ...roomy, countMax: 8, bytesMax: 2_000, perSenderMax: 3, sendersMin };
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const mempool = pool(limits);
      const model = new Model(limits);
      const last = keys.map(() => -1);
      for (const action of steps) {
        if ("add" in action) {
          const tx = made(...action.add);
          const answer = mempool.add(tx, confirmedNonces(last));
          t.is(answer.ok ? "ok" : answer.reason, model.add(tx, last));
        } else {
          const [sender, up] = action.confirm;
          last[sender]! += up;
          mempool.confirmed([], confirmedNonces(last));
          model.entries = model.entries.filter((tx) => tx.nonce > last[tx.sender]!);
        }
        mempool.invariants();
        t.deepEqual([...mempool.ids()].sort(), model.entries.map(({ id }) => id).sort());
      }
      const selected = mempool.select(1_000_000, confirmedNonces(last));
      t.is(selected.length, model.entries.length);
      const reached = [...last];
      for (const { id } of selected) {
        const { sender, nonce } = model.entries.find((entry) => entry.id === id)!;
        t.true(nonce > reached[sender]!);
        reached[sender] = nonce;
      }
    });
    t.notThrows(() => fc.assert(property, { numRuns: 200 }));
  });
}

test("a walk from the best on goes by price and nonce, and bears changes on its way", (t) => {
  const mempool = pool();
  const [cheap, low, high, dear, other] = [
    made(0, 1, 2),
    made(1, 1, 3),
    made(1, 2, 90),
    made(2, 5, 7),
    made(3, 1, 1),
  ] as const;
  for (const transaction of [cheap, low, high, dear, other]) mempool.add(transaction, fresh);
  t.deepEqual(
    [...mempool.best()],
    [dear, low, high, cheap, other].map(({ id }) => id),
  );
  const walk = mempool.best();
  t.is(walk.next().value, dear.id);
  mempool.remove([high.id, cheap.id, "00".repeat(32)]);
  mempool.add(made(1, 7, 5), fresh);
  t.deepEqual([...walk], [low.id, made(1, 7, 5).id, other.id]);
  mempool.invariants();
});

test("what left unconfirmed is told once, with its reason; what was removed is not", (t) => {
  const mempool = pool({ countMax: 3 });
  const [first, second, third] = [made(0, 1, 5), made(1, 1, 6), made(2, 1, 7)] as const;
  for (const transaction of [first, second, third]) mempool.add(transaction, fresh);
  t.deepEqual(mempool.takeDropped(), []);
  mempool.add(made(1, 1, 60), fresh);
  mempool.add(made(3, 1, 8), fresh);
  t.deepEqual(mempool.takeDropped(), [
    { id: second.id, reason: "replaced" },
    { id: first.id, reason: "evicted" },
  ]);
  mempool.remove([third.id]);
  t.deepEqual(mempool.takeDropped(), []);
  mempool.confirmed([made(3, 1, 8).id], confirmedNonces([-1, 1, -1, 1]));
  t.deepEqual(mempool.takeDropped(), [{ id: made(1, 1, 60).id, reason: "nonce" }]);
});
