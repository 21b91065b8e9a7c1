// What a drill finds good enough: pure.

import test from "ava";
import type { Drill } from "../../src/drill/drill.js";
import { failuresOf, pingP99MaxMs, type Measured } from "../../src/drill/report-card.js";

const FLOOD: Drill = {
  name: "flood",
  threat: "too much",
  expects: { gone: ["flood"] },
  attack: () => Promise.resolve(),
};
const GOSSIP: Drill = { ...FLOOD, name: "gossip", expects: { bounded: "by its rate" } };

const SOUND: Measured = {
  node: {
    rssAnonStartMiB: 60,
    rssAnonPeakMiB: 70,
    rssAnonMaxMiB: 1_174,
    leasedPeakMiB: 4,
    worstCaseMiB: 900,
    loopDelayP99Ms: 3,
    cpuSeconds: 1,
    slowedBy: 1,
    logBytes: 2_000,
    bans: 0,
    ends: { flood: 20, TooManyConnections: 3 },
    lastLines: [],
  },
  honest: {
    pingP50Ms: 1,
    pingP99Ms: 9,
    pingP99MaxMs: 100,
    pingsAnswered: 150,
    pingsLost: 0,
    untouchedPingP99Ms: 8,
    dropped: [],
    blocksMade: 8,
    blocksMissing: 0,
    blockP50Ms: 10,
    blockMaxMs: 20,
    newcomerMs: 30,
  },
  attacker: {
    connections: 23,
    cpuSeconds: 1,
    sentBytes: 1_000,
    receivedBytes: 1_000,
    goneP50Ms: 3,
    goneMaxMs: 9,
    left: 0,
    notes: {},
  },
};

const withNode = (node: Partial<Measured["node"]>): Measured => ({
  ...SOUND,
  node: { ...SOUND.node, ...node },
});
const withHonest = (honest: Partial<Measured["honest"]>): Measured => ({
  ...SOUND,
  honest: { ...SOUND.honest, ...honest },
});

test("a node that ended every attacker by the rule it broke has passed", (t) => {
  t.deepEqual(failuresOf([FLOOD], SOUND), []);
});

const HARM: readonly (readonly [string, Measured, RegExp])[] = [
  ["an honest peer that was left", withHonest({ dropped: ["Timeout"] }), /was left: Timeout/],
  ["pings that were lost", withHonest({ pingsLost: 2 }), /2 honest pings/],
  ["pings that took too long", withHonest({ pingP99Ms: 101 }), /101 ms \(p99\) of 100/],
  ["pings that never came back", withHonest({ pingP99Ms: NaN }), /NaN ms/],
  ["blocks that did not arrive", withHonest({ blocksMissing: 1 }), /1 of 8 honest blocks/],
  ["memory over the budget", withNode({ rssAnonPeakMiB: 1_175 }), /1175 MiB of 1174/],
  ["a log that grew", withNode({ logBytes: 2 ** 20 + 1 }), /log grew by 1048577/],
];

for (const [what, measured, sentence] of HARM) {
  test(`${what} fails a drill, whatever was to be expected of the attack`, (t) => {
    for (const drills of [[FLOOD], [GOSSIP], [FLOOD, GOSSIP]]) {
      const failures = failuresOf(drills, measured);
      t.is(failures.length, 1);
      t.regex(failures[0] ?? "", sentence);
    }
  });
}

test("an attack that no expected rule ended fails its drill, one that may stay does not", (t) => {
  const untouched = withNode({ ends: { TooManyConnections: 3 } });
  t.deepEqual(failuresOf([FLOOD], untouched), ["nothing was ended by flood"]);
  t.deepEqual(failuresOf([GOSSIP], untouched), []);
  t.deepEqual(failuresOf([FLOOD], withNode({ ends: { flood: 1, Timeout: 2 } })), [
    "some were ended by Timeout",
  ]);
  const left: Measured = { ...SOUND, attacker: { ...SOUND.attacker, left: 2 } };
  t.deepEqual(failuresOf([FLOOD], left), ["2 connections were still open after 2000 ms"]);
});

test("together, attacks end each other's connections, so only the harm counts", (t) => {
  t.deepEqual(failuresOf([FLOOD, GOSSIP], withNode({ ends: { payload: 3 } })), []);
});

test("a newcomer must be let in where a drill is about places", (t) => {
  const kept = withHonest({ newcomerMs: null });
  t.deepEqual(failuresOf([FLOOD], kept), []);
  t.deepEqual(failuresOf([{ ...FLOOD, newcomer: true }], kept), ["a newcomer was not let in"]);
});

test("what slows down an untouched node too is the machine's doing", (t) => {
  t.is(pingP99MaxMs(8, 1), 100);
  t.is(pingP99MaxMs(200, 1), 600);
  t.is(pingP99MaxMs(8, 2.5), 250);
});
