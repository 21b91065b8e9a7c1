// The same cases for both kinds of thread that this package starts: an actor's and a network's.

import test, { type ExecutionContext } from "ava";
import { createActorSystem } from "../../src/runtime/actor-system.js";
import type { ActorRef, Signal } from "../../src/runtime/actor.js";
import { systemClock } from "../../src/runtime/clock.js";
import { seededRandom } from "../../src/runtime/random.js";
import { createScheduler } from "../../src/runtime/scheduler.js";
import { workerThreads } from "../../src/runtime/thread-link.js";
import { startNetworkThread } from "../../src/thread.js";
import { portModule } from "../embedding/thread-ports.js";
import { makeKey, makeTransaction } from "../support/chain.js";
import { always, scripted } from "./harness.js";
import { stoppingWorker, type WorkerEnv, type WorkerMessage } from "./thread-actors.js";

/** How a thread comes to grief while it starts. */
type Grief = "hangs" | "dies" | "refuses";

type Trap = "exit" | "hang";

interface StartOptions {
  readonly grief?: Grief;
  readonly trap?: Trap;
  readonly startMs?: number;
  readonly callMs?: number;
  readonly stopMs?: number;
}

/** A thread that runs. */
interface Hosted {
  /** A question that the thread gets, and never answers: it runs into its trap instead. */
  spring(): Promise<{ readonly question: Promise<unknown> }>;
  /** Whether the thread told its figures. */
  hears(): Promise<boolean>;
  /** Resolves when the thread is gone, by whatever means. */
  stop(): Promise<void>;
  /** Why it ended. */
  readonly ended: Promise<Error | undefined>;
}

/** Rejects with why it did not start. */
type Start = (t: ExecutionContext, options?: StartOptions) => Promise<Hosted>;

/** Resolves once the thread of a trap says that it is in it. */
function sprung(channel: string): Promise<void> {
  const said = new BroadcastChannel(channel);
  return new Promise((resolve) => {
    said.onmessage = () => {
      said.close();
      resolve();
    };
  });
}

const startNetwork: Start = async (t, { grief, trap, startMs, callMs, stopMs } = {}) => {
  const griefs = {
    hangs: { mempool: portModule("createNothing") },
    dies: { mempool: portModule("createDeath") },
    refuses: { blockStore: portModule("createLockedStore") },
  };
  let onEnded!: (error: Error | undefined) => void;
  const ended = new Promise<Error | undefined>((resolve) => (onEnded = resolve));
  const network = await startNetworkThread(
    {
      pool: { inline: true },
      calls: {
        ...(startMs !== undefined && { threadStartMs: startMs }),
        ...(callMs !== undefined && { timeoutMs: callMs - 1, threadTimeoutMs: callMs }),
      },
    },
    {
      ports: {
        consensus: portModule("createTestConsensus"),
        ...(trap && { mempool: portModule("createTrapMempool", { trap, channel: t.title }) }),
        ...(grief && griefs[grief]),
      },
      onExit: ({ error }) => onEnded(error),
      ...(stopMs !== undefined && { stopTimeoutMs: stopMs }),
    },
  );
  const stop = (): Promise<void> => network.stop().catch(() => undefined);
  t.teardown(stop);
  return {
    async spring() {
      const there = sprung(t.title);
      const question = network.broadcastTransaction(makeTransaction(makeKey(1), 1));
      question.catch(() => undefined);
      await there;
      return { question };
    },
    hears: async () => (await network.figures().catch(() => [])).length > 0,
    stop,
    ended,
  };
};

const startActor: Start = async (t, { grief, trap, startMs, callMs, stopMs } = {}) => {
  const exportName =
    grief === undefined
      ? "createWorkerEnv"
      : { hangs: "createHangingEnv", dies: "createDyingEnv", refuses: "createRefusingEnv" }[grief];
  const moduleUrl = new URL("./thread-actors.js", import.meta.url).href;
  const system = createActorSystem<WorkerEnv>({
    env: { label: "parent" },
    clock: systemClock,
    random: seededRandom(1),
    scheduler: createScheduler(systemClock),
    name: "app",
    threads: workerThreads({
      envModule: { moduleUrl, exportName, options: { label: "thread" } },
      ...(startMs !== undefined && { startTimeoutMs: startMs }),
      ...(callMs !== undefined && { callTimeoutMs: callMs }),
      ...(stopMs !== undefined && { stopTimeoutMs: stopMs }),
    }),
  });
  t.teardown(() => system.stop());
  let onEnded!: (error: Error | undefined) => void;
  const ended = new Promise<Error | undefined>((resolve) => (onEnded = resolve));
  const onSignal = (signal: Signal): void => {
    if (signal.type === "childStopped") onEnded(signal.error as Error | undefined);
  };
  const parent = system.spawn(scripted(always), { log: [], onSignal }, { name: "parent" });
  const ref = await new Promise<ActorRef<WorkerMessage>>((resolve) => {
    parent.tell((context) =>
      resolve(context.spawn(stoppingWorker, null, { name: "child", at: "thread" })),
    );
  });
  const ask = (question: (replyTo: ActorRef<unknown>) => WorkerMessage): Promise<unknown> =>
    system.ask(ref, question, 30_000);
  const failed = ended.then((error) => Promise.reject(error ?? new Error("it ended")));
  failed.catch(() => undefined);
  const answered = ask((replyTo) => ({ type: "handled", replyTo }));
  // Of a thread that is gone its end says more.
  await answered.catch(() => failed);
  return {
    async spring() {
      const question = ask((replyTo) => ({ type: "never", replyTo }));
      question.catch(() => undefined);
      if (trap === "exit") ref.tell({ type: "exit" });
      else {
        const there = sprung(t.title);
        ref.tell({ type: "hang", channel: t.title });
        await there;
      }
      return { question };
    },
    hears: async () => (await system.allFigures()).some(({ path }) => path === ref.path),
    // A parent that stops itself is not signalled.
    stop: () => system.stop().then(() => onEnded(undefined)),
    ended,
  };
};

/** Of an error and of what caused it. */
function codes(error: unknown): unknown[] {
  return error instanceof Error ? [(error as { code?: unknown }).code, ...codes(error.cause)] : [];
}

for (const [kind, start] of Object.entries({ actor: startActor, network: startNetwork })) {
  const serial = (title: string, run: (t: ExecutionContext) => Promise<void>): void =>
    test.serial(`the thread of one ${kind}${title}`, async (t) => {
      // A guard: what is looked for are waits without an end.
      t.timeout(60_000);
      await run(t);
    });

  serial(" that hangs while it starts is ended and said to", async (t) => {
    const error = await t.throwsAsync(start(t, { grief: "hangs", startMs: 1_000 }));
    t.true(codes(error).includes("TIMEOUT"));
  });

  serial(" that dies while it starts is said to, with its code", async (t) => {
    const error = await t.throwsAsync(start(t, { grief: "dies" }), {
      message: /ended with code 7$/,
    });
    t.truthy(codes(error)[0]);
  });

  serial(" that refuses to start says why, and the reason keeps its code", async (t) => {
    t.true(codes(await t.throwsAsync(start(t, { grief: "refuses" }))).includes("DATA_LOCKED"));
  });

  serial(" that dies while it is asked leaves no question open", async (t) => {
    const thread = await start(t, { trap: "exit" });
    t.true(await thread.hears());
    const { question } = await thread.spring();
    const figures = thread.hears();
    await t.throwsAsync(question, { code: "STOPPED" });
    await figures;
    t.regex((await thread.ended)!.message, /ended with code \d$/);
    t.false(await thread.hears());
    await thread.stop();
  });

  serial(" that hangs while it is asked is not waited for", async (t) => {
    const thread = await start(t, { trap: "hang", callMs: 300, stopMs: 100 });
    await thread.spring();
    t.false(await thread.hears());
    await thread.stop();
  });

  serial(" is stopped once, however often it is told", async (t) => {
    const thread = await start(t);
    await Promise.all([thread.stop(), thread.stop()]);
    await thread.stop();
    t.is(await thread.ended, undefined);
    t.false(await thread.hears());
  });

  serial(" that does not stop is ended by force, and its questions with it", async (t) => {
    const thread = await start(t, { trap: "hang", stopMs: 100 });
    const { question } = await thread.spring();
    const figures = thread.hears();
    await thread.stop();
    await t.throwsAsync(question, { code: "STOPPED" });
    t.false(await figures);
  });
}
