import test from "ava";
import type { ExecutionContext } from "ava";
import { setTimeout as turnOfLoop } from "node:timers/promises";
import { MessageChannel, threadId } from "node:worker_threads";
import type { ActorRef, AskOutcome, Signal } from "../../src/runtime/actor.js";
import type { FaultReport } from "../../src/runtime/actor-system.js";
import type { WorkerThreadsOptions } from "../../src/runtime/thread-control.js";
import type { AskBack, WorkerEnv, WorkerMessage, Whereabouts } from "./thread-actors.js";
import { createActorSystem } from "../../src/runtime/actor-system.js";
import type { Kernel } from "../../src/runtime/kernel.js";
import { Link } from "../../src/runtime/link.js";
import type { LocatedRef } from "../../src/runtime/located-ref.js";
import { systemClock } from "../../src/runtime/clock.js";
import { seededRandom } from "../../src/runtime/random.js";
import { createScheduler } from "../../src/runtime/scheduler.js";
import { workerThreads } from "../../src/runtime/thread-link.js";
import { always, asking, scripted } from "./harness.js";
import {
  escalatingWorker,
  missingWorker,
  restartingWorker,
  stoppingWorker,
} from "./thread-actors.js";

const moduleUrl = new URL("./thread-actors.js", import.meta.url).href;
const timeoutMs = 30_000;

type ThreadSystem = ReturnType<typeof createThreadSystem>["system"];

function createThreadSystem(t: ExecutionContext, options: Partial<WorkerThreadsOptions> = {}) {
  const faults: FaultReport[] = [];
  const system = createActorSystem<WorkerEnv>({
    env: { label: "parent" },
    clock: systemClock,
    random: seededRandom(1),
    scheduler: createScheduler(systemClock),
    name: "app",
    onFault: (report) => faults.push(report),
    threads: workerThreads({
      envModule: { moduleUrl, exportName: "createWorkerEnv", options: { label: "thread" } },
      ...options,
    }),
  });
  t.teardown(() => system.stop());
  /** An actor on this thread that keeps what it gets. */
  const listen = <M>(name: string) => {
    const messages: M[] = [];
    const waiting: { count: number; resolve: (messages: M[]) => void }[] = [];
    const ref = system.spawn<null, M, null>(
      {
        name,
        mailbox: { dataMax: 10_000, controlMax: 1, overflow: "reject" },
        onFault: { kind: "stop" },
        init: () => null,
        receive: (_, message) => {
          messages.push(message);
          for (const { count, resolve } of waiting) if (messages.length >= count) resolve(messages);
        },
      },
      null,
      { name },
    );
    const received = (count: number): Promise<M[]> =>
      new Promise((resolve) => {
        waiting.push({ count, resolve });
        if (messages.length >= count) resolve(messages);
      });
    return { ref, messages, received };
  };
  /** A parent on this thread, the signals it gets, and a child of it in another thread. */
  const family = (type = stoppingWorker) => {
    const signals: Signal[] = [];
    let heard: (() => void) | undefined;
    const log: unknown[] = [];
    const parent = system.spawn(
      scripted(always),
      {
        log,
        onSignal: (signal) => {
          signals.push(signal);
          heard?.();
        },
      },
      { name: "parent" },
    );
    const child = new Promise<ActorRef<WorkerMessage>>((resolve) => {
      parent.tell((context) => resolve(context.spawn(type, null, { name: "child", at: "thread" })));
    });
    const signalled = async (type: Signal["type"]): Promise<Signal> => {
      for (;;) {
        const found = signals.find((signal) => signal.type === type);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => void (heard = resolve));
      }
    };
    return { parent, child, signalled, signals };
  };
  const where = (ref: ActorRef<WorkerMessage>): Promise<Whereabouts> =>
    system.ask<WorkerMessage, Whereabouts>(
      ref,
      (replyTo) => ({ type: "where", replyTo }),
      timeoutMs,
    );
  return { system, faults, listen, family, where };
}

test("an actor placed in a thread runs there, with its own environment and its arguments", async (t) => {
  const { system, where } = createThreadSystem(t);
  const args = { list: [1, 2n, new Uint8Array([3])] };
  const ref = system.spawn(stoppingWorker, args, { name: "worker", at: "thread" });
  t.is(ref.path, "/app/worker");
  const answer = await where(ref);
  t.not(answer.threadId, threadId);
  t.deepEqual(
    { label: answer.label, path: answer.path, args: answer.args },
    { label: "thread", path: "/app/worker", args },
  );
  const figures = await system.allFigures();
  t.like(
    figures.find(({ path }) => path === "/app/worker"),
    { handled: 1 },
  );
  await system.stop();
  t.false(ref.tell({ type: "stop" }));
  t.deepEqual(await system.allFigures(), []);
});

test("references travel at any depth, also those to a third thread", async (t) => {
  const { system, listen, where } = createThreadSystem(t);
  const { ref: here, received } = listen<string>("here");
  const one = system.spawn(stoppingWorker, { here }, { name: "one", at: "thread" });
  const two = system.spawn(stoppingWorker, null, { name: "two", at: "thread" });
  t.is(((await where(one)).args as { here: unknown }).here, here, "a reference finds its way home");
  one.tell({ type: "relay", to: { deep: [here, here] } });
  t.deepEqual(await received(2), ["from /app/one", "from /app/one"]);
  // Thread one tells thread two, which tells this one: both ways go through here.
  const relayed = two as unknown as ActorRef<string>;
  one.tell({ type: "relay", to: { deep: [relayed] } });
  const handled = await system.ask<WorkerMessage, number>(
    two,
    (replyTo) => ({ type: "handled", replyTo }),
    timeoutMs,
  );
  t.true(handled >= 1);
});

test("an actor in a thread asks one on this side", async (t) => {
  const { system, listen } = createThreadSystem(t);
  const { ref: tell, received } = listen<string>("listener");
  const { ref: to, received: asked } = listen<AskBack>("callee");
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  ref.tell({ type: "askBack", to, tell });
  const [question] = await asked(1);
  t.true(question?.replyTo.tell("pong"));
  t.deepEqual(await received(1), ["from /app/worker"]);
  const lettersBefore = system.deadLetters;
  question?.replyTo.tell("again");
  t.is(
    await system.ask<WorkerMessage, number>(
      ref,
      (replyTo) => ({ type: "handled", replyTo }),
      timeoutMs,
    ),
    3,
  );
  t.is(system.deadLetters, lettersBefore, "the late reply is counted where it arrives");
});

for (const death of ["exit", "throwLater", "crash", "stop"] as const) {
  test(`when a thread ends by ${death}, asks settle, watchers and the parent are told`, async (t) => {
    const { system, family, where } = createThreadSystem(t);
    const { parent, child, signalled, signals } = family();
    const ref = await child;
    await where(ref);
    parent.tell((context) => context.watch(ref));
    const pending = system.ask<WorkerMessage, string>(
      ref,
      (replyTo) => ({ type: "never", replyTo }),
      timeoutMs * 10,
    );
    ref.tell({ type: death });
    await t.throwsAsync(pending, { code: death === "crash" ? "CRASHED" : "STOPPED" });
    const stopped = await signalled("childStopped");
    t.is(stopped.type === "childStopped" && stopped.error !== undefined, death !== "stop");
    await signalled("terminated");
    t.is(signals.length, 2);
    t.false(ref.tell({ type: "stop" }));
    await t.throwsAsync(where(ref), { code: "STOPPED" });
  });
}

test("a crash in a thread settles what was held there, and not what waits", async (t) => {
  const { system } = createThreadSystem(t);
  const ref = system.spawn(restartingWorker, null, { name: "worker", at: "thread" });
  const ask = (type: "never" | "handled"): Promise<unknown> =>
    system.ask<WorkerMessage, string | number>(ref, (replyTo) => ({ type, replyTo }), timeoutMs);
  const held = ask("never");
  ref.tell({ type: "crash" });
  const waits = ask("handled");
  await t.throwsAsync(held, { code: "CRASHED" });
  t.is(await waits, 1);
});

test("a question told on from thread to thread is answered by its last owner", async (t) => {
  const { system } = createThreadSystem(t);
  const one = system.spawn(stoppingWorker, null, { name: "one", at: "thread" });
  const two = system.spawn(stoppingWorker, null, { name: "two", at: "thread" });
  const nested = await system.ask<WorkerMessage, ActorRef<WorkerMessage>>(
    two,
    (tell) => ({ type: "nest", tell }),
    timeoutMs,
  );
  for (const [to, path] of [
    [two, "/app/two"],
    [one, "/app/one"],
    [nested, "/app/two/nested"],
  ] as const) {
    const { path: answered } = await system.ask<WorkerMessage, Whereabouts>(
      one,
      (replyTo) => ({ type: "pass", to, question: { type: "where", replyTo } }),
      timeoutMs,
    );
    t.is(answered, path);
  }
});

test("a question told on outlives the thread that had it, and ends with the one that has it", async (t) => {
  const { system, where } = createThreadSystem(t);
  const one = system.spawn(stoppingWorker, null, { name: "one", at: "thread" });
  const two = system.spawn(stoppingWorker, null, { name: "two", at: "thread" });
  await Promise.all([where(one), where(two)]);
  let ended = false;
  const pending = system
    .ask<WorkerMessage, string>(
      one,
      (replyTo) => ({ type: "pass", to: two, question: { type: "never", replyTo } }),
      timeoutMs,
    )
    .finally(() => (ended = true));
  const settled = t.throwsAsync(pending, { code: "STOPPED" });
  // Its answer comes after what it told on.
  await where(one);
  one.tell({ type: "exit" });
  await t.throwsAsync(where(one), { code: "STOPPED" });
  await where(two);
  t.false(ended);
  two.tell({ type: "exit" });
  await settled;
});

test("a question to an actor that is gone from a living thread settles as stopped", async (t) => {
  const { system, where } = createThreadSystem(t);
  const one = system.spawn(stoppingWorker, null, { name: "one", at: "thread" });
  const nested = await system.ask<WorkerMessage, ActorRef<WorkerMessage>>(
    one,
    (tell) => ({ type: "nest", tell }),
    timeoutMs,
  );
  nested.tell({ type: "stop" });
  await t.throwsAsync(where(nested), { code: "STOPPED" });
  await t.throwsAsync(where(nested), { code: "STOPPED" });
  await where(one);
});

test("an answer or a question that cannot be cloned ends as dropped", async (t) => {
  const { system } = createThreadSystem(t);
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  const odd = system.ask<WorkerMessage, unknown>(
    ref,
    (replyTo) => ({ type: "unclonable", replyTo }),
    timeoutMs,
  );
  await t.throwsAsync(odd, { code: "QUEUE_FULL" });
  const question = system.ask<WorkerMessage, unknown>(
    ref,
    (replyTo) => ({ type: "handled", replyTo, why: () => undefined }) as never,
    timeoutMs,
  );
  await t.throwsAsync(question, { code: "QUEUE_FULL" });
});

test("a thread that does not stop in time is killed", async (t) => {
  const { system, where } = createThreadSystem(t, { stopTimeoutMs: 50 });
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  await where(ref);
  ref.tell({ type: "block" });
  await system.stop();
  t.pass();
});

test("a fault in a thread is reported, and a restart happens there", async (t) => {
  const { system, faults, where } = createThreadSystem(t);
  const ref = system.spawn(restartingWorker, null, { name: "worker", at: "thread" });
  ref.tell({ type: "crash" });
  await where(ref);
  t.like(faults[0], { path: "/app/worker", action: "restarting" });
  t.like(faults[0]?.error, { code: "STORE_FAILED", message: "worker crashed" });
  const figures = await system.allFigures();
  t.like(
    figures.find(({ path }) => path === "/app/worker"),
    { restarts: 1, faults: 1 },
  );
});

test("a fault that escalates out of a thread restarts the parent here", async (t) => {
  const { faults, family } = createThreadSystem(t);
  const { child, signalled } = family(escalatingWorker);
  (await child).tell({ type: "crash" });
  t.deepEqual(await signalled("stopping"), { type: "stopping", restarting: true });
  t.deepEqual(
    faults.map(({ path, action }) => [path, action]),
    [
      ["/app/parent/child", "escalated"],
      ["/app/parent", "restarting"],
    ],
  );
});

test("an actor or an environment that a thread cannot load stops the child with the reason", async (t) => {
  const { family } = createThreadSystem(t);
  const stopped = await family(missingWorker).signalled("childStopped");
  const { error } = stopped as { error: Error & { cause: Error } };
  t.like(error, { code: "WORKER_LOST" });
  t.regex(error.cause.message, /noSuchExport/);
  const envModule = { moduleUrl, exportName: "createBrokenEnv", options: null };
  const broken = await createThreadSystem(t, { envModule }).family().signalled("childStopped");
  t.regex((broken as { error: Error & { cause: Error } }).error.cause.message, /no environment/);
});

test("a full link refuses, loses nothing that it took, and says when it can take more", async (t) => {
  const { system, listen, where } = createThreadSystem(t, { creditMax: 64, batchMax: 16 });
  const { ref: replyTo, received } = listen<readonly number[]>("listener");
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  await where(ref);
  const total = 1_000;
  let next = 0;
  let refusals = 0;
  const pump = (): void => {
    while (next <= total) {
      // The worker stops at times, so that its mailbox of 32 and then the credit of 64 run out.
      const message: WorkerMessage =
        next === total
          ? { type: "counted", replyTo }
          : next % 100 === 50
            ? { type: "work", ms: 5 }
            : { type: "count", value: next };
      if (!ref.tell(message)) {
        refusals++;
        return;
      }
      next++;
    }
  };
  const sender = system.spawn(
    scripted(),
    { log: [], onSignal: (signal) => void (signal.type === "writable" && pump()) },
    { name: "sender" },
  );
  sender.tell(pump);
  const [values] = await received(1);
  t.deepEqual(
    values,
    [...Array(total).keys()].filter((value) => value % 100 !== 50),
  );
  t.true(refusals > 0);
  const figures = await system.allFigures();
  const worker = figures.find(({ path }) => path === "/app/worker");
  t.true((worker?.refused.full ?? 0) >= refusals);
});

test("an actor whose mailbox is full takes no credit from others of its thread", async (t) => {
  const { system, faults, where } = createThreadSystem(t, { creditMax: 64, batchMax: 16 });
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  const sleeper = await system.ask<WorkerMessage, ActorRef<WorkerMessage>>(
    ref,
    (tell) => ({ type: "sleeper", tell }),
    timeoutMs,
  );
  sleeper.tell({ type: "crash" });
  // What its mailbox of 32 does not take is held on its side, and keeps its credit.
  let taken = 0;
  while (taken < 1_000 && sleeper.tell({ type: "count", value: taken })) {
    taken++;
    if (taken % 16 === 0) await where(ref);
  }
  t.true(taken < 200, `${taken} messages for an actor that sleeps`);
  t.is((await where(ref)).path, "/app/worker");
  t.is(faults.length, 1);
});

test("a watch that is taken back, or whose watcher ended, is taken back on the other side too", async (t) => {
  const { port1, port2 } = new MessageChannel();
  const [here, there] = [port1, port2].map((port) => {
    const { system } = createThreadSystem(t);
    const kernel = system as unknown as Kernel;
    const link = new Link(kernel, port, { creditMax: 8, batchMax: 4 });
    link.open();
    t.teardown(() => link.close());
    return { system, link };
  }) as [{ system: ThreadSystem; link: Link }, { system: ThreadSystem; link: Link }];
  const target = here.system.spawn(scripted(), { log: [] }, { name: "target" });
  const { path, uid } = target as unknown as LocatedRef;
  const remote = there.link.locate(path, uid) as ActorRef<never>;
  const watchers = (): number => (target as unknown as LocatedRef).lifeline()?.watchers.size ?? 0;
  const become = async (count: number): Promise<void> => {
    for (let turn = 0; turn < 5_000 && watchers() !== count; turn++) await turnOfLoop(1);
    t.is(watchers(), count);
  };
  const log: unknown[] = [];
  const [first, second] = ["first", "second"].map((name) =>
    there.system.spawn(scripted(), { log }, { name }),
  );
  first!.tell((context) => context.watch(remote));
  second!.tell((context) => context.watch(remote));
  await become(1);
  first!.tell((context) => context.unwatch(remote));
  second!.tell((context) => context.stop());
  await become(0);
  first!.tell((context) => {
    context.unwatch(remote);
    context.watch(remote);
    context.unwatch(remote);
    context.watch(remote);
  });
  await become(1);
  target.tell((context) => context.stop());
  const isTold = (): boolean => log.some((entry) => (entry as Signal).type === "terminated");
  for (let turn = 0; turn < 5_000 && !isTold(); turn++) await turnOfLoop(1);
  t.deepEqual(
    log.filter((entry) => (entry as Signal).type === "terminated"),
    [{ type: "terminated", path }],
  );
});

test("a thread whose messages cannot be read any more is lost, by name", async (t) => {
  const { system } = createThreadSystem(t);
  const { port1, port2 } = new MessageChannel();
  const link = new Link(system as unknown as Kernel, port1, { creditMax: 8, batchMax: 4 });
  const broken = new Promise<unknown>((resolve) => (link.onBroken = resolve));
  link.open();
  port1.emit("messageerror", new Error("no such class"));
  t.like(await broken, { code: "WORKER_LOST" });
  port1.close();
  port2.close();
});

test("an answer from a thread passes what waits for room in the mailbox of who asked", async (t) => {
  const { system } = createThreadSystem(t);
  const worker = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    system.spawn<null, string | { answer: AskOutcome<number> }, null>(
      {
        name: "asker",
        mailbox: { dataMax: 1, controlMax: 1, overflow: "reject" },
        onFault: { kind: "stop" },
        init: (context) => {
          const to = { deep: Array.from({ length: 8 }, () => context.self) };
          worker.tell({ type: "relay", to });
          const question = (replyTo: ActorRef<number>): WorkerMessage => ({
            type: "handled",
            replyTo,
          });
          context.ask(worker, question, timeoutMs, (answer) => ({ answer }));
          return null;
        },
        receive: (_, message) => {
          if (typeof message === "string") seen.push("told");
          else seen.push(`answered ${message.answer.ok && message.answer.value}`);
          if (seen.length === 9) resolve();
        },
      },
      null,
      { name: "asker" },
    );
  });
  t.is(seen.filter((entry) => entry === "told").length, 8);
  t.true(seen.includes("answered 2"));
});

test("a message that cannot be cloned is dropped alone, and reported", async (t) => {
  const { system, faults, where, listen } = createThreadSystem(t);
  const { ref: here, received } = listen<string>("here");
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  await where(ref);
  ref.tell({ type: "relay", to: { deep: [here] } });
  ref.tell({ type: "count", value: () => {} } as never);
  ref.tell({ type: "relay", to: { deep: [here] } });
  t.is((await received(2)).length, 2);
  t.like(faults[0], { path: "/app/worker", action: "ignored" });
  t.is(system.deadLetters, 1);
});

test("an actor in a thread watches one on this side, and is told at once if it is gone", async (t) => {
  const { system, listen } = createThreadSystem(t);
  const { ref: tell, received } = listen<string>("listener");
  const target = system.spawn(scripted(), { log: [] }, { name: "target" });
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  ref.tell({ type: "watch", target, tell });
  await system.ask<WorkerMessage, number>(
    ref,
    (replyTo) => ({ type: "handled", replyTo }),
    timeoutMs,
  );
  target.tell((context) => context.stop());
  t.deepEqual(await received(1), ["gone /app/target"]);
  ref.tell({ type: "watch", target, tell });
  t.deepEqual(await received(2), ["gone /app/target", "gone /app/target"]);
});

test("a reference that went through a thread does not reach the namesake of its actor", async (t) => {
  const { system, where } = createThreadSystem(t);
  const worker = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  const log: unknown[] = [];
  const old = system.spawn(scripted(), { log }, { name: "target" });
  old.tell((context) => context.stop());
  await t.throwsAsync(
    system.ask(old, (replyTo) => asking(replyTo), timeoutMs),
    { code: "STOPPED" },
  );
  system.spawn(scripted(), { log }, { name: "target" });
  worker.tell({ type: "relay", to: { deep: [old as unknown as ActorRef<string>] } });
  const before = system.deadLetters;
  await where(worker);
  t.is(system.deadLetters, before + 1);
});

test("an actor in a thread places a child in another, and both end together", async (t) => {
  const { system, listen, where } = createThreadSystem(t);
  const { ref: tell, received } = listen<ActorRef<WorkerMessage>>("listener");
  const ref = system.spawn(stoppingWorker, null, { name: "worker", at: "thread" });
  const outer = await where(ref);
  ref.tell({ type: "nest", tell });
  const [nested] = await received(1);
  t.is(nested?.path, "/app/worker/nested");
  const inner = await where(nested as ActorRef<WorkerMessage>);
  t.not(inner.threadId, outer.threadId);
  t.is(inner.args, "nested");
  await system.stop();
  t.false((nested as ActorRef<WorkerMessage>).tell({ type: "stop" }));
});

test("without threads an actor cannot be placed in one, and a type without source neither", (t) => {
  const bare = createActorSystem({
    env: { label: "bare" },
    clock: systemClock,
    random: seededRandom(1),
    scheduler: createScheduler(systemClock),
  });
  t.throws(() => bare.spawn(stoppingWorker, null, { name: "worker", at: "thread" }));
  const { system } = createThreadSystem(t);
  t.throws(() => system.spawn(scripted(), { log: [] }, { name: "worker", at: "thread" }), {
    message: /names its source/,
  });
});
