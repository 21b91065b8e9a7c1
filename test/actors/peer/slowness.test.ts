import test from "ava";
import { DEFAULTS } from "../../../src/config.js";
import { Slowness } from "../../../src/actors/peer/slowness.js";
import { peerIdOf } from "../support.js";

const FINE = { loopDelayMs: 0, pool: { queued: 0, queueMax: 0 } };
const HELD_UP = { ...FINE, loopDelayMs: 1_000 };
const report = (number: number) =>
  ({ peerId: peerIdOf(number), event: "Timeout", detail: "" }) as const;

test("the first that is held asks for a judgement, and what is judged is held no longer", (t) => {
  const slowness = new Slowness(DEFAULTS.reputation);
  t.true(slowness.hold(report(1), FINE));
  t.false(slowness.hold(report(1), FINE));
  t.is(slowness.judge(FINE, 9, 0).charged.length, 2);
  t.is(slowness.judge(FINE, 9, 0).charged.length, 0);
  t.true(slowness.hold(report(1), FINE));
});

test("what held this node up for a part of the time excuses all of it, and no more", (t) => {
  for (const when of ["before", "after"] as const) {
    const slowness = new Slowness(DEFAULTS.reputation);
    slowness.hold(report(1), when === "before" ? HELD_UP : FINE);
    slowness.hold(report(2), FINE);
    const { charged, excused } = slowness.judge(when === "after" ? HELD_UP : FINE, 9, 0);
    t.deepEqual([charged.length, excused], [0, 2]);
    slowness.hold(report(1), FINE);
    t.is(slowness.judge(FINE, 9, 0).charged.length, 1);
  }
});

test("a storm of reports is held in part, and nobody pays for the rest", (t) => {
  const slowness = new Slowness(DEFAULTS.reputation);
  for (let i = 0; i < 10_000; i++) slowness.hold(report(1), FINE);
  t.is(slowness.judge(FINE, 9, 0).charged.length, 256);
});

test("where nobody counts the peers, none is excused for others", (t) => {
  const slowness = new Slowness(DEFAULTS.reputation);
  for (let i = 0; i < 9; i++) slowness.hold(report(i), FINE);
  t.is(slowness.judge(FINE, 0, 0).charged.length, 9);
});
