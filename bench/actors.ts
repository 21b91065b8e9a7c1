// Tells, asks and forwarded asks per second, on one thread and across two, beside fastq, a bare MessagePort and
// the limit: a bare ring buffer drained by setImmediate here, a bare batched MessagePort there.

import type { ActorRef, AskOutcome } from "../src/runtime/actor.js";
import type { BenchOptions } from "./lib/report.js";
import type { SinkMessage, Work } from "./lib/actor-peers.js";
import { MessageChannel, Worker } from "node:worker_threads";
import fastq from "fastq";
import { defineActor } from "../src/runtime/actor.js";
import { createActorSystem } from "../src/runtime/actor-system.js";
import { systemClock } from "../src/runtime/clock.js";
import { createSystemRandom } from "../src/runtime/random.js";
import { Ring } from "../src/runtime/ring.js";
import { createScheduler } from "../src/runtime/scheduler.js";
import { workerThreads } from "../src/runtime/thread-link.js";
import { mailbox, relay, sink } from "./lib/actor-peers.js";
import { Report } from "./lib/report.js";

const IN_FLIGHT = 64;
const QUEUE_MAX = 4_096;
const BATCH = 512;
const ASK_TIMEOUT_MS = 60_000;
const peerUrl = new URL("./lib/actor-peers.js", import.meta.url);

/** Does `count` operations; the time it takes is what is measured. */
type Subject = (count: number) => Promise<void>;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("actors", options);
  const system = createSystem();
  const bare = { count: startBare(false), echo: startBare(true) };
  const here = () => system.spawn(sink, null, { name: nextName("sink") });
  const relayTo = (to: ActorRef<SinkMessage>) =>
    system.spawn(relay, { to }, { name: nextName("relay") });
  const there = system.spawn(sink, null, { name: "remote", at: "thread" });
  const tellTo =
    (to: () => ActorRef<SinkMessage>): Subject =>
    (n) =>
      tells(system, to(), n);
  const askOf =
    (of: () => ActorRef<SinkMessage>): Subject =>
    (n) =>
      asks(system, of(), n);
  const plan: readonly [string, number, Record<string, Subject>][] = [
    ["tells", 3e6, { vibecoin: tellTo(here), fastq: fastqTells, limit: ringTells }],
    ["asks", 1e6, { vibecoin: askOf(here), fastq: fastqAsks, limit: ringAsks }],
    ["forwarded-asks", 5e5, { vibecoin: askOf(() => relayTo(here())) }],
    [
      "thread-tells",
      3e5,
      {
        vibecoin: tellTo(() => there),
        messageport: (n) => portTells(bare.count, n, 1),
        limit: (n) => portTells(bare.count, n, BATCH),
      },
    ],
    [
      "thread-asks",
      2e5,
      {
        vibecoin: askOf(() => there),
        messageport: (n) => portAsks(bare.echo, n, 1),
        limit: (n) => portAsks(bare.echo, n, IN_FLIGHT),
      },
    ],
  ];
  for (const [metric, fullCount, all] of plan) {
    const subjects = options.profiled ? { vibecoin: all["vibecoin"]! } : all;
    const count = options.smoke ? fullCount / 50 : fullCount;
    for (const subject of Object.values(subjects)) await subject(Math.ceil(count / 5));
    for (let round = 0; round < (options.smoke ? 3 : 5); round++) {
      for (const [name, subject] of Object.entries(subjects)) {
        const startMs = performance.now();
        await subject(count);
        const perSecond = count / ((performance.now() - startMs) / 1_000);
        report.sample(name, metric, "1/s", perSecond);
      }
    }
    for (const peer of Object.keys(subjects)) {
      if (peer !== "vibecoin") report.ratio("vibecoin", peer, metric);
    }
  }
  await system.stop();
  await Promise.all([bare.count.worker.terminate(), bare.echo.worker.terminate()]);
  report.print();
}

// ---- vibecoin --------------------------------------------------------------------------------

type System = ReturnType<typeof createSystem>;

function createSystem() {
  const envModule = { moduleUrl: peerUrl.href, exportName: "createEnv", options: null };
  return createActorSystem({
    env: {},
    clock: systemClock,
    random: createSystemRandom(),
    scheduler: createScheduler(systemClock),
    threads: workerThreads({ envModule, batchMax: BATCH }),
  });
}

let names = 0;
const nextName = (prefix: string): string => `${prefix}-${names++}`;

interface SourceArgs {
  readonly to: ActorRef<SinkMessage>;
  readonly count: number;
  readonly done: () => void;
}

type SourceState = SourceArgs & { left: number; settled: number };

/** Tells as fast as its target takes it, then asks for the total: all of them have arrived. */
const teller = defineActor<SourceArgs, Answered, SourceState, unknown>({
  name: "teller",
  mailbox,
  onFault: { kind: "escalate" },
  init(context, args) {
    const state = { ...args, left: args.count, settled: 0 };
    pump(state, context);
    return state;
  },
  receive(state, { outcome }, context) {
    // Refused like a tell: the signal that follows brings us back.
    if (!outcome.ok && outcome.reason === "refused") return;
    if (!outcome.ok) throw new Error(outcome.reason);
    state.done();
    context.stop();
  },
  signal(state, signal, context) {
    if (signal.type === "writable") pump(state, context);
  },
});

function pump(state: SourceState, context: Parameters<typeof teller.init>[0]): void {
  while (state.left > 0) {
    if (!state.to.tell({ type: "work", value: state.left })) return;
    state.left--;
  }
  const question = (replyTo: ActorRef<number>): SinkMessage => ({ type: "total", replyTo });
  context.ask(state.to, question, ASK_TIMEOUT_MS, answered);
}

async function tells(system: System, to: ActorRef<SinkMessage>, count: number): Promise<void> {
  await new Promise<void>((done) => {
    system.spawn(teller, { to, count, done }, { name: nextName("teller") });
  });
}

type Answered = { readonly type: "answered"; readonly outcome: AskOutcome<number> };

const asker = defineActor<SourceArgs, Answered, SourceState, unknown>({
  name: "asker",
  mailbox,
  onFault: { kind: "escalate" },
  init(context, args) {
    const state = { ...args, left: args.count, settled: 0 };
    for (let i = 0; i < IN_FLIGHT; i++) askNext(state, context);
    return state;
  },
  receive(state, { outcome }, context) {
    if (!outcome.ok) throw new Error(outcome.reason);
    if (++state.settled === state.count) {
      state.done();
      context.stop();
    } else if (state.left > 0) {
      askNext(state, context);
    }
  },
});

const answered = (outcome: AskOutcome<number>): Answered => ({ type: "answered", outcome });

function askNext(state: SourceState, context: Parameters<typeof asker.init>[0]): void {
  const value = state.left--;
  const question = (replyTo: ActorRef<number>): SinkMessage => ({
    type: "question",
    value,
    replyTo,
  });
  context.ask(state.to, question, ASK_TIMEOUT_MS, answered);
}

async function asks(system: System, to: ActorRef<SinkMessage>, count: number): Promise<void> {
  await new Promise<void>((done) => {
    system.spawn(asker, { to, count, done }, { name: nextName("asker") });
  });
}

// ---- fastq -----------------------------------------------------------------------------------

async function fastqTells(count: number): Promise<void> {
  let handled = 0;
  const queue = fastq<null, Work, void>((_work, done) => {
    handled++;
    done(null);
  }, 1);
  // It completes synchronously and recursively, so a queue of any length would overflow the stack.
  for (let left = count; left > 0; left -= BATCH) {
    queue.pause();
    for (let i = Math.min(BATCH, left); i > 0; i--) void queue.push({ type: "work", value: i });
    queue.resume();
    await immediate();
  }
  if (handled !== count) throw new Error(`fastq handled ${handled} of ${count}`);
}

async function fastqAsks(count: number): Promise<void> {
  const queue = fastq<null, Work, number>((work, done) => void done(null, work.value), IN_FLIGHT);
  let settled = 0;
  const settle = (): void => void settled++;
  for (let left = count; left > 0; left -= IN_FLIGHT) {
    queue.pause();
    for (let i = Math.min(IN_FLIGHT, left); i > 0; i--) {
      queue.push({ type: "work", value: i }, settle);
    }
    queue.resume();
    await immediate();
  }
  if (settled !== count) throw new Error(`fastq settled ${settled} of ${count}`);
}

const immediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

// ---- limits ----------------------------------------------------------------------------------

async function ringTells(count: number): Promise<void> {
  const ring = new Ring<Work>();
  let handled = 0;
  for (let left = count; left > 0;) {
    for (; left > 0 && ring.length < QUEUE_MAX; left--) ring.push({ type: "work", value: left });
    await immediate();
    for (let work = ring.shift(); work !== undefined; work = ring.shift()) handled++;
  }
  if (handled !== count) throw new Error(`the ring handled ${handled} of ${count}`);
}

async function ringAsks(count: number): Promise<void> {
  const questions = new Ring<{ value: number; reply: (value: number) => void }>();
  const answers = new Ring<{ ok: true; value: number }>();
  const reply = (value: number): void => answers.push({ ok: true, value });
  let left = count;
  let settled = 0;
  while (settled < count) {
    const open = questions.length + answers.length;
    for (let free = IN_FLIGHT - open; free > 0 && left > 0; free--) {
      questions.push({ value: left--, reply });
    }
    for (let q = questions.shift(); q !== undefined; q = questions.shift()) q.reply(q.value);
    for (let a = answers.shift(); a !== undefined; a = answers.shift()) settled++;
    // As often as the ready actors would come round.
    if (settled % QUEUE_MAX === 0) await immediate();
  }
}

// ---- bare ports ------------------------------------------------------------------------------

type Bare = ReturnType<typeof startBare>;

function startBare(echo: boolean) {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(peerUrl, { workerData: { port: port2, echo }, transferList: [port2] });
  return { port: port1, worker };
}

/** Posts in batches (1: message by message), at most QUEUE_MAX on their way. */
function portTells({ port }: Bare, count: number, batch: number): Promise<void> {
  let left = count;
  let unconfirmed = 0;
  const fill = (): void => {
    while (left > 0 && unconfirmed + batch <= QUEUE_MAX) {
      const size = Math.min(batch, left);
      port.postMessage(batch === 1 ? work(left) : Array.from({ length: size }, (_, i) => work(i)));
      left -= size;
      unconfirmed += size;
    }
  };
  return new Promise((resolve) => {
    const onTaken = (taken: number): void => {
      unconfirmed -= taken;
      fill();
      if (left > 0 || unconfirmed > 0) return;
      port.off("message", onTaken);
      resolve();
    };
    port.on("message", onTaken);
    fill();
  });
}

/** IN_FLIGHT questions on their way, in batches of that size or one by one. */
function portAsks({ port }: Bare, count: number, batch: number): Promise<void> {
  let left = count;
  let open = 0;
  const fill = (): void => {
    while (left > 0 && open + batch <= IN_FLIGHT) {
      const size = Math.min(batch, left);
      port.postMessage(batch === 1 ? work(left) : Array.from({ length: size }, (_, i) => work(i)));
      left -= size;
      open += size;
    }
  };
  return new Promise((resolve) => {
    const onAnswer = (answer: Work | Work[]): void => {
      open -= Array.isArray(answer) ? answer.length : 1;
      fill();
      if (left > 0 || open > 0) return;
      port.off("message", onAnswer);
      resolve();
    };
    port.on("message", onAnswer);
    fill();
  });
}

function work(value: number): Work {
  return { type: "work", value };
}
