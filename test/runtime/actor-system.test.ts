import test from "ava";
import type { Signal } from "../../src/runtime/actor.js";
import type { MailboxSpec } from "../../src/runtime/actor.js";
import type { LocatedRef } from "../../src/runtime/located-ref.js";
import type { Script, ScriptContext } from "./harness.js";
import { defineActor } from "../../src/runtime/actor.js";
import { createActorSystem } from "../../src/runtime/actor-system.js";
import { systemClock } from "../../src/runtime/clock.js";
import { seededRandom } from "../../src/runtime/random.js";
import { createScheduler } from "../../src/runtime/scheduler.js";
import { always, asking, crash, createHarness, drainMicrotasks, scripted } from "./harness.js";

test("a system stops its actors, children before parents and the youngest first", async (t) => {
  const { system, settle } = createHarness();
  const order: string[] = [];
  const grow = (name: string, children: readonly string[]) => ({
    log: [],
    onInit: (context: ScriptContext): void => {
      for (const child of children) {
        context.spawn(scripted(), grow(child, []), { name: child });
      }
    },
    onSignal: (signal: Signal): void => void (signal.type === "stopping" && order.push(name)),
  });
  system.spawn(scripted(), grow("a", ["a1", "a2"]), { name: "a" });
  system.spawn(scripted(), grow("b", []), { name: "b" });
  settle();
  const stopped = system.stop();
  settle();
  await stopped;
  t.deepEqual(order, ["b", "a2", "a1", "a"]);
  t.throws(() => system.spawn(scripted(), { log: [] }, { name: "c" }));
});

test("a killed system falls silent: no signal, no timer, no message, in the middle of a slice", async (t) => {
  const { system, clock, scheduler, settle, trace, faults } = createHarness();
  const log: unknown[] = [];
  const parent = system.spawn(
    scripted(always),
    { log, onInit: (context) => void context.spawn(scripted(), { log }, { name: "child" }) },
    { name: "parent" },
  );
  parent.tell((context) => {
    context.startTimer("late", 10, () => log.push("timer"));
    context.pipe(Promise.resolve(), () => () => log.push("pipe"));
  });
  settle();
  const asked = system.ask(parent, (replyTo) => asking(replyTo), 1_000);
  parent.tell((context) => {
    system.kill();
    context.startTimer("later", 10, () => log.push("timer"));
    crash();
  });
  parent.tell(() => log.push("message"));
  scheduler.runUntilIdle();
  await t.throwsAsync(asked, { message: /stopped/ });
  scheduler.runUntilIdle();
  t.is(clock.pendingTimers, 0);
  t.deepEqual(log, []);
  t.deepEqual(faults, []);
  t.is(trace.length, 3);
  t.false(parent.tell(() => {}));
});

test("names are unique among the living and well formed", (t) => {
  const { system, settle } = createHarness();
  const first = system.spawn(scripted(), { log: [] }, { name: "a" });
  t.is(first.path, "/test/a");
  t.throws(() => system.spawn(scripted(), { log: [] }, { name: "a" }), { message: /free/ });
  t.throws(() => system.spawn(scripted(), { log: [] }, { name: "a/b" }));
  first.tell((context) => context.stop());
  settle();
  const log: unknown[] = [];
  const second = system.spawn(scripted(), { log }, { name: "a" });
  settle();
  t.false(
    first.tell((_, own) => own.push("old")),
    "a reference does not reach its namesake",
  );
  t.true(second.tell((_, own) => own.push("new")));
  settle();
  t.deepEqual(log, ["new"]);
});

test("what a stopped actor still had, and what it is told later, are dead letters", (t) => {
  const { system, settle } = createHarness();
  const ref = system.spawn(scripted(), { log: [] }, { name: "a" });
  ref.tell((context) => context.stop());
  ref.tell(() => t.fail("delivered after the stop"));
  settle();
  ref.tell(() => {});
  t.is(system.deadLetters, 2);
});

test("a parent stops a child, is told, and cannot stop a stranger", (t) => {
  const { system, settle, faults } = createHarness();
  const stranger = system.spawn(scripted(), { log: [] }, { name: "stranger" });
  const log: unknown[] = [];
  const parent = system.spawn(scripted(), { log }, { name: "parent" });
  const childLog: unknown[] = [];
  parent.tell((context) => {
    const child = context.spawn(scripted(), { log: childLog }, { name: "child" });
    child.tell(() => childLog.push("never"));
    context.stop(child);
    context.stop(child);
  });
  settle();
  t.deepEqual(childLog, [], "it had not started");
  t.deepEqual(log, [{ type: "childStopped", path: "/test/parent/child" }]);
  parent.tell((context) => context.stop(stranger));
  settle();
  t.regex(String(faults[0]?.error), /its own children/);
});

test("a watcher is told once when its target is gone, at once if it was", (t) => {
  const { system, settle } = createHarness();
  const log: unknown[] = [];
  const watcher = system.spawn(scripted(), { log }, { name: "watcher" });
  const target = system.spawn(scripted(), { log: [] }, { name: "target" });
  const watch = (context: ScriptContext): void => context.watch(target);
  watcher.tell(watch);
  watcher.tell(watch);
  settle();
  t.deepEqual(log, []);
  target.tell((context) => context.stop());
  settle();
  t.deepEqual(log, [{ type: "terminated", path: "/test/target" }]);
  watcher.tell(watch);
  settle();
  t.is(log.length, 2);
});

test("nothing is left of watchers and refused senders that ended before their target", (t) => {
  const { system, settle } = createHarness();
  const small = scripted({ kind: "stop" }, { dataMax: 1, controlMax: 1, overflow: "reject" });
  const target = system.spawn(small, { log: [] }, { name: "target" });
  settle();
  const { watchers } = (target as unknown as LocatedRef).lifeline()!;
  for (let i = 0; i < 10_000; i++) {
    const watcher = system.spawn(scripted(), { log: [] }, { name: "watcher" });
    watcher.tell((context) => context.watch(target));
    settle();
    watcher.tell((context) => context.stop());
    settle();
  }
  t.is(watchers?.size ?? 0, 0);
});

test("a watch that was taken back is not told", (t) => {
  const { system, settle } = createHarness();
  const log: unknown[] = [];
  const watcher = system.spawn(scripted(), { log }, { name: "watcher" });
  const target = system.spawn(scripted(), { log: [] }, { name: "target" });
  watcher.tell((context) => context.watch(target));
  watcher.tell((context) => context.unwatch(target));
  settle();
  target.tell((context) => context.stop());
  settle();
  t.deepEqual(log, []);
});

test("what a lost message owns is disposed of, whatever way it is lost, and only once", async (t) => {
  const { system, settle, advance } = createHarness();
  const disposed: string[] = [];
  const own = (name: string, script: Script = () => undefined): Script =>
    Object.assign(script.bind(undefined), { owns: name });
  const mailbox: MailboxSpec<Script> = {
    dataMax: 2,
    controlMax: 1,
    overflow: "dropOldest",
    dispose: (script) => {
      const { owns } = script as Script & { owns?: string };
      if (owns !== undefined) disposed.push(owns);
    },
  };
  const keeper = system.spawn(scripted(always, mailbox), { log: [] }, { name: "keeper" });
  settle();
  for (const name of ["dropped", "dealt with", "crashed on"]) {
    keeper.tell(own(name, name === "crashed on" ? crash : undefined));
  }
  settle();
  t.deepEqual(disposed, ["dropped", "crashed on"]);
  advance(1_000);
  let resolve = (_name: string): void => undefined;
  const late = new Promise<string>((settled) => (resolve = settled));
  keeper.tell((context) =>
    context.pipe(late, (outcome) => own(outcome.ok ? outcome.value : "failed")),
  );
  settle();
  keeper.tell(crash);
  settle();
  resolve("late");
  await drainMicrotasks();
  settle();
  keeper.tell(own("waiting"));
  t.deepEqual(disposed.slice(2), ["late"]);
  const stopped = system.stop();
  settle();
  await stopped;
  t.deepEqual(disposed.slice(3), ["waiting"]);
});

test("a restarted watched actor is not gone, and a restarted watcher no longer watches", (t) => {
  const { system, settle, advance } = createHarness();
  const log: unknown[] = [];
  const watcher = system.spawn(scripted(always), { log }, { name: "watcher" });
  const target = system.spawn(scripted(always), { log: [] }, { name: "target" });
  watcher.tell((context) => context.watch(target));
  target.tell(crash);
  settle();
  advance(1_000);
  t.deepEqual(log, []);
  watcher.tell(crash);
  settle();
  advance(1_000);
  target.tell((context) => context.stop());
  settle();
  t.deepEqual(log, [{ type: "stopping", restarting: true }]);
});

test("a refused sender is told once, when its target has drained to half", (t) => {
  const { system, scheduler, settle, figures } = createHarness();
  const log: unknown[] = [];
  const full = scripted({ kind: "stop" }, { dataMax: 4, controlMax: 1, overflow: "reject" });
  const target = system.spawn(full, { log: [] }, { name: "target" });
  const depths: (number | undefined)[] = [];
  const onSignal = (signal: Signal): void =>
    void (signal.type === "writable" && depths.push(figures("/test/target")?.dataDepth));
  const sender = system.spawn(scripted(), { log, onSignal }, { name: "sender" });
  const bystander: unknown[] = [];
  system.spawn(scripted(), { log: bystander }, { name: "bystander" });
  settle();
  const told: boolean[] = [];
  sender.tell(() => {
    for (let i = 0; i < 6; i++) told.push(target.tell(() => {}));
  });
  while (told.length === 0) scheduler.step();
  t.deepEqual(told, [true, true, true, true, false, false]);
  settle();
  t.deepEqual(log, [{ type: "writable", path: "/test/target" }]);
  t.true((depths[0] ?? 9) <= 2);
  t.is(figures("/test/target")?.refused.full, 2);
  t.deepEqual(bystander, []);
});

test("timers are keyed: the latest wins, cancelling works even after firing", (t) => {
  const { system, settle, advance, clock } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(), { log }, { name: "a" });
  const say =
    (word: string): Script =>
    () =>
      log.push([word, clock.monotonicMs()]);
  ref.tell((context) => {
    context.startTimer("x", 10, say("replaced"));
    context.startTimer("x", 20, say("x"));
    context.startTimer("y", 30, say("cancelled"));
    context.startTimer("z", 40, say("z"));
    context.cancelTimer("y");
  });
  settle();
  advance(100);
  t.deepEqual(log, [
    ["x", 20],
    ["z", 40],
  ]);
  // All have fired before the first is delivered, which cancels one and replaces the other.
  ref.tell((context) => {
    context.startTimer("first", 5, () => {
      context.cancelTimer("second");
      context.startTimer("third", 5, say("replacement"));
    });
    context.startTimer("second", 5, say("second"));
    context.startTimer("third", 5, say("third"));
  });
  settle();
  clock.advanceBy(5);
  settle();
  t.is(log.length, 2);
  advance(5);
  t.deepEqual(log[2], ["replacement", 110]);
  t.is(clock.pendingTimers, 0);
});

test("timers die with a restart and with the actor", (t) => {
  const { system, settle, advance, clock } = createHarness();
  const log: unknown[] = [];
  const ref = system.spawn(scripted(always), { log }, { name: "a" });
  const arm: Script = (context) => context.startTimer("x", 5_000, () => log.push("fired"));
  ref.tell(arm);
  ref.tell(crash);
  settle();
  advance(6_000);
  t.deepEqual(log, [{ type: "stopping", restarting: true }]);
  ref.tell(arm);
  ref.tell((context) => context.stop());
  settle();
  t.is(clock.pendingTimers, 0);
});

test("afterBatch runs after each slice in which the actor received, and its throw is a fault", (t) => {
  const { system, settle, faults } = createHarness();
  const log: string[] = [];
  const type = defineActor<null, string, null, unknown>({
    name: "batch",
    mailbox: { dataMax: 8, controlMax: 1, overflow: "reject" },
    onFault: { kind: "stop" },
    init: () => null,
    receive: (_, message) => void log.push(message),
    afterBatch: () => {
      log.push("flush");
      if (log.includes("crash")) crash();
    },
  });
  const ref = system.spawn(type, null, { name: "a" });
  settle();
  t.deepEqual(log, [], "init is no message");
  ref.tell("one");
  ref.tell("two");
  settle();
  t.deepEqual(log, ["one", "flush", "two", "flush"]);
  ref.tell("crash");
  settle();
  t.is(faults.length, 1);
});

test("an actor's own invariants are called", (t) => {
  const { system, scheduler } = createHarness();
  const type = defineActor<null, never, null, unknown>({
    name: "broken",
    mailbox: { dataMax: 8, controlMax: 1, overflow: "reject" },
    onFault: { kind: "stop" },
    init: () => null,
    receive: () => {},
    invariants: () => crash(),
    atRest: () => crash(),
  });
  system.spawn(type, null, { name: "a" });
  scheduler.runUntilIdle();
  t.throws(() => system.invariants(), { message: "crash" });
  t.throws(() => system.atRest(), { message: "crash" });
});

test("the overflow policies count what they drop, and the sender goes on", (t) => {
  for (const [overflow, kept] of [
    ["dropOldest", [2, 3]],
    ["dropNewest", [0, 1]],
  ] as const) {
    const { system, settle, figures } = createHarness();
    const log: unknown[] = [];
    const ref = system.spawn(
      scripted({ kind: "stop" }, { dataMax: 2, controlMax: 1, overflow }),
      { log },
      { name: "a" },
    );
    for (let i = 0; i < 4; i++) t.true(ref.tell(() => log.push(i)));
    settle();
    t.deepEqual(log, kept);
    t.is(figures("/test/a")?.refused.dropped, 2);
  }
});

test("actors run on the production scheduler, with time in their figures", async (t) => {
  const system = createActorSystem({
    env: { greeting: "hello" },
    clock: systemClock,
    random: seededRandom(1),
    scheduler: createScheduler(systemClock),
  });
  const type = defineActor<
    null,
    { type: "greet"; done: (word: string) => void },
    null,
    { greeting: string }
  >({
    name: "greeter",
    mailbox: () => ({ dataMax: 8, controlMax: 1, overflow: "reject" }),
    onFault: { kind: "stop" },
    init: () => null,
    receive: (_, { done }, { env }) => done(env.greeting),
  });
  const ref = system.spawn(type, null, { name: "greeter" });
  const word = await new Promise((done) => void ref.tell({ type: "greet", done }));
  t.is(word, "hello");
  await new Promise((resolve) => void setImmediate(resolve));
  t.like(system.figures()[0], { path: "/system/greeter", handled: 1 });
  t.true((system.figures()[0]?.busyMs ?? 0) > 0);
  await system.stop();
  t.deepEqual(system.figures(), []);
});
