import test from "ava";
import type { ActorRef, AskOutcome } from "../../src/runtime/actor.js";
import type { Script } from "./harness.js";
import { always, asking, crash, createHarness, drainMicrotasks, scripted } from "./harness.js";

/** An asker, a callee that keeps the reply addresses, and the outcomes in order. */
function createPair(calleeDataMax = 64) {
  const harness = createHarness();
  const outcomes: AskOutcome<number>[] = [];
  const replies: ActorRef<number>[] = [];
  const asker = harness.system.spawn(scripted(always), { log: [] }, { name: "asker" });
  const callee = harness.system.spawn(
    scripted(always, { dataMax: calleeDataMax, controlMax: 1, overflow: "reject" }),
    { log: [] },
    { name: "callee" },
  );
  const ask = (timeoutMs = 1_000): void => {
    asker.tell((context) =>
      context.ask<Script, number>(
        callee,
        (replyTo) => asking(replyTo, () => void replies.push(replyTo)),
        timeoutMs,
        (outcome) => () => outcomes.push(outcome),
      ),
    );
    harness.settle();
  };
  return { ...harness, outcomes, replies, asker, callee, ask };
}

test("an ask settles with its reply, once", (t) => {
  const { ask, replies, outcomes, settle, advance, figures, system } = createPair();
  ask();
  t.deepEqual(outcomes, []);
  t.true(replies[0]?.tell(7));
  t.false(replies[0]?.tell(8), "a second reply is refused");
  settle();
  advance(10_000);
  t.deepEqual(outcomes, [{ ok: true, value: 7 }]);
  t.is(figures("/test/asker")?.lost.late, 1);
  t.is(system.deadLetters, 1);
});

test("an ask settles with its timeout, and the late reply is discarded and counted", (t) => {
  const { ask, replies, outcomes, settle, advance, figures } = createPair();
  ask(1_000);
  advance(999);
  t.deepEqual(outcomes, []);
  advance(1);
  t.deepEqual(outcomes, [{ ok: false, reason: "timeout" }]);
  t.false(replies[0]?.tell(7));
  settle();
  t.is(outcomes.length, 1);
  t.is(figures("/test/asker")?.lost.late, 1);
});

test("asks of one timeout expire each at its own time", (t) => {
  const { ask, outcomes, advance, replies, settle, clock } = createPair();
  ask(1_000);
  advance(300);
  ask(1_000);
  advance(300);
  ask(1_000);
  replies[1]?.tell(1);
  settle();
  t.is(outcomes.length, 1);
  advance(399);
  t.is(outcomes.length, 1);
  advance(1);
  t.is(outcomes.length, 2);
  advance(599);
  t.is(outcomes.length, 2);
  advance(1);
  t.is(outcomes.length, 3);
  t.is(clock.pendingTimers, 0, "no timer stays behind");
});

test("an ask that the callee's mailbox refuses settles as refused", (t) => {
  const { asker, callee, outcomes, settle } = createPair(1);
  settle();
  asker.tell((context) => {
    callee.tell(() => {});
    context.ask<Script, number>(
      callee,
      (replyTo) => asking(replyTo),
      1_000,
      (outcome) => () => outcomes.push(outcome),
    );
  });
  settle();
  t.deepEqual(outcomes, [{ ok: false, reason: "refused" }]);
});

test("an ask settles as stopped when its callee stops, and at once when it has stopped", (t) => {
  const { ask, callee, outcomes, settle } = createPair();
  ask();
  callee.tell((context) => context.stop());
  settle();
  t.deepEqual(outcomes, [{ ok: false, reason: "stopped" }]);
  ask();
  t.is(outcomes.length, 2);
  t.deepEqual(outcomes[1], { ok: false, reason: "stopped" });
});

test("a question that crashed its callee settles as crashed at once", (t) => {
  const { asker, callee, outcomes, settle } = createPair();
  asker.tell((context) =>
    context.ask<Script, number>(
      callee,
      (replyTo) => asking(replyTo, crash),
      1_000,
      (outcome) => () => outcomes.push(outcome),
    ),
  );
  settle();
  t.deepEqual(outcomes, [{ ok: false, reason: "crashed" }]);
});

test("a reply to an earlier incarnation is discarded and counted", (t) => {
  const { ask, asker, replies, outcomes, settle, advance, figures } = createPair();
  ask(60_000);
  asker.tell(crash);
  settle();
  advance(200);
  t.is(figures("/test/asker")?.restarts, 1);
  replies[0]?.tell(7);
  settle();
  t.deepEqual(outcomes, []);
  t.is(figures("/test/asker")?.lost.late, 1);
});

test("an asker that stopped is not told", (t) => {
  const { ask, asker, replies, outcomes, settle, system } = createPair();
  ask();
  asker.tell((context) => context.stop());
  settle();
  replies[0]?.tell(7);
  settle();
  t.deepEqual(outcomes, []);
  t.is(system.deadLetters, 1);
});

test("a system asks from outside and gets the reply, or a coded error", async (t) => {
  const { system, callee, settle, advance, replies, clock } = createPair(1);
  const ask = (): Promise<number> =>
    system.ask<Script, number>(
      callee,
      (replyTo) => asking(replyTo, () => void replies.push(replyTo)),
      100,
    );
  const answered = ask();
  settle();
  replies[0]?.tell(5);
  t.is(await answered, 5);
  const late = ask();
  const refused = ask();
  await t.throwsAsync(refused, { code: "QUEUE_FULL" });
  settle();
  advance(100);
  await t.throwsAsync(late, { code: "TIMEOUT" });
  const open = ask();
  settle();
  const stopped = system.stop();
  settle();
  await stopped;
  await t.throwsAsync(open, { code: "STOPPED" });
  await t.throwsAsync(ask(), { code: "STOPPED" });
  t.is(clock.pendingTimers, 0, "no timer keeps the process alive");
});

test("what is piped and is no promise, or one of somebody's own making, comes back too", async (t) => {
  const { system, settle } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(always), { log }, { name: "a" });
  const error = new Error("no");
  const then = (): never => {
    throw error;
  };
  for (const given of [7, undefined, { then }] as unknown as Promise<unknown>[]) {
    ref.tell((context) => context.pipe(given, (outcome) => () => log.push(outcome)));
  }
  settle();
  for (let turn = 0; turn < 3; turn++) {
    await drainMicrotasks();
    settle();
  }
  t.deepEqual(log, [
    { ok: true, value: 7 },
    { ok: true, value: undefined },
    { ok: false, error },
  ]);
});

test("a piped promise comes back as a message, either way, but not to a later incarnation", async (t) => {
  const { system, settle, advance, figures } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(always), { log }, { name: "a" });
  const pipe = (promise: Promise<number>): boolean =>
    ref.tell((context) => context.pipe(promise, (outcome) => () => log.push(outcome)));
  const error = new Error("no");
  pipe(Promise.resolve(1));
  pipe(Promise.reject(error));
  settle();
  await drainMicrotasks();
  settle();
  t.deepEqual(log, [
    { ok: true, value: 1 },
    { ok: false, error },
  ]);
  pipe(Promise.resolve(2));
  ref.tell(crash);
  settle();
  advance(1_000);
  await drainMicrotasks();
  settle();
  t.is(log.length, 3, "only the stopping signal came");
  t.is(figures("/test/a")?.lost.late, 1);
});
