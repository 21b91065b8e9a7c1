import test from "ava";
import fc from "fast-check";
import { decodeKeptPage } from "../../../src/actors/integration/kept-page.js";
import { KeptTransactions } from "../../../src/actors/integration/kept-transactions.js";
import type { MempoolPage } from "../../../src/ports.js";

/** Transactions whose bytes say their id, in a mempool that says nothing when one leaves. */
function start() {
  const waiting = new Map<string, Uint8Array>();
  const mempool = {
    has: (id: string) => waiting.has(id),
    get: (id: string) => waiting.get(id),
    get count() {
      return waiting.size;
    },
  };
  const kept = new KeptTransactions(mempool);
  const disk = new Map<string, Uint8Array>();
  const add = (id: string, bytes = 300): void => {
    waiting.set(id, Buffer.alloc(bytes, `${id} `));
    kept.accepted(id);
  };
  const apply = (pages: readonly MempoolPage[]): void => {
    for (const { name, bytes } of pages) {
      if (bytes === undefined) disk.delete(name);
      else disk.set(name, bytes);
    }
  };
  const take = () => kept.take(() => ({ own: false, sinceWallMs: 0 }));
  const idsIn = (bytes: Uint8Array) =>
    decodeKeptPage(bytes).map((one) => Buffer.from(one.bytes).toString().split(" ")[0]!);
  const onDisk = () => new Set([...disk.values()].flatMap(idsIn));
  return { waiting, kept, disk, add, apply, take, onDisk, idsIn };
}

test("all that waits is on the disk after it was written, in pages of some size", (t) => {
  const { add, apply, take, disk, onDisk } = start();
  for (let i = 0; i < 1_000; i++) {
    add(`t${i}`);
    // A trickle: each comes alone.
    apply(take());
  }
  t.is(onDisk().size, 1_000);
  t.true(disk.size < 30, `${disk.size} pages`);
  t.deepEqual([...disk.keys()], [...disk.keys()].sort(), "names rise");
});

test("pages of which little waits are written anew, and the disk holds little more than the mempool", (t) => {
  const { waiting, add, apply, take, disk, onDisk } = start();
  for (let i = 0; i < 20_000; i++) {
    add(`t${i}`);
    if (i >= 2_000) waiting.delete(`t${i - 2_000}`);
    if (i % 500 === 0) apply(take());
  }
  apply(take());
  const bytes = [...disk.values()].reduce((sum, page) => sum + page.length, 0);
  t.true(bytes < 2_000 * 311 * 3, `${bytes} bytes`);
  for (const id of waiting.keys()) t.true(onDisk().has(id));
});

test("what could not be written is written again", (t) => {
  const { add, apply, take, kept, onDisk } = start();
  add("one");
  kept.failed(take());
  t.true(kept.isBehind);
  add("two");
  apply(take());
  t.deepEqual([...onDisk()].sort(), ["one", "two"]);
  t.false(kept.isBehind);
});

test("a turn writes no more than a few MiB; the rest waits for the next", (t) => {
  const { add, apply, take, kept, onDisk } = start();
  for (let i = 0; i < 200; i++) add(`t${i}`, 60_000);
  const first = take();
  const bytes = first.reduce((sum, page) => sum + (page.bytes?.length ?? 0), 0);
  t.true(bytes > 4_000_000 && bytes < 5_000_000, `${bytes} bytes`);
  apply(first);
  t.true(kept.isBehind);
  while (kept.isBehind) apply(take());
  t.is(onDisk().size, 200);
});

test("names that are none of ours are left alone, and new pages come after all that lie there", (t) => {
  const { kept, add, take } = start();
  const names = kept.begin(["000000000007", "x", "000000000003", "7"]);
  t.deepEqual(names, ["000000000003", "000000000007"]);
  add("one");
  t.is(take()[0]!.name, "000000000008");
});

test("what an earlier life took and did not write is found by comparing", (t) => {
  const { waiting, kept, apply, take, onDisk } = start();
  for (const id of ["a", "b"]) waiting.set(id, Buffer.from(`${id} `));
  kept.found("000000000000", ["a"], 10);
  kept.compare(waiting.keys());
  apply(take());
  t.true(onDisk().has("b"));
});

test("whatever comes and goes, what waits is on the disk or to be written", (t) => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.nat(60) }),
      fc.record({ drop: fc.nat(60) }),
      fc.record({ write: fc.boolean() }),
    ),
    { maxLength: 120 },
  );
  const property = fc.property(steps, (all) => {
    const { waiting, kept, add, apply, take, onDisk, idsIn } = start();
    for (const step of all) {
      if ("add" in step && !waiting.has(`t${step.add}`)) add(`t${step.add}`, 5_000);
      if ("drop" in step) waiting.delete(`t${step.drop}`);
      if (!("write" in step)) continue;
      const pages = take();
      if (step.write) {
        apply(pages);
        if (!kept.isBehind) for (const id of waiting.keys()) t.true(onDisk().has(id), id);
      } else {
        const before = onDisk();
        kept.failed(pages);
        const gone = pages.flatMap(({ bytes }) => (bytes === undefined ? [] : idsIn(bytes)));
        for (const id of gone) t.true(kept.isBehind || before.has(id));
      }
      kept.invariants();
    }
  });
  t.notThrows(() => fc.assert(property, { numRuns: 100 }));
});
