import test from "ava";
import fc from "fast-check";
import { MemoryLedger, memoryInWords } from "../../src/actors/memory-ledger.js";
import { memoryHolders, memoryPlan } from "../../src/config/memory-plan.js";
import { DEFAULTS, resolveConfig } from "../../src/config.js";

const holderOf = (ledger: MemoryLedger, name: string) =>
  ledger.report().holders.find((holder) => holder.name === name)!;

test("the parts of all holders fit into the budget, and each is named with its limit", (t) => {
  const { budgetBytes, heldBytes, holders } = new MemoryLedger(DEFAULTS).report();
  t.is(budgetBytes, DEFAULTS.memoryBudgetBytes);
  t.is(heldBytes, 0);
  t.deepEqual(
    holders.map(({ name, limitBytes }) => [name, limitBytes]),
    Object.entries(memoryPlan(DEFAULTS)),
  );
  t.true(holders.reduce((sum, { limitBytes }) => sum + limitBytes, 0) <= budgetBytes);
});

test("the log is told of each part what it leases and its worst case, and both of all", (t) => {
  const ledger = new MemoryLedger(DEFAULTS);
  ledger.lease("mempool").resize(3 * 1_024 ** 2);
  const report = ledger.report();
  const { budgetMiB, worstCaseMiB, leasedMiB, leasedOfWorstCaseMiB } = memoryInWords(report);
  t.is(budgetMiB, DEFAULTS.memoryBudgetBytes / 1_024 ** 2);
  t.true(Number(worstCaseMiB) <= Number(budgetMiB));
  t.is(leasedMiB, 3);
  t.is(String(leasedOfWorstCaseMiB).split(", ").length, memoryHolders.length);
  const mempoolMiB = DEFAULTS.mempool.bytesMax / 1_024 ** 2;
  t.true(String(leasedOfWorstCaseMiB).includes(`mempool 3 of ${mempoolMiB}`));
});

test("a lease shrinks to what came and ends; what its holder had at most stays known", (t) => {
  const ledger = new MemoryLedger(DEFAULTS);
  const asked = ledger.lease("fetches");
  const other = ledger.lease("fetches");
  asked.resize(1_000);
  other.resize(500);
  asked.resize(300);
  const { limitBytes } = holderOf(ledger, "fetches");
  t.deepEqual(holderOf(ledger, "fetches"), {
    name: "fetches",
    heldBytes: 800,
    limitBytes,
    peakBytes: 1_500,
  });
  asked.release();
  asked.release();
  t.is(ledger.leasedBytes("fetches"), 500);
  t.throws(() => ledger.nothingLeased(), { message: /500 bytes of fetches are leased/ });
  other.release();
  t.notThrows(() => ledger.nothingLeased());
});

test("what does not fit into a holder's part is refused whole, whoever has the rest", (t) => {
  const config = resolveConfig({ lanes: { windowGrowthBytesMax: 1_000 } });
  const ledger = new MemoryLedger(config);
  const first = ledger.lease("windowGrowth");
  const second = ledger.lease("windowGrowth");
  t.true(first.take(600));
  t.false(second.take(401));
  t.true(second.take(400));
  t.is(second.bytes, 400);
  first.give(100);
  t.true(second.take(100));
  t.throws(() => first.give(501), { message: /more given back than was taken/ });
});

test("a holder with more than its part, or less than nothing, breaks an invariant", (t) => {
  const ledger = new MemoryLedger(DEFAULTS);
  const lease = ledger.lease("pendingInbound");
  const { limitBytes } = holderOf(ledger, "pendingInbound");
  lease.resize(limitBytes);
  t.notThrows(() => ledger.invariants());
  lease.resize(limitBytes + 1);
  t.throws(() => ledger.invariants(), { message: /pendingInbound holds \d+ of \d+ bytes/ });
  lease.release();
  t.notThrows(() => ledger.invariants());
});

test("parts that count themselves are read, beside what is leased", (t) => {
  const ledger = new MemoryLedger(DEFAULTS);
  let bytes = 10;
  ledger.read("mempool", () => bytes);
  ledger.read("mempool", () => 5);
  t.is(holderOf(ledger, "mempool").heldBytes, 15);
  bytes = 3;
  const { heldBytes, peakBytes } = holderOf(ledger, "mempool");
  t.deepEqual([heldBytes, peakBytes], [8, 15]);
  t.is(ledger.leasedBytes("mempool"), 0);
});

test("whatever is leased in whatever order, the sum is that of the leases", (t) => {
  const change = fc.tuple(fc.nat(3), fc.constantFrom(...memoryHolders), fc.nat(1_000));
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const ledger = new MemoryLedger(DEFAULTS);
      const leases = memoryHolders.flatMap((name) => [
        { name, lease: ledger.lease(name) },
        { name, lease: ledger.lease(name) },
      ]);
      for (const [index, name, bytes] of changes) {
        const { lease } = leases.filter((other) => other.name === name)[index % 2]!;
        if (index === 3) lease.release();
        else lease.resize(bytes);
      }
      for (const name of memoryHolders) {
        const sum = leases
          .filter((other) => other.name === name)
          .reduce((total, { lease }) => total + lease.bytes, 0);
        t.is(ledger.leasedBytes(name), sum);
      }
      for (const { lease } of leases) lease.release();
      ledger.nothingLeased();
    }),
  );
});
