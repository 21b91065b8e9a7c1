// Actors for the tests of thread placement, and the environment that their threads build.

import type { ActorRef, OnFault } from "../../src/runtime/actor.js";
import type { ThreadEnvFactory } from "../../src/runtime/thread-control.js";
import { threadId } from "node:worker_threads";
import { defineActor, replyToOf } from "../../src/runtime/actor.js";
import { CodedError, unreachable } from "../../src/errors.js";

export interface WorkerEnv {
  readonly label: string;
}

export const createWorkerEnv: ThreadEnvFactory<WorkerEnv> = (options, { clock }) => {
  if (clock.monotonicMs() < 0) throw new Error("the thread has a clock");
  return { label: (options as { label: string }).label };
};

export function createBrokenEnv(): never {
  throw new Error("no environment today");
}

export function createRefusingEnv(): never {
  throw new CodedError("DATA_LOCKED", "it is another's");
}

export function createDyingEnv(): never {
  process.exit(7);
}

export function createHangingEnv(): never {
  for (;;);
}

export type WorkerMessage =
  | { readonly type: "where"; readonly replyTo: ActorRef<Whereabouts> }
  | { readonly type: "relay"; readonly to: { readonly deep: readonly ActorRef<string>[] } }
  | { readonly type: "never"; readonly replyTo: ActorRef<string> }
  | { readonly type: "unclonable"; readonly replyTo: ActorRef<unknown> }
  /** Tells the question on. */
  | {
      readonly type: "pass";
      readonly to: ActorRef<WorkerMessage>;
      readonly question: WorkerMessage & { readonly replyTo: ActorRef<never> };
    }
  | { readonly type: "count"; readonly value: number }
  | { readonly type: "counted"; readonly replyTo: ActorRef<readonly number[]> }
  | { readonly type: "work"; readonly ms: number }
  | { readonly type: "handled"; readonly replyTo: ActorRef<number> }
  | { readonly type: "watch"; readonly target: ActorRef<never>; readonly tell: ActorRef<string> }
  /** Spawns one beside it, which a crash puts to sleep for minutes. */
  | { readonly type: "sleeper"; readonly tell: ActorRef<ActorRef<WorkerMessage>> }
  | { readonly type: "nest"; readonly tell: ActorRef<ActorRef<WorkerMessage>> }
  | { readonly type: "askBack"; readonly to: ActorRef<AskBack>; readonly tell: ActorRef<string> }
  /** Says so on the BroadcastChannel, and then lets nobody of its thread speak. */
  | { readonly type: "hang"; readonly channel: string }
  | { readonly type: "crash" | "exit" | "throwLater" | "stop" | "block" };

export interface Whereabouts {
  readonly threadId: number;
  readonly label: string;
  readonly path: string;
  readonly args: unknown;
}

export interface AskBack {
  readonly replyTo: ActorRef<string>;
}

interface State {
  readonly args: unknown;
  readonly values: number[];
  handled: number;
  tell: ActorRef<string> | undefined;
}

const worker = (onFault: OnFault, exportName: string) =>
  defineActor<unknown, WorkerMessage, State, WorkerEnv>({
    name: "worker",
    source: { moduleUrl: import.meta.url, exportName },
    mailbox: {
      dataMax: 32,
      controlMax: 4,
      overflow: "reject",
      replyOf: (message) => replyToOf(message.type === "pass" ? message.question : message),
    },
    onFault,
    init: (_, args) => ({ args, values: [], handled: 0, tell: undefined }),
    receive(state, message, context) {
      state.handled++;
      switch (message.type) {
        case "where":
          message.replyTo.tell({
            threadId,
            label: context.env.label,
            path: context.self.path,
            args: state.args,
          });
          return;
        case "relay":
          for (const to of message.to.deep) to.tell(`from ${context.self.path}`);
          return;
        case "never":
          return;
        case "unclonable":
          message.replyTo.tell(() => undefined);
          return;
        case "pass":
          message.to.tell(message.question);
          return;
        case "count":
          state.values.push(message.value);
          return;
        case "counted":
          message.replyTo.tell(state.values);
          return;
        case "work":
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.ms);
          return;
        case "handled":
          message.replyTo.tell(state.handled);
          return;
        case "watch":
          state.tell = message.tell;
          context.watch(message.target);
          return;
        case "sleeper":
          message.tell.tell(context.spawn(sleepyWorker, "sleeper", { name: "sleeper" }));
          return;
        case "nest":
          message.tell.tell(
            context.spawn(stoppingWorker, "nested", { name: "nested", at: "thread" }),
          );
          return;
        case "askBack": {
          const { to, tell } = message;
          context.ask<AskBack, string>(
            to,
            (replyTo) => ({ replyTo }),
            20_000,
            (outcome) => ({
              type: "relay",
              to: { deep: outcome.ok && outcome.value === "pong" ? [tell] : [] },
            }),
          );
          return;
        }
        case "crash":
          throw new CodedError("STORE_FAILED", "worker crashed");
        case "exit":
          process.exit(3);
          return;
        case "throwLater":
          setImmediate(() => {
            throw new Error("outside of every actor");
          });
          return;
        case "stop":
          context.stop();
          return;
        case "hang":
          new BroadcastChannel(message.channel).postMessage("hangs");
          for (;;);
        case "block":
          for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
        default:
          unreachable(message);
      }
    },
    signal(state, signal) {
      if (signal.type === "terminated") state.tell?.tell(`gone ${signal.path}`);
    },
  });

export const stoppingWorker = worker({ kind: "stop" }, "stoppingWorker");
export const escalatingWorker = worker({ kind: "escalate" }, "escalatingWorker");
export const restartingWorker = worker(
  { kind: "restart", restartsMax: 3, withinMs: 60_000, backoffMinMs: 1, backoffMaxMs: 2 },
  "restartingWorker",
);
export const sleepyWorker = worker(
  { kind: "restart", restartsMax: 3, withinMs: 60_000, backoffMinMs: 1e6, backoffMaxMs: 1e6 },
  "sleepyWorker",
);
export const missingWorker = {
  ...stoppingWorker,
  source: { moduleUrl: import.meta.url, exportName: "noSuchExport" },
};
