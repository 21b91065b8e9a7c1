import test from "ava";
import fc from "fast-check";
import { SideBranches } from "../../../src/actors/integration/side-branches.js";
import type { HeaderSummary } from "../../../src/types/chain.js";
import { DEFAULTS } from "../../../src/config.js";
import { peerIdOf } from "../support.js";

const MIB = 1_024 * 1_024;
const settings = { ...DEFAULTS.chain, sideBytesMax: 32 * MIB, sideBytesPerPeerMax: 8 * MIB };
const prefers = (a: HeaderSummary, b: HeaderSummary): boolean =>
  a.totalDifficulty > b.totalDifficulty;

let made = 0;

function header(work: number, previousHash = "00".repeat(32), height = 100): HeaderSummary {
  const hash = (++made).toString(16).padStart(64, "0");
  const totalDifficulty = BigInt(work);
  return { hash, height, previousHash, timestampMs: 0, difficulty: 1n, totalDifficulty };
}

const head = header(1_000);

function emptySide(): SideBranches {
  return new SideBranches(settings, prefers, []);
}

test("identities are free: what many peers sent is bounded in all, and the heaviest stays", (t) => {
  const side = emptySide();
  const best = header(999);
  side.add(best, MIB, peerIdOf(1));
  for (let peer = 2; peer < 40; peer++) {
    for (let i = 0; i < 10; i++) side.add(header(990 + (i % 9)), MIB, peerIdOf(peer));
    t.false(side.overflow(head).has(best.hash));
    t.true(side.weight <= settings.sideBytesMax);
    side.invariants();
  }
});

test("what a peer sends beyond its share costs nobody else a block", (t) => {
  const side = emptySide();
  const others = [2, 3].map((peer) => {
    const one = header(500);
    side.add(one, MIB, peerIdOf(peer));
    return one.hash;
  });
  for (let i = 0; i < 50; i++) {
    side.add(header(900), MIB, peerIdOf(1));
    const gone = side.overflow(head);
    t.false(others.some((hash) => gone.has(hash)));
  }
  t.true(side.weight <= 10 * (MIB + 4_096));
});

test("a branch goes from its tip, and one whose headers are known to win stays whole", (t) => {
  const side = emptySide();
  const branch = [header(10)];
  while (branch.length < 60) {
    const { hash, height } = branch.at(-1)!;
    branch.push(header(10 + branch.length, hash, height + 1));
  }
  for (const one of branch) side.add(one, MIB, undefined);
  side.promise(branch.at(-1)!.hash, header(2_000));
  t.is(side.overflow(head).size, 0);
  // The chain has caught up with what was promised.
  const gone = side.overflow(header(3_000));
  t.deepEqual(
    [...gone],
    branch
      .slice(-gone.size)
      .map(({ hash }) => hash)
      .toReversed(),
  );
  t.is(gone.size, 29);
});

test("small blocks are charged a page each, so that their number is bounded too", (t) => {
  const side = emptySide();
  for (let i = 0; i < 10_000; i++) side.add(header(900), 200, undefined);
  side.overflow(head);
  t.true(side.weight <= settings.sideBytesMax);
  t.true(side.weight / (4_096 + 200) <= 8_192);
});

test("what the chain takes counts no more, what it leaves counts as before", (t) => {
  const side = emptySide();
  const old = header(999);
  const rival = header(999);
  const bytes = new Uint8Array(1_000);
  side.follow([], [{ header: old }], [{ header: old, bytes }]);
  t.is(side.weight, 0);
  side.add(rival, 5_000, peerIdOf(1));
  side.follow([old], [{ header: rival }], []);
  t.is(side.weight, 1_000 + 4_096);
  side.follow([rival], [{ header: old }], []);
  t.is(side.weight, 5_000 + 4_096);
  side.pruned(101);
  t.is(side.weight, 0);
  side.invariants();
});

test("thousands of rivals that go at once are each compared a few times", (t) => {
  let compared = 0;
  const counting = (a: HeaderSummary, b: HeaderSummary): boolean => {
    compared++;
    return prefers(a, b);
  };
  const bytes = MIB / 128;
  const side = new SideBranches(settings, counting, []);
  const rivals = Array.from({ length: 4_000 }, (_, i) => header((i * 7) % 900));
  for (const rival of rivals) side.add(rival, bytes, undefined);
  compared = 0;
  const gone = side.overflow(head);
  t.true(gone.size > 500);
  t.true(compared < 30 * rivals.length, `${compared} comparisons`);
  const works = rivals.filter(({ hash }) => gone.has(hash)).map((rival) => rival.totalDifficulty);
  const heaviest = works.reduce((a, b) => (a > b ? a : b));
  const kept = rivals.filter(({ hash }) => !gone.has(hash));
  t.true(kept.every(({ totalDifficulty }) => totalDifficulty >= heaviest));
});

test("whatever comes, the bound holds and no block stays without its parent", (t) => {
  const blocks = fc.array(
    fc.record({
      parent: fc.nat({ max: 20 }),
      work: fc.nat({ max: 50 }),
      bytes: fc.nat({ max: 4 * MIB }),
      peer: fc.nat({ max: 4 }),
    }),
    { maxLength: 60 },
  );
  const holds = (): void =>
    fc.assert(
      fc.property(blocks, (list) => {
        const side = emptySide();
        const stored: HeaderSummary[] = [];
        for (const { parent, work, bytes, peer } of list) {
          const below = stored[stored.length - 1 - parent];
          const one = header(work, below?.hash, (below?.height ?? 99) + 1);
          side.add(one, bytes, peer === 0 ? undefined : peerIdOf(peer));
          stored.push(one);
          const gone = side.overflow(head);
          for (let i = stored.length - 1; i >= 0; i--) {
            if (gone.has(stored[i]!.hash)) stored.splice(i, 1);
          }
          if (side.weight > settings.sideBytesMax) return false;
          const hashes = new Set(stored.map(({ hash }) => hash));
          const isWhole = ({ previousHash }: HeaderSummary): boolean =>
            hashes.has(previousHash) || previousHash === "00".repeat(32);
          if (!stored.every(isWhole)) return false;
          side.invariants();
        }
        return true;
      }),
    );
  t.notThrows(holds);
});

test("it takes little memory, however deep branches may be", (t) => {
  const deep = { ...settings, reorgDepthMax: Number.MAX_SAFE_INTEGER };
  const side = new SideBranches(deep, prefers, []);
  const [left, next] = [header(1_000), header(1_001)];
  side.follow([], [{ header: left }], [{ header: left, bytes: new Uint8Array(MIB) }]);
  side.follow([left], [{ header: next }], []);
  t.is(side.weight, MIB + 4_096);
});
