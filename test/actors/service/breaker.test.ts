import test from "ava";
import fc from "fast-check";
import { Breaker } from "../../../src/actors/service/breaker.js";

const SETTINGS = { failuresMax: 3, restMinMs: 100, restMaxMs: 350 };

function failing(times: number, nowMs = 0): Breaker {
  const breaker = new Breaker(SETTINGS);
  for (let i = 0; i < times; i++) {
    breaker.admit(nowMs);
    breaker.failed(breaker.epoch, nowMs);
  }
  return breaker;
}

test("closed, it lets everything pass, and an answer makes up for failures before it", (t) => {
  const breaker = failing(2);
  breaker.succeeded(breaker.epoch);
  for (let i = 0; i < 2; i++) breaker.failed(breaker.epoch, 0);
  t.is(breaker.state, "closed");
  t.is(breaker.admit(0), "pass");
});

test("too many failures in a row open it; then nothing passes until it has rested", (t) => {
  const breaker = failing(3);
  t.is(breaker.state, "open");
  t.is(breaker.admit(99), "refuse");
  t.is(breaker.admit(100), "try");
  t.is(breaker.state, "half-open");
  t.is(breaker.admit(100), "refuse", "one question tries it");
});

test("a try that is answered closes it", (t) => {
  const breaker = failing(3);
  breaker.admit(100);
  breaker.succeeded(breaker.epoch);
  t.is(breaker.state, "closed");
  breaker.failed(breaker.epoch, 200);
  t.is(breaker.state, "closed", "what failed before is forgotten");
});

test("each try that fails doubles the rest, up to a bound", (t) => {
  const breaker = failing(3);
  let nowMs = 0;
  const rests: number[] = [];
  for (let i = 0; i < 5; i++) {
    rests.push(breaker.restMs);
    nowMs += breaker.restMs;
    t.is(breaker.admit(nowMs - 1), "refuse");
    t.is(breaker.admit(nowMs), "try");
    breaker.failed(breaker.epoch, nowMs);
  }
  t.deepEqual(rests, [100, 200, 350, 350, 350]);
});

test("what was asked before it opened says nothing about a try", (t) => {
  const breaker = new Breaker(SETTINGS);
  const before = breaker.epoch;
  for (let i = 0; i < 3; i++) breaker.failed(before, 0);
  breaker.admit(100);
  breaker.failed(before, 100);
  breaker.succeeded(before);
  t.is(breaker.state, "half-open");
});

test("whatever happens, it is asked again after its longest rest", (t) => {
  const step = fc.record({
    what: fc.constantFrom("admit", "failed", "succeeded", "late"),
    passedMs: fc.integer({ min: 0, max: 500 }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const breaker = new Breaker(SETTINGS);
      let nowMs = 0;
      let before = 0;
      for (const { what, passedMs } of steps) {
        nowMs += passedMs;
        if (what === "admit") breaker.admit(nowMs);
        else if (what === "failed") breaker.failed(breaker.epoch, nowMs);
        else if (what === "succeeded") breaker.succeeded(breaker.epoch);
        else breaker.failed(before, nowMs);
        before = breaker.epoch;
      }
      // A try that is out ends, at the latest when it is late.
      if (breaker.state === "half-open") breaker.failed(breaker.epoch, nowMs);
      return breaker.admit(nowMs + SETTINGS.restMaxMs) !== "refuse";
    }),
  );
  t.pass();
});
