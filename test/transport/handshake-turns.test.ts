// Whose handshake is begun when more come than this node has time for.

import test from "ava";

import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { HandshakeTurns } from "../../src/transport/handshake-turns.js";

function turnsOf(perSecond: number) {
  const clock = new VirtualClock();
  const turns = new HandshakeTurns(clock, perSecond);
  const served: string[] = [];
  return {
    clock,
    turns,
    served,
    wait: (network: string, name = network): (() => void) => {
      const turn = (): void => void served.push(name);
      turns.wait(network, turn);
      return () => turns.leave(network, turn);
    },
  };
}

test("after a rest some are begun at once, then so many a second", (t) => {
  const { clock, served, wait } = turnsOf(100);
  for (let i = 0; i < 60; i++) wait("a");
  t.is(served.length, 25);
  clock.advanceBy(100);
  t.is(served.length, 35);
  clock.advanceBy(10_000);
  t.is(served.length, 60);
});

test("networks take turns: who floods waits for itself", (t) => {
  const { clock, served, wait } = turnsOf(4);
  for (let i = 0; i < 40; i++) wait("flood");
  served.length = 0;
  wait("honest");
  clock.advanceBy(500);
  t.deepEqual(served, ["flood", "honest"]);
});

test("within a network the oldest is first, and who leaves is passed over", (t) => {
  const { clock, served, wait } = turnsOf(4);
  wait("a", "at once");
  const leave = wait("a", "gone");
  wait("a", "second");
  wait("a", "third");
  leave();
  clock.advanceBy(10_000);
  t.deepEqual(served, ["at once", "second", "third"]);
});

test("when all have left no timer is left", (t) => {
  const { clock, wait } = turnsOf(4);
  wait("a");
  const leave = [wait("a"), wait("b")];
  t.not(clock.nextAtMs, undefined);
  for (const each of leave) each();
  t.is(clock.nextAtMs, undefined);
});

test("when timers are late a few are begun, then others have their turn", (t) => {
  let nowMs = 0;
  const due: (() => void)[] = [];
  const clock = {
    monotonicMs: () => nowMs,
    setTimer: (_delayMs: number, callback: () => void) => {
      due.push(callback);
      return { cancel: () => undefined };
    },
  };
  const turns = new HandshakeTurns(clock, 100);
  let served = 0;
  for (let i = 0; i < 60; i++) turns.wait("a", () => served++);
  const before = served;
  nowMs += 1_000;
  due.shift()!();
  t.is(served - before, 4);
  t.is(due.length, 1);
});
