import test from "ava";
import fc from "fast-check";
import { DEFAULTS, type NetworkConfig } from "../../../src/config.js";
import type { BanRecord } from "../../../src/ports.js";
import {
  REPUTATION_DELTAS,
  type ReputationEvent,
} from "../../../src/actors/peer/reputation-events.js";
import { ReputationLedger } from "../../../src/actors/peer/reputation-ledger.js";
import { peerIdOf } from "../support.js";

type Settings = NetworkConfig["reputation"];

const settings: Settings = DEFAULTS.reputation;
const peer = peerIdOf(1);
const MANY = 10;
const HOUR_MS = 3_600_000;

/** A ledger and a hand on its time; wall time runs beside monotonic time, a day ahead. */
class Bench {
  readonly ledger: ReputationLedger;
  nowMs = 0;
  /** By how much the wall clock was set since. */
  setMs = 0;

  constructor(
    changes: Partial<Settings> = {},
    trusted: readonly string[] = [],
    bans: readonly BanRecord[] = [],
  ) {
    this.ledger = new ReputationLedger({ ...settings, ...changes }, trusted, bans, this.now);
  }

  get wallMs(): number {
    return this.nowMs + this.setMs + 24 * HOUR_MS;
  }

  get now() {
    return { monotonicMs: this.nowMs, wallMs: this.wallMs };
  }

  bannedIds(): string[] {
    return this.ledger.bans(this.now).map(({ peerId }) => peerId);
  }

  record(event: ReputationEvent, times = 1, peerId = peer, readyPeers = MANY) {
    let ban: BanRecord | undefined;
    for (let i = 0; i < times; i++) {
      const brought = this.ledger.record(
        peerId,
        { event, detail: `${event} ${i}` },
        this.now,
        readyPeers,
      );
      ban ??= brought;
    }
    this.ledger.invariants();
    return ban;
  }

  score(peerId = peer): number {
    return this.ledger.score(peerId, this.nowMs);
  }

  explain(peerId = peer) {
    return this.ledger.explain(peerId, this.now);
  }
}

test("each event moves the score of a new peer by its delta", (t) => {
  for (const [event, delta] of Object.entries(REPUTATION_DELTAS)) {
    const bench = new Bench();
    bench.record(event as ReputationEvent);
    t.is(bench.score(), delta, event);
  }
});

test("an unknown peer stands at zero, which is good", (t) => {
  const { score, class: named, entries, ban } = new Bench().explain();
  t.is(score, 0);
  t.is(named, "good");
  t.deepEqual(entries, []);
  t.is(ban, undefined);
});

test("a score halves in a half-life, whether it is good or bad", (t) => {
  for (const event of ["GoodBlock", "ProtocolViolation"] as const) {
    const bench = new Bench();
    bench.record(event);
    bench.nowMs += settings.halfLifeMs;
    t.is(bench.score(), REPUTATION_DELTAS[event] / 2);
    bench.nowMs += settings.halfLifeMs;
    t.is(bench.score(), REPUTATION_DELTAS[event] / 4);
  }
});

test("decay is the same whether or not something was booked in between", (t) => {
  const often = new Bench({ gainPerMinuteMax: 0 });
  const once = new Bench({ gainPerMinuteMax: 0 });
  for (const bench of [often, once]) bench.record("ProtocolViolation");
  for (let i = 0; i < 10; i++) {
    often.nowMs += settings.halfLifeMs / 10;
    // Its gain is capped at nothing: only time works.
    often.record("GoodBlock");
  }
  once.nowMs += settings.halfLifeMs;
  t.true(Math.abs(often.score() - once.score()) < 1e-9);
});

test("gains are capped per minute and start anew in the next one", (t) => {
  const bench = new Bench({ halfLifeMs: 1e15 });
  bench.record("GoodBlock", 50);
  t.is(Math.round(bench.score()), settings.gainPerMinuteMax);
  bench.nowMs += 59_999;
  bench.record("GoodBlock");
  t.is(Math.round(bench.score()), settings.gainPerMinuteMax);
  bench.nowMs += 1;
  bench.record("GoodBlock");
  t.is(Math.round(bench.score()), settings.gainPerMinuteMax + 10);
});

test("losses are never capped", (t) => {
  const bench = new Bench({}, [], []);
  bench.record("UnprovenClaim", 49);
  t.is(bench.score(), -98);
});

test("scores are clamped at both ends", (t) => {
  const bench = new Bench({ gainPerMinuteMax: 1e9, halfLifeMs: 1e15 });
  bench.record("GoodBlock", 200);
  t.is(bench.score(), settings.scoreMax);
  const bad = new Bench({ halfLifeMs: 1e15 }, []);
  bad.record("InvalidBlock", 50);
  t.is(bad.score(), -settings.scoreMax);
});

test("classes follow the score at their bounds", (t) => {
  const classAt = (event: ReputationEvent, times: number): string => {
    const bench = new Bench({ gainPerMinuteMax: 1_000 });
    // At the floor slowness bans nobody, so a score can be looked at below the bound.
    bench.record(event, times, peer, 0);
    return bench.explain().class;
  };
  t.is(classAt("SlowResponse", 1), "neutral");
  t.is(classAt("SlowResponse", 49), "neutral");
  t.is(classAt("SlowResponse", 50), "probation");
  t.is(classAt("SlowResponse", 99), "probation");
  t.is(classAt("SlowResponse", 100), "banned");
  t.is(classAt("GoodTransaction", 49), "good");
  t.is(classAt("GoodTransaction", 50), "preferred");
});

test("gains buy no licence: a proven offence is counted from zero", (t) => {
  for (const event of ["InvalidTransaction", "ProtocolViolation", "InvalidBlock"] as const) {
    const bench = new Bench({ gainPerMinuteMax: 1_000 });
    bench.record("GoodBlock", 50);
    t.is(bench.score(), 500);
    bench.record(event);
    t.is(bench.score(), REPUTATION_DELTAS[event], event);
  }
  const bench = new Bench({ gainPerMinuteMax: 1_000 });
  bench.record("GoodBlock", 50);
  t.truthy(bench.record("InvalidBlock"));
});

test("slowness is counted from where the peer stands", (t) => {
  const bench = new Bench();
  bench.record("GoodBlock");
  bench.record("Timeout");
  t.is(bench.score(), 8);
});

test("the hundredth point lost brings a ban that names its last reason", (t) => {
  const bench = new Bench();
  t.is(bench.record("ProtocolViolation"), undefined);
  const ban = bench.record("ProtocolViolation");
  t.deepEqual(ban, {
    peerId: peer,
    untilWallMs: bench.wallMs + settings.banMs,
    reason: "ProtocolViolation",
    detail: "ProtocolViolation 0",
    count: 1,
  });
  t.is(bench.explain().class, "banned");
  t.deepEqual(bench.ledger.bans(bench.now), [ban!]);
});

test("a ban in force is not renewed", (t) => {
  const bench = new Bench();
  t.truthy(bench.record("InvalidBlock"));
  t.is(bench.record("InvalidBlock", 3), undefined);
});

test("a ban ends by the wall clock, and the next one is twice as long, up to the limit", (t) => {
  const bench = new Bench();
  const lengths: number[] = [];
  for (let i = 0; i < 8; i++) {
    const ban = bench.record("InvalidBlock");
    lengths.push((ban!.untilWallMs - bench.wallMs) / HOUR_MS);
    bench.nowMs += ban!.untilWallMs - bench.wallMs - 1;
    t.truthy(bench.ledger.banOf(peer, bench.now));
    bench.nowMs += 1;
    t.is(bench.ledger.banOf(peer, bench.now), undefined);
  }
  t.deepEqual(lengths, [1, 2, 4, 8, 16, 24, 24, 24]);
});

test("bans of an earlier run count on", (t) => {
  const past = { peerId: peer, untilWallMs: 5, reason: "old", count: 3 };
  const bench = new Bench({}, [], [past]);
  t.is(bench.ledger.banOf(peer, bench.now), undefined);
  t.is(bench.record("InvalidBlock")?.count, 4);
});

test("the list of bans is bounded: the one that ends soonest is forgotten", (t) => {
  const bench = new Bench({ bansKeptMax: 3 });
  for (const number of [1, 2, 3, 4]) {
    bench.record("InvalidBlock", 1, peerIdOf(number));
    bench.nowMs += 1_000;
  }
  t.deepEqual(bench.bannedIds(), [2, 3, 4].map(peerIdOf));
  t.deepEqual(bench.ledger.takeForgotten(bench.nowMs), [peerIdOf(1)]);
  t.deepEqual(bench.ledger.takeForgotten(bench.nowMs), []);
});

test("of too many stored bans the last to end are kept", (t) => {
  const bans = [5, 1, 4, 2, 3].map((hours) => ({
    peerId: peerIdOf(hours),
    untilWallMs: (24 + hours) * HOUR_MS,
    reason: "",
    count: 9,
  }));
  const bench = new Bench({ bansKeptMax: 2 }, [], bans);
  bench.ledger.invariants();
  t.deepEqual(bench.bannedIds(), [4, 5].map(peerIdOf));
  t.deepEqual(bench.ledger.takeForgotten(0), [1, 2, 3].map(peerIdOf));
});

test("a ban that was made while the clock was years ahead lasts no longer than any", (t) => {
  const ahead = { peerId: peer, untilWallMs: 10 * 365 * 24 * HOUR_MS, reason: "", count: 2 };
  const bench = new Bench({}, [], [ahead]);
  t.is(bench.ledger.banOf(peer, bench.now)?.untilWallMs, bench.wallMs + 2 * HOUR_MS);
  bench.nowMs += 2 * HOUR_MS;
  t.is(bench.ledger.banOf(peer, bench.now), undefined);
});

test("a wall clock that is set while a ban lasts changes neither its length nor what it shows", (t) => {
  for (const setHours of [-87_673, -2, 2, 87_673]) {
    const bench = new Bench();
    bench.record("InvalidBlock");
    bench.setMs = setHours * HOUR_MS;
    bench.nowMs += HOUR_MS - 1;
    t.true(
      bench.ledger.banOf(peer, bench.now)!.untilWallMs <= Math.max(bench.wallMs, 25 * HOUR_MS) + 1,
    );
    bench.nowMs += 1;
    t.is(bench.ledger.banOf(peer, bench.now), undefined, `${setHours}`);
  }
});

test("a ban that is over is remembered for a while and then forgotten", (t) => {
  const bench = new Bench({ banRememberedMs: 5 * HOUR_MS });
  bench.record("InvalidBlock");
  t.is(bench.ledger.untilNextMs(bench.nowMs), 6 * HOUR_MS);
  bench.nowMs += HOUR_MS;
  t.is(bench.ledger.banOf(peer, bench.now), undefined);
  t.is(bench.ledger.untilNextMs(bench.nowMs), 5 * HOUR_MS);
  bench.nowMs += 5 * HOUR_MS - 1;
  t.deepEqual(bench.ledger.takeForgotten(bench.nowMs), []);
  bench.nowMs += 1;
  t.deepEqual(bench.ledger.takeForgotten(bench.nowMs), [peer]);
  t.is(bench.ledger.untilNextMs(bench.nowMs), undefined);
  t.is(bench.record("InvalidBlock")?.count, 1);
});

test("stored bans that are none are left out", (t) => {
  const good = { peerId: peer, untilWallMs: 25 * HOUR_MS, reason: "", count: 1 };
  const odd = [{ peerId: "ab" }, { untilWallMs: Infinity }, { count: 0 }, { count: 1.5 }];
  const bans = odd.map((change, i) => ({ ...good, peerId: peerIdOf(i + 2), ...change }));
  t.deepEqual(new Bench({}, [], [...bans, good]).bannedIds(), [peer]);
});

test("to unban lifts the ban, forgets its count and resets the score", (t) => {
  const bench = new Bench();
  bench.record("InvalidBlock");
  t.true(bench.ledger.unban(peer));
  t.is(bench.score(), 0);
  t.is(bench.explain().ban, undefined);
  t.false(bench.ledger.unban(peer));
  t.is(bench.record("InvalidBlock")?.count, 1);
});

test("slowness bans nobody when few peers are ready", (t) => {
  const bench = new Bench();
  t.is(bench.record("Timeout", 100, peer, settings.peersFloor), undefined);
  t.truthy(bench.record("Timeout", 1, peer, settings.peersFloor + 1));
});

test("a peer that was spared is not banned for what it does well", (t) => {
  for (const event of ["GoodBlock", "UsefulData", "QuickResponse", "GoodTransaction"] as const) {
    const bench = new Bench();
    bench.record("Timeout", 100, peer, settings.peersFloor);
    t.true(bench.score() < settings.banScore);
    t.is(bench.record(event), undefined, event);
  }
});

test("a proven offence bans at the floor too", (t) => {
  t.truthy(new Bench().record("InvalidBlock", 1, peer, 0));
});

test("slowness bans no more peers within the window than its limit", (t) => {
  const bench = new Bench({ bansPerWindowMax: 3 });
  const banned: number[] = [];
  for (let number = 1; number <= 6; number++) {
    if (bench.record("Timeout", 60, peerIdOf(number)) !== undefined) banned.push(number);
  }
  t.deepEqual(banned, [1, 2, 3]);
  t.truthy(bench.record("InvalidBlock", 1, peerIdOf(7)));
  bench.nowMs += settings.bansWindowMs;
  t.truthy(bench.record("Timeout", 60, peerIdOf(8)));
});

test("failed dials never bring a peer to probation, however many", (t) => {
  const bench = new Bench();
  t.is(bench.record("ConnectionFailure", 1_000), undefined);
  t.is(bench.score(), settings.probationScore + 1);
  t.is(bench.explain().class, "neutral");
});

test("bad neighbours bring to probation and no further, however often they are told of", (t) => {
  const bench = new Bench();
  t.is(bench.record("BadNeighbours", 100), undefined);
  t.is(bench.score(), (settings.banScore + settings.probationScore) / 2);
  t.is(bench.explain().class, "probation");
  t.truthy(bench.record("ProtocolViolation"), "one offence is enough then");
});

test("a failed dial neither harms nor bans a peer that stands lower already", (t) => {
  const bench = new Bench();
  bench.record("UnprovenClaim", 40);
  bench.record("ConnectionFailure");
  t.is(bench.score(), -80);
  const spared = new Bench();
  spared.record("Timeout", 100, peer, 0);
  t.is(spared.record("ConnectionFailure"), undefined);
});

test("trusted peers are never banned and pay a tenth", (t) => {
  const bench = new Bench({}, [peer]);
  t.is(bench.record("ProtocolViolation"), undefined);
  t.is(bench.score(), -5);
  t.is(bench.record("InvalidBlock", 100), undefined);
  t.is(bench.ledger.banOf(peer, bench.now), undefined);
  const other = new Bench({}, [peer]);
  other.record("GoodBlock");
  t.is(other.score(), 10);
});

test("the ledger of a peer keeps its newest entries, with what was really added", (t) => {
  const bench = new Bench({ ledgerEntriesMax: 3, gainPerMinuteMax: 15 });
  for (const event of ["Timeout", "GoodBlock", "GoodBlock", "SlowResponse"] as const) {
    bench.record(event);
    bench.nowMs += 1;
  }
  t.deepEqual(
    bench.explain().entries.map(({ event, delta, detail }) => [event, Math.round(delta), detail]),
    [
      ["GoodBlock", 10, "GoodBlock 0"],
      ["GoodBlock", 5, "GoodBlock 0"],
      ["SlowResponse", -1, "SlowResponse 0"],
    ],
  );
  t.is(bench.explain().entries[0]?.wallMs, 24 * HOUR_MS + 1);
});

test("a gain of which a cap leaves nothing pushes no reason out of the ledger, and is counted", (t) => {
  const bench = new Bench({ ledgerEntriesMax: 4 });
  bench.record("InvalidTransaction");
  bench.record("GoodBlock", 200);
  const { entries } = bench.explain();
  t.deepEqual(
    entries.filter(({ delta }) => delta === 0),
    [],
  );
  t.is(entries.length, Math.min(4, 1 + Math.ceil(settings.gainPerMinuteMax / 10)));
  t.is(bench.ledger.deedsOf(peer).usefulBlocks, 200);
});

test("what explain answers does not change with the ledger", (t) => {
  const bench = new Bench();
  bench.record("GoodBlock");
  const { entries } = bench.explain();
  bench.record("GoodBlock");
  t.is(entries.length, 1);
});

test("of too many peers the one that was not heard of for longest is forgotten", (t) => {
  const bench = new Bench({ peersTrackedMax: 2 });
  bench.record("GoodBlock", 1, peerIdOf(1));
  bench.record("GoodBlock", 1, peerIdOf(2));
  bench.record("GoodBlock", 1, peerIdOf(1));
  bench.record("GoodBlock", 1, peerIdOf(3));
  t.deepEqual(
    [1, 2, 3].map((number) => bench.score(peerIdOf(number))),
    [20, 0, 10],
  );
});

test("whatever is booked, scores and lists stay within their bounds", (t) => {
  const events = Object.keys(REPUTATION_DELTAS) as ReputationEvent[];
  const step = fc.record({
    event: fc.constantFrom(...events),
    number: fc.integer({ min: 1, max: 6 }),
    pauseMs: fc.integer({ min: 0, max: HOUR_MS }),
    ready: fc.integer({ min: 0, max: 5 }),
    unban: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const bench = new Bench({ peersTrackedMax: 4, bansKeptMax: 2 }, [peerIdOf(6)]);
      for (const { event, number, pauseMs, ready, unban } of steps) {
        bench.nowMs += pauseMs;
        const id = peerIdOf(number);
        const ban = bench.record(event, 1, id, ready);
        if (ban !== undefined) {
          t.true(REPUTATION_DELTAS[event] < 0);
          t.not(number, 6);
          t.true(bench.explain(id).score <= settings.banScore);
        }
        if (unban) bench.ledger.unban(id);
      }
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test("what a peer brought first and what it broke is counted, and when it was last useful", (t) => {
  const bench = new Bench();
  t.deepEqual(bench.ledger.deedsOf(peer), {
    usefulBlocks: 0,
    usefulTransactions: 0,
    invalid: 0,
    violations: 0,
    offencePoints: 0,
  });
  bench.record("GoodBlock");
  bench.nowMs = 10;
  bench.record("GoodTransaction", 3);
  bench.nowMs = 20;
  for (const event of ["QuickResponse", "Timeout", "ConnectionFailure"] as const) {
    bench.record(event);
  }
  bench.record("InvalidTransaction", 2);
  bench.record("ServiceOffence");
  t.deepEqual(bench.ledger.deedsOf(peer), {
    usefulBlocks: 1,
    usefulBlockMs: 0,
    usefulTransactions: 3,
    usefulTransactionMs: 10,
    invalid: 2,
    violations: 1,
    offencePoints: 20,
  });
  t.is(bench.ledger.deedsOf(peerIdOf(2)).usefulBlocks, 0);
});

test("an operator's ban is held back by no floor, lasts as said, and counts for the next", (t) => {
  const bench = new Bench({ peersFloor: 1_000, bansPerWindowMax: 0 });
  const lastsMs = 1_000 * HOUR_MS;
  const ban = bench.ledger.banByOperator(peer, { lastsMs, detail: "why" }, bench.now);
  t.like(ban, { by: "operator", reason: "Operator", detail: "why", count: 1 });
  const again = new Bench({}, [], [ban!]);
  t.is(again.ledger.banOf(peer, again.now)?.untilWallMs, again.wallMs + lastsMs);
  const longest = again.ledger.banOf(peer, again.now)!;
  const faked = new Bench({ operatorBanMaxMs: HOUR_MS }, [], [longest]);
  t.is(
    faked.ledger.banOf(peer, faked.now)?.untilWallMs,
    faked.wallMs + HOUR_MS,
    "as the file says",
  );
  bench.nowMs += lastsMs - 1;
  t.truthy(bench.ledger.banOf(peer, bench.now));
  t.is(bench.record("InvalidBlock"), undefined, "one ban is enough");
  bench.nowMs += 1;
  t.is(bench.ledger.banOf(peer, bench.now), undefined);
  t.is(bench.record("InvalidBlock")?.count, 2);
});

test("an operator's ban gives way to none of reputation's, and takes the place of any", (t) => {
  const bench = new Bench({ bansKeptMax: 4 });
  const say = (number: number, lastsMs: number): BanRecord | undefined =>
    bench.ledger.banByOperator(peerIdOf(number), { lastsMs, detail: "" }, bench.now);
  t.truthy(say(1, 1_000));
  t.truthy(say(2, 1_000));
  t.is(say(3, 1_000), undefined, "half of the places are theirs");
  t.truthy(say(2, 2_000), "in place of itself");
  for (let number = 10; number < 20; number++) bench.record("InvalidBlock", 1, peerIdOf(number));
  const inForce = bench.ledger.inForce(bench.now).map(({ peerId }) => peerId);
  t.is(inForce.length, 4);
  t.true(inForce.includes(peerIdOf(1)) && inForce.includes(peerIdOf(2)));
  t.truthy(bench.ledger.banOf(peerIdOf(19), bench.now));
  t.truthy(bench.ledger.banByOperator(peerIdOf(2), { lastsMs: 500, detail: "" }, bench.now));
  bench.nowMs += 1_000;
  t.truthy(say(3, 1_000), "those that are over hold no place");
});

test("a ban of nobody that can speak bans is none", (t) => {
  const ban = { peerId: peer, untilWallMs: 30 * HOUR_MS, reason: "", count: 1, by: "Mallory" };
  t.deepEqual(new Bench({}, [], [ban as never]).bannedIds(), []);
});

test("who is trusted later is trusted as those from the start, until it is not", (t) => {
  const bench = new Bench();
  bench.record("InvalidBlock");
  t.true(bench.ledger.trust(peer));
  t.is(bench.score(), 0);
  t.is(bench.record("InvalidBlock", 5), undefined);
  bench.ledger.distrust(peer);
  t.truthy(bench.record("InvalidBlock"));
});

test("texts of reasons are bounded, whoever chose them", (t) => {
  const bench = new Bench();
  const long = "x".repeat(10_000);
  const deed = {
    event: "UnprovenClaim",
    rule: long,
    detail: long,
    kind: long,
    about: long,
  } as const;
  bench.ledger.record(peer, deed, bench.now, MANY);
  const [entry] = bench.explain().entries;
  t.true(JSON.stringify(entry).length < 600);
});

test("a ban that is over is shown as a former one while it makes the next longer", (t) => {
  const bench = new Bench();
  bench.record("InvalidBlock");
  t.is(bench.explain().formerBan, undefined);
  bench.nowMs = HOUR_MS;
  t.is(bench.explain().ban, undefined);
  t.like(bench.explain().formerBan, { reason: "InvalidBlock", count: 1 });
});
