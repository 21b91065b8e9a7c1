// Whom a newcomer may drive out, as single cases, and as what holds whoever comes and goes.

import test from "ava";
import fc from "fast-check";

import { selectEvicted, type Seated } from "../../../src/actors/peer/eviction.js";

const KEPT = 4;

let ids = 0;
function peer(network: number, merits: Partial<Seated> = {}): Seated {
  ids++;
  return {
    peerId: `peer-${ids}`,
    readySinceMs: 1_000 + ids,
    pingMinMs: undefined,
    usefulBlockMs: undefined,
    usefulTransactionMs: undefined,
    isIdle: false,
    onProbation: false,
    ...merits,
    origin: { network: `network-${network}` },
  };
}

function peers(count: number, network: number, merits: Partial<Seated> = {}): Seated[] {
  return Array.from({ length: count }, () => peer(network, merits));
}

function evicted(newcomer: Seated, seated: readonly Seated[], kept = KEPT): string | undefined {
  return selectEvicted(newcomer, seated, kept)?.peerId;
}

test("the youngest of the largest network goes", (t) => {
  const seated = [...peers(3, 1), ...peers(5, 2), ...peers(4, 3)];
  t.is(evicted(peer(4), seated, 0), seated[7]!.peerId);
  t.is(evicted(peer(3), seated, 0), undefined, "theirs would be as large");
  t.is(evicted(peer(1), seated, 0), seated[7]!.peerId);
});

test("the last peer of a network gives way to another network when it is of no use", (t) => {
  const sitting = Array.from({ length: 32 }, (_, network) => peer(network, { isIdle: true }));
  t.is(evicted(peer(99), sitting), sitting[31]!.peerId);
  t.is(evicted(peer(31), sitting), undefined, "theirs has a peer here already");
  const useful = sitting.map((one) => ({ ...one, isIdle: false }));
  t.is(evicted(peer(99), useful), undefined);
  // Whoever comes and goes takes the places of the idle that nothing else protects, and no more.
  let left: readonly Seated[] = [...useful.slice(0, 8), ...sitting.slice(8)];
  for (let network = 100; network < 300; network++) {
    const newcomer = peer(network, { isIdle: true });
    const gone = evicted(newcomer, left);
    if (gone !== undefined) left = [...left.filter(({ peerId }) => peerId !== gone), newcomer];
  }
  t.deepEqual(left.slice(0, 8), useful.slice(0, 8));
  t.true(
    left.filter((one) => sitting.includes(one)).length >= 8,
    "the older half of the rest stays",
  );
});

test("whoever still shakes hands is younger than all that are ready, and nothing protects it", (t) => {
  const seated = [
    peer(1, { readySinceMs: undefined, pingMinMs: 1, usefulBlockMs: 9_000 }),
    ...peers(15, 1),
  ];
  t.is(evicted(peer(2), seated), seated[0]!.peerId);
});

for (const [title, merits] of [
  ["the shortest pings", { pingMinMs: 5 }],
  ["the newest blocks", { usefulBlockMs: 50_000 }],
  ["the newest transactions", { usefulTransactionMs: 50_000 }],
] as const) {
  test(`an eighth of the peers is protected for ${title}`, (t) => {
    const others = peers(28, 1, { pingMinMs: 80, usefulBlockMs: 100, usefulTransactionMs: 100 });
    const youngest = peers(4, 1, merits);
    const seated = [...others, ...youngest];
    t.false(youngest.some(({ peerId }) => peerId === evicted(peer(2), seated)));
    const unknown = seated.map((one) => (youngest.includes(one) ? { ...one, ...NOTHING } : one));
    t.is(evicted(peer(2), unknown), youngest[3]!.peerId);
  });
}

const NOTHING = {
  pingMinMs: undefined,
  usefulBlockMs: undefined,
  usefulTransactionMs: undefined,
};

test("of those that nothing else protects the older half is", (t) => {
  const seated = peers(16, 1);
  let left: readonly Seated[] = seated;
  for (let network = 2; network < 100; network++) {
    const newcomer = peer(network);
    const gone = evicted(newcomer, left);
    if (gone === undefined) break;
    left = [...left.filter(({ peerId }) => peerId !== gone), newcomer];
  }
  const here = seated.filter((one) => left.includes(one));
  t.true(here.length >= 7 && here.length <= 9, `${here.length}`);
  t.deepEqual(here, seated.slice(0, here.length));
});

test("a peer on probation goes before all, and drives nobody out itself", (t) => {
  const bad = peer(9, { onProbation: true, readySinceMs: 1, pingMinMs: 1, usefulBlockMs: 9_999 });
  const seated = [bad, ...peers(12, 1), ...peers(3, 2)];
  t.is(evicted(peer(3), seated), bad.peerId);
  t.is(evicted(peer(1), seated), bad.peerId);
  t.is(evicted(peer(3, { onProbation: true }), seated), undefined);
});

// ---- what holds whoever comes and goes ---------------------------------------------------------

/** The slots of a node, as its peers come and go. */
class Slots {
  readonly max: number;
  seated: Seated[] = [];
  nowMs = 1;

  constructor(max: number) {
    this.max = max;
  }

  /** Who went for it; undefined: nobody. False: it was refused. */
  join(newcomer: Seated): Seated | undefined | false {
    const arrived = { ...newcomer, readySinceMs: this.nowMs++ };
    let gone: Seated | undefined;
    if (this.seated.length >= this.max) {
      gone = selectEvicted(arrived, this.seated, KEPT);
      if (gone === undefined) return false;
      this.leave(gone);
    }
    this.seated.push(arrived);
    return gone;
  }

  leave(who: Seated): void {
    this.seated = this.seated.filter((one) => one !== who);
  }

  sizeOf(network: string): number {
    return this.seated.filter(({ origin }) => origin.network === network).length;
  }
}

const merits = fc.record({
  pingMinMs: fc.option(fc.nat(500), { nil: undefined }),
  usefulBlockMs: fc.option(fc.nat(5_000), { nil: undefined }),
  usefulTransactionMs: fc.option(fc.nat(5_000), { nil: undefined }),
});
const step = fc.record({
  network: fc.nat(80),
  leaves: fc.boolean(),
  who: fc.nat(63),
  merits,
});

test("a peer that is alone in its network stays, however many come and go", (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: 32 }),
    fc.array(step, { maxLength: 300 }),
    (honestCount, steps) => {
      const slots = new Slots(32);
      const honest = Array.from({ length: honestCount }, (_, i) => peer(1_000 + i));
      for (const one of honest) slots.join(one);
      for (const { network, leaves, who, merits } of steps) {
        const attackers = slots.seated.filter(({ peerId }) => isAttacker(peerId));
        if (leaves && attackers.length > 0) slots.leave(attackers[who % attackers.length]!);
        else slots.join({ ...peer(network, merits), peerId: `attacker-${ids++}` });
      }
      const here = new Set(slots.seated.map(({ peerId }) => peerId));
      return honest.every(({ peerId }) => here.has(peerId));
    },
  );
  fc.assert(property, { numRuns: 200 });
  t.pass();
});

test("nobody goes for a network that is as large, and only the largest gives", (t) => {
  const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const slots = new Slots(16);
    for (const { network, merits } of steps) {
      const newcomer = peer(network % 7, merits);
      const before = new Map(slots.seated.map((one) => [one, slots.sizeOf(one.origin.network)]));
      const own = slots.sizeOf(newcomer.origin.network);
      const gone = slots.join(newcomer);
      if (!gone) continue;
      const size = before.get(gone)!;
      if (size <= own + 1) return false;
    }
    return true;
  });
  fc.assert(property, { numRuns: 200 });
  t.pass();
});

test("with nobody leaving there is an end to evictions", (t) => {
  const property = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const slots = new Slots(32);
    let evictions = 0;
    for (const { network, merits } of steps) {
      if (slots.join(peer(network, merits))) evictions++;
    }
    // Each takes at least two from the sum of the squares, which is at most 32 squared.
    return evictions <= 512;
  });
  fc.assert(property, { numRuns: 100 });
  t.pass();
});

test("five of sixteen slots are for newcomers, whatever merits old peers of two networks have", (t) => {
  const old = fc.array(merits, { minLength: 32, maxLength: 32 });
  const property = fc.property(old, (merits) => {
    const slots = new Slots(32);
    for (const [i, merit] of merits.entries()) slots.join(peer(i % 2, merit));
    const honest = Array.from({ length: 10 }, (_, i) => peer(100 + i));
    return honest.every((one) => slots.join(one));
  });
  fc.assert(property, { numRuns: 200 });
  t.pass();
});

test("five hundred identities of two networks keep nobody out, and drive nobody out again", (t) => {
  const slots = new Slots(32);
  const before = peers(3, 500);
  for (const one of before) slots.join(one);
  for (let i = 0; i < 250; i++) for (const network of [1, 2]) slots.join(peer(network));
  t.is(slots.seated.length, 32);
  const honest = Array.from({ length: 8 }, (_, i) => peer(1_000 + i));
  for (const one of honest) t.truthy(slots.join(one));
  for (let i = 0; i < 250; i++) {
    const knocking = peer(1 + (i % 2));
    // One of them leaves, to come back.
    if (i % 5 === 0) slots.leave(slots.seated.find(({ origin }) => isOfAttack(origin.network))!);
    slots.join(knocking);
  }
  const here = new Set(slots.seated.map(({ peerId }) => peerId));
  t.true([...before, ...honest].every(({ peerId }) => here.has(peerId)));
});

function isAttacker(peerId: string): boolean {
  return peerId.startsWith("attacker");
}

function isOfAttack(network: string): boolean {
  return network === "network-1" || network === "network-2";
}
