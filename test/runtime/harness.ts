// One actor system on a virtual clock and a seeded scheduler, and an actor that does what its
// messages say: the tests of the kernel are written with these two.

import type {
  ActorFigures,
  ActorRef,
  Context,
  MailboxSpec,
  OnFault,
  Signal,
} from "../../src/runtime/actor.js";
import type { FaultReport } from "../../src/runtime/actor-system.js";
import { defineActor, replyToOf } from "../../src/runtime/actor.js";
import { createActorSystem } from "../../src/runtime/actor-system.js";
import { seededRandom } from "../../src/runtime/random.js";
import { SeededScheduler } from "../../src/runtime/seeded-scheduler.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";

export function createHarness(seed: number | string = "kernel") {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const trace: { path: string; message: unknown }[] = [];
  const scheduler = new SeededScheduler({
    random: random.fork("scheduler"),
    onDeliver: (path, message) => trace.push({ path, message }),
  });
  const faults: FaultReport[] = [];
  const system = createActorSystem({
    env: {},
    clock,
    random: random.fork("jitter"),
    scheduler,
    name: "test",
    onFault: (report) => faults.push(report),
  });
  return {
    clock,
    scheduler,
    system,
    faults,
    trace,
    settle: () => {
      scheduler.runUntilIdle();
      system.invariants();
    },
    advance: (durationMs: number) => clock.advanceBy(durationMs, () => scheduler.runUntilIdle()),
    figures: (path: string): ActorFigures | undefined =>
      system.figures().find((figures) => figures.path === path),
  };
}

/** Lets promises that native code settled reach their reactions. */
export async function drainMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}

/** A message is what the actor is to do; `log` collects what happened, across restarts. */
export interface Script {
  (context: ScriptContext, log: unknown[]): void;
  /** Of a question. */
  readonly replyTo?: ActorRef<never>;
}
export type ScriptContext = Context<Script, unknown>;

export interface ScriptedArgs {
  readonly log: unknown[];
  readonly onInit?: (context: ScriptContext, log: unknown[]) => void;
  readonly onSignal?: (signal: Signal, context: ScriptContext) => void;
}

/** The script, as a question that carries this reply reference. */
export function asking<R>(replyTo: ActorRef<R>, script: Script = () => undefined): Script {
  return Object.assign(script.bind(undefined), { replyTo });
}

export function scripted(
  onFault: OnFault = { kind: "stop" },
  mailbox: MailboxSpec<Script> = { dataMax: 64, controlMax: 8, overflow: "reject" },
) {
  return defineActor<ScriptedArgs, Script, ScriptedArgs, unknown>({
    name: "scripted",
    mailbox: { replyOf: replyToOf, ...mailbox },
    onFault,
    init(context, args) {
      args.onInit?.(context, args.log);
      return args;
    },
    receive(state, script, context) {
      script(context, state.log);
    },
    signal(state, signal, context) {
      state.log.push(signal);
      state.onSignal?.(signal, context);
    },
  });
}

export function crash(): never {
  throw new Error("crash");
}

export const always: OnFault = {
  kind: "restart",
  restartsMax: 3,
  withinMs: 60_000,
  backoffMinMs: 100,
  backoffMaxMs: 1_000,
};
