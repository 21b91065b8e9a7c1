import test from "ava";
import fc from "fast-check";
import type { FetchLimits } from "../../../src/actors/handlers/fetch-announcer.js";
import { Fetcher, type PlannedRequest } from "../../../src/actors/handlers/fetcher.js";

const LIMITS: FetchLimits = {
  idsPerRequestMax: 8,
  requestsPerAnnouncerMax: 4,
  bodyBytesMax: 10,
  answerBytesMax: 40,
  bytesMax: 160,
  offersPerAnnouncerMax: 64,
  offersMax: 256,
  patienceMinMs: 100,
};

/** Long after the patience with anybody. */
const LATE_MS = 5_000;

type Planned = readonly PlannedRequest<string, string>[];

function fetcherOf(changed: Partial<FetchLimits> = {}) {
  const fetcher = new Fetcher<string, string>({ ...LIMITS, ...changed });
  let tags: readonly number[] = [];
  return {
    fetcher,
    announce: (peer: string, ids: string, nowMs = 0) =>
      fetcher.announced(peer, peer, ids.split(" "), nowMs),
    /** What is asked now, as "peer: ids". */
    plan: (nowMs = 0, heldBytes = 0): readonly string[] => {
      const planned: Planned = fetcher.plan(nowMs, heldBytes);
      fetcher.invariants();
      tags = planned.map(({ tag }) => tag);
      return planned.map(({ to, ids }) => `${to}: ${ids.join(" ")}`);
    },
    /** Of the last plan. */
    tag: (index = 0): number => tags[index]!,
    /** The answer to it, whose bodies are taken. */
    answer: (tag: number, ids: string, nowMs = 0): void => {
      const brought = ids === "" ? [] : ids.split(" ");
      for (const id of fetcher.answered(tag, brought, nowMs) ?? []) fetcher.arrived(id);
      fetcher.invariants();
    },
  };
}

test("each id is asked of its first announcer, once", (t) => {
  const { announce, plan } = fetcherOf();
  announce("one", "a b");
  announce("two", "b c");
  t.deepEqual(plan(), ["one: a b", "two: c"]);
  announce("one", "a b c");
  t.deepEqual(plan(), []);
});

test("the next announcer is asked when one is silent, refuses, has nothing, or leaves", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  announce("one", "a");
  plan();
  for (const peer of ["two", "three", "four", "five"]) announce(peer, "a");
  t.deepEqual(plan(400), []);
  t.deepEqual(plan(600), ["two: a"]);
  fetcher.failed(tag(), 600);
  t.deepEqual(plan(600), ["three: a"]);
  answer(tag(), "");
  t.deepEqual(plan(600), ["four: a"]);
  fetcher.gone("four");
  t.deepEqual(plan(600), ["five: a"]);
  fetcher.failed(tag(), 600);
  t.true(fetcher.has("a"), "the first may still send it");
  t.is(fetcher.leasedBytes, 0);
  fetcher.gone("one");
  t.true(fetcher.idle);
});

test("the rest of a short answer is asked for again, what comes before its last one is not", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  announce("one", "a b c d");
  plan();
  answer(tag(), "b");
  t.false(fetcher.has("a"), "it skipped this one: it does not have it");
  t.deepEqual(plan(), ["one: c d"], "it is asked for as many as its answer settled");
  answer(tag(), "c");
  t.deepEqual(plan(), ["one: d"]);
  answer(tag(), "d");
  t.true(fetcher.idle);
});

test("what an announcer has no longer is over in a few round trips, however short its answers were", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf({ requestsPerAnnouncerMax: 1 });
  const ids = Array.from({ length: 40 }, (_, index) => `id${index}`);
  announce("one", ids.join(" "));
  plan();
  answer(tag(), "id0");
  const asked: number[] = [];
  for (let planned = plan(); planned.length > 0; planned = plan()) {
    asked.push(planned[0]!.split(" ").length - 1);
    answer(tag(), "");
  }
  t.deepEqual(asked, [1, 2, 4, 8, 8, 8, 8]);
  t.true(fetcher.idle);
});

test("what everybody is too busy for is given up", (t) => {
  const { announce, plan, tag, fetcher } = fetcherOf();
  for (const peer of ["one", "two"]) announce(peer, "a");
  let nowMs = 0;
  for (; fetcher.has("a") && nowMs < 600_000; nowMs += 1_000) {
    for (const [index] of plan(nowMs).entries()) fetcher.failed(tag(index), nowMs, true);
  }
  t.true(fetcher.idle);
  t.true(nowMs <= 240_000, `${nowMs} ms`);
});

test("the rest of a short answer is asked of another one that has it", (t) => {
  const { announce, plan, tag, answer } = fetcherOf();
  announce("one", "a b c");
  plan();
  const first = tag();
  announce("two", "c");
  answer(first, "a");
  t.deepEqual(plan(), ["one: b", "two: c"]);
});

test("what is not in an answer that was not asked for changes nothing", (t) => {
  const { announce, plan, tag, fetcher } = fetcherOf();
  announce("one", "a b");
  plan();
  t.deepEqual([...fetcher.answered(tag(), ["x", "b", "b"], 0)!], ["b"]);
  t.is(fetcher.answered(tag(), ["b"], 0), undefined, "an answer counts once");
});

test("a body that came by another way is not asked for, and its late answer is no fault", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  announce("one", "a b");
  announce("two", "b");
  fetcher.arrived("b");
  t.deepEqual(plan(), ["one: a"]);
  fetcher.arrived("a");
  answer(tag(), "");
  announce("one", "c");
  announce("two", "c");
  t.deepEqual(plan(), ["one: c"], "its record is as good as the other's");
  t.false(fetcher.has("a"));
});

test("a late answer is taken, and ends the matter for the others", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  announce("one", "a");
  plan();
  const late = tag();
  announce("two", "a");
  t.deepEqual(plan(LATE_MS), ["two: a"]);
  answer(late, "a", LATE_MS + 1);
  t.false(fetcher.has("a"));
});

test("whoever failed comes last, and is not waited for when a better one has the same", (t) => {
  const { announce, plan, tag, fetcher } = fetcherOf();
  announce("liar", "a");
  plan();
  fetcher.failed(tag(), 0);
  announce("liar", "b");
  announce("honest", "b");
  t.deepEqual(plan(), ["honest: b"]);
  announce("liar", "c");
  t.deepEqual(plan(), ["liar: c"]);
  announce("honest", "c");
  t.deepEqual(plan(), ["honest: c"]);
});

test("a good record is lost by one failure", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  for (let round = 0; round < 20; round++) {
    announce("one", `${round}`);
    plan();
    answer(tag(), `${round}`);
  }
  announce("one", "a");
  plan();
  fetcher.failed(tag(), 0);
  announce("one", "b");
  announce("two", "b");
  t.deepEqual(plan(), ["two: b"]);
});

test("a busy announcer is asked again after a rest, unless another one has it", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf();
  announce("one", "a b");
  plan();
  fetcher.failed(tag(), 0, true);
  announce("two", "b");
  t.deepEqual(plan(0), ["two: b"]);
  answer(tag(), "b");
  t.deepEqual(plan(999), []);
  t.deepEqual(plan(1_000), ["one: a"]);
});

test("a body that is judged is not asked for, and is when it was the wrong one", (t) => {
  const { announce, plan, tag, fetcher } = fetcherOf({ idsPerRequestMax: 1 });
  announce("one", "a");
  plan();
  announce("two", "a");
  fetcher.hold("a");
  fetcher.answered(tag(), ["a"], 0);
  t.deepEqual(plan(LATE_MS), []);
  fetcher.letGo("a");
  t.deepEqual(plan(LATE_MS), ["two: a"]);
  fetcher.hold("a");
  fetcher.failed(tag(), LATE_MS);
  fetcher.letGo("a");
  t.false(fetcher.has("a"));
});

test("requests to one announcer are few at first, more with each answer, and half at a failure", (t) => {
  const { announce, plan, tag, answer, fetcher } = fetcherOf({
    idsPerRequestMax: 1,
    bytesMax: 999,
  });
  announce("one", "a b c d e f g h i j k l");
  t.deepEqual(plan(), ["one: a", "one: b"]);
  const second = tag(1);
  answer(tag(), "a");
  t.deepEqual(plan(), ["one: c", "one: d"]);
  answer(tag(), "c");
  t.is(plan().length, 2);
  fetcher.failed(second, 0);
  t.deepEqual(plan(), []);
});

test("leases are for the most that may come, and those of the silent are given to others", (t) => {
  const { announce, plan, fetcher } = fetcherOf({ bytesMax: 40 });
  announce("silent", "a b");
  announce("large", "c d e f g h");
  t.deepEqual(plan(), ["silent: a b", "large: c d"], "20 and 20 bytes");
  t.is(fetcher.leasedBytes, 40);
  announce("third", "x y");
  t.deepEqual(plan(), []);
  t.deepEqual(plan(LATE_MS), ["third: x y"]);
  t.is(fetcher.leasedBytes, 20);
});

test("what its owner still holds leaves less to be asked for", (t) => {
  const { announce, plan, fetcher } = fetcherOf({ bytesMax: 40 });
  announce("one", "a b c");
  t.deepEqual(plan(0, 25), ["one: a"]);
  t.is(fetcher.leasedBytes, 10);
  t.deepEqual(plan(0, 35), []);
  t.deepEqual(plan(0, 0), ["one: b c"]);
});

test("one announcer fills its own places, and the one that offers most gives way", (t) => {
  const { announce, plan, fetcher } = fetcherOf({ offersPerAnnouncerMax: 6, offersMax: 8 });
  announce("greedy", "a b c d e f g h");
  announce("second", "i j k l");
  announce("late", "m");
  fetcher.invariants();
  t.false(fetcher.has("g"), "its places are full");
  t.true(["i", "j", "k", "m"].every((id) => fetcher.has(id)));
  t.false(fetcher.has("a"), "it gave way");
  plan();
});

test("an id that nobody could be asked for in two minutes is given up", (t) => {
  const { announce, plan, fetcher } = fetcherOf({ bytesMax: 10, idsPerRequestMax: 1 });
  announce("one", "a b");
  t.deepEqual(plan(0, 5), []);
  t.deepEqual(plan(120_000, 5), []);
  t.true(fetcher.idle);
});

test("what came, went and is announced again is wanted once more, whatever a late answer says", (t) => {
  const { announce, plan, tag, fetcher } = fetcherOf();
  announce("one", "a");
  plan();
  fetcher.arrived("a");
  announce("one", "a");
  fetcher.failed(tag(), 0, true);
  fetcher.invariants();
  t.deepEqual(plan(1_000), ["one: a"]);
});

// ---- any order of events ------------------------------------------------------------------------

const peers = ["p0", "p1", "p2", "p3"];
const ids = Array.from({ length: 40 }, (_, index) => `i${index}`);

type Event =
  | { readonly type: "announce"; readonly peer: string; readonly ids: readonly string[] }
  | { readonly type: "answer"; readonly pick: number; readonly ids: readonly string[] | "all" }
  | { readonly type: "fail"; readonly pick: number; readonly busy: boolean }
  | { readonly type: "gone"; readonly peer: string }
  | { readonly type: "push" | "hold" | "letGo"; readonly id: string }
  | { readonly type: "wait"; readonly ms: number; readonly heldBytes: number };

const someIds = fc.subarray(ids, { minLength: 1 });
const anEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    type: fc.constant("announce" as const),
    peer: fc.constantFrom(...peers),
    ids: someIds,
  }),
  fc.record({
    type: fc.constant("answer" as const),
    pick: fc.nat(50),
    ids: fc.oneof(fc.constant("all" as const), fc.constant([]), someIds),
  }),
  fc.record({ type: fc.constant("fail" as const), pick: fc.nat(50), busy: fc.boolean() }),
  fc.record({ type: fc.constant("gone" as const), peer: fc.constantFrom(...peers) }),
  fc.record({
    type: fc.constantFrom("push" as const, "hold" as const, "letGo" as const),
    id: fc.constantFrom(...ids),
  }),
  fc.record({ type: fc.constant("wait" as const), ms: fc.nat(3_000), heldBytes: fc.nat(200) }),
);

/** Runs events, planning after each; answers what is open at the end. */
function play(fetcher: Fetcher<string, string>, events: readonly Event[]) {
  const open = new Map<number, PlannedRequest<string, string>>();
  const held = new Set<string>();
  let nowMs = 0;
  const pick = (index: number) => [...open.values()][index % Math.max(1, open.size)];
  for (const event of events) {
    let heldBytes = 0;
    switch (event.type) {
      case "announce":
        fetcher.announced(event.peer, event.peer, event.ids, nowMs);
        break;
      case "answer": {
        const request = pick(event.pick);
        if (request === undefined) break;
        open.delete(request.tag);
        const brought = event.ids === "all" ? request.ids : event.ids;
        for (const id of fetcher.answered(request.tag, brought, nowMs)!) fetcher.arrived(id);
        break;
      }
      case "fail": {
        const request = pick(event.pick);
        if (request === undefined) break;
        open.delete(request.tag);
        fetcher.failed(request.tag, nowMs, event.busy);
        break;
      }
      case "gone":
        fetcher.gone(event.peer);
        for (const { tag, to } of [...open.values()]) if (to === event.peer) open.delete(tag);
        break;
      case "push":
        fetcher.arrived(event.id);
        break;
      case "hold":
        fetcher.hold(event.id);
        held.add(event.id);
        break;
      case "letGo":
        fetcher.letGo(event.id);
        held.delete(event.id);
        break;
      case "wait":
        nowMs += event.ms;
        heldBytes = event.heldBytes;
    }
    const leasedBefore = fetcher.leasedBytes;
    const planned = fetcher.plan(nowMs, heldBytes);
    for (const request of planned) open.set(request.tag, request);
    fetcher.invariants();
    const grew = fetcher.leasedBytes > leasedBefore;
    if (grew && fetcher.leasedBytes + heldBytes > LIMITS.bytesMax)
      throw new Error("over its bound");
  }
  for (const id of held) fetcher.letGo(id);
  return { open, nowMs };
}

test("bounds hold under any order of events, each want ends, and leases return to zero", (t) => {
  fc.assert(
    fc.property(fc.array(anEvent, { maxLength: 120 }), (events) => {
      const fetcher = new Fetcher<string, string>(LIMITS);
      const { open, nowMs: startMs } = play(fetcher, events);
      // From now on every request ends, somehow, within four seconds.
      let nowMs = startMs;
      for (let round = 0; !fetcher.idle; round++) {
        if (round > 200) return false;
        nowMs += 4_000;
        for (const { tag } of open.values()) fetcher.failed(tag, nowMs, round % 3 === 0);
        open.clear();
        for (const request of fetcher.plan(nowMs)) open.set(request.tag, request);
        fetcher.invariants();
      }
      return fetcher.leasedBytes === 0 && ids.every((id) => !fetcher.has(id));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test("an honest announcer is asked within a bounded time, whatever liars announced before", (t) => {
  const behaviour = fc.record({
    ids: someIds,
    // Never; or so late, with nothing.
    emptyAfterMs: fc.option(fc.integer({ min: 0, max: 20_000 })),
  });
  fc.assert(
    fc.property(fc.array(behaviour, { maxLength: 12 }), (liars) => {
      const fetcher = new Fetcher<string, string>({ ...LIMITS, offersMax: 1_024 });
      const due: { atMs: number; tag: number; ids: readonly string[] }[] = [];
      for (const [index, liar] of liars.entries()) {
        fetcher.announced(`liar ${index}`, `liar ${index}`, liar.ids, 0);
      }
      fetcher.announced("honest", "honest", ids, 20);
      // Each liar is waited for once for each of its two places at first, then comes last.
      const boundMs = 1_000 * (liars.length + 4);
      for (let nowMs = 20; ids.some((id) => fetcher.has(id)); nowMs += 50) {
        if (nowMs > boundMs) return false;
        for (const answer of due.splice(0)) {
          if (answer.atMs > nowMs) due.push(answer);
          else
            for (const id of fetcher.answered(answer.tag, answer.ids, nowMs)!) fetcher.arrived(id);
        }
        for (const { tag, to, ids: asked } of fetcher.plan(nowMs)) {
          const liar = liars[Number(to.split(" ")[1])];
          if (liar === undefined) due.push({ atMs: nowMs + 70, tag, ids: asked });
          else if (liar.emptyAfterMs !== null) {
            due.push({ atMs: nowMs + liar.emptyAfterMs, tag, ids: [] });
          }
        }
        fetcher.invariants();
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass();
});
