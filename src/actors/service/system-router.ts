// SystemRouter: the one way from handlers and sync to the subsystems behind the integrations.
// Told by: handlers, sync, producer, the service. Tells: consensus, mempool, storage integration.
// It keeps senders ignorant of where a subsystem lives and how it does: what a busy one cannot take
// waits here, and what one that does not answer, or is gone, is asked is refused at once.

import { invariant } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { Ring } from "../../runtime/ring.js";
import type { NodeEnv } from "../env.js";
import { RESTART } from "../policies.js";
import type { ConsensusMessage } from "../integration/consensus-integration.js";
import type { MempoolMessage } from "../integration/mempool-integration.js";
import type { StorageMessage } from "../integration/storage-integration.js";
import {
  Subsystem,
  type Followed,
  type Refusal,
  type SubsystemFigures,
  type SubsystemName,
} from "./subsystem.js";

type ToSubsystem =
  | { readonly to: "consensus"; readonly message: ConsensusMessage }
  | { readonly to: "mempool"; readonly message: MempoolMessage }
  | { readonly to: "storage"; readonly message: StorageMessage };

type ToRouter =
  | { readonly type: "GetSubsystems"; readonly replyTo: ActorRef<readonly SubsystemFigures[]> }
  /** From itself: a question that it followed has ended, and one may be late by now. */
  | { readonly type: "Ended"; readonly followed: Followed; readonly isAnswered: boolean }
  | { readonly type: "LateDue" };

export type SystemRouterMessage =
  ToSubsystem | { readonly to: "router"; readonly message: ToRouter };

export interface SystemRouterArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly mempool: ActorRef<MempoolMessage>;
  readonly storage: ActorRef<StorageMessage>;
}

export type SystemRouterEnv = Pick<NodeEnv, "config" | "log">;
type Ctx = Context<SystemRouterMessage, SystemRouterEnv>;

interface Target {
  readonly ref: ActorRef<unknown>;
  readonly subsystem: Subsystem;
  /** What its mailbox had no room for, in order. */
  readonly waiting: Ring<object>;
}

interface State {
  readonly targets: Readonly<Record<SubsystemName, Target>>;
  /** Questions whose end is awaited, oldest first. */
  readonly followed: Set<Followed>;
}

/**
 * Questions that need nothing but the subsystem and its port. Others take as long as the chain takes
 * (a connect, a template that waits until the mempool has followed it).
 */
const JUDGED: ReadonlySet<string> = new Set([
  "AddTransactions",
  "GetSize",
  "LocateTransaction",
  "Serve",
  "ServeTransactions",
] satisfies (MempoolMessage | StorageMessage)["type"][]);

export const systemRouter = defineActor<
  SystemRouterArgs,
  SystemRouterMessage,
  State,
  SystemRouterEnv
>({
  name: "system-router",
  mailbox: {
    dataMax: 16_384,
    controlMax: 64,
    overflow: "reject",
    replyOf: ({ message }) => replyToOf(message),
  },
  onFault: RESTART,

  init(context, { consensus, mempool, storage }) {
    const { subsystems } = context.env.config;
    const target = (name: SubsystemName, ref: ActorRef<never>): Target => {
      context.watch(ref);
      const subsystem = new Subsystem(name, subsystems);
      return { ref: ref as ActorRef<unknown>, subsystem, waiting: new Ring() };
    };
    return {
      targets: {
        consensus: target("consensus", consensus),
        mempool: target("mempool", mempool),
        storage: target("storage", storage),
      },
      followed: new Set(),
    };
  },

  receive(state, message, context) {
    if (message.to === "router") receiveOwn(state, message.message, context);
    else route(state, state.targets[message.to], message.message, context);
  },

  signal(state, signal, context) {
    if (signal.type !== "writable" && signal.type !== "terminated") return;
    const target = Object.values(state.targets).find(({ ref }) => ref.path === signal.path);
    if (target === undefined) return;
    if (signal.type === "writable") retry(target);
    else gone(target, context);
  },

  invariants({ targets }, { env }) {
    for (const { subsystem, waiting } of Object.values(targets)) {
      const fits = waiting.length <= env.config.subsystems.heldMax + COMMANDS_MAX;
      invariant(fits, `${waiting.length} messages wait for ${subsystem.name}`);
    }
  },

  atRest({ targets, followed }) {
    invariant(followed.size === 0, `${followed.size} questions are followed`);
    for (const { subsystem, waiting } of Object.values(targets)) {
      invariant(waiting.length === 0, `${waiting.length} messages wait for ${subsystem.name}`);
    }
  },
});

/** Subscriptions and the like, of which each actor sends one at its start. */
const COMMANDS_MAX = 1_024;

function receiveOwn(state: State, message: ToRouter, context: Ctx): void {
  switch (message.type) {
    case "GetSubsystems": {
      const targets = Object.values(state.targets);
      message.replyTo.tell(targets.map(({ subsystem, waiting }) => subsystem.read(waiting.length)));
      return;
    }
    case "Ended": {
      const { followed, isAnswered } = message;
      const { subsystem } = state.targets[followed.name];
      state.followed.delete(followed);
      if (state.followed.size === 0) context.cancelTimer("late");
      watched(subsystem, context, () => subsystem.ended(followed, isAnswered, context.nowMs));
      return;
    }
    case "LateDue":
      findLate(state, context);
      return;
  }
}

function route(state: State, target: Target, message: object, context: Ctx): void {
  const { subsystem } = target;
  const replyTo = replyToOf(message);
  const refusal = refusalOf(state, target, message, replyTo, context);
  if (refusal === undefined) {
    tell(target, message);
    return;
  }
  subsystem.refused[refusal]++;
  if (replyTo !== undefined) context.refuse(replyTo);
}

/** Undefined: it is told, and followed where that is due. */
function refusalOf(
  state: State,
  { subsystem, waiting }: Target,
  message: object,
  replyTo: ActorRef<never> | undefined,
  context: Ctx,
): Refusal | undefined {
  if (replyTo === undefined) return subsystem.isAbsent ? "absent" : undefined;
  if (waiting.length >= context.env.config.subsystems.heldMax) return "full";
  const isJudged = JUDGED.has((message as { readonly type: string }).type);
  const admission = subsystem.admit(context.nowMs, isJudged);
  if (admission === "pass") return undefined;
  if (admission !== "follow") return admission;
  const followed = subsystem.follow(context.nowMs);
  const isFollowed = context.follow(replyTo, (outcome) => ({
    to: "router",
    message: { type: "Ended", followed, isAnswered: outcome.ok },
  }));
  if (!isFollowed) {
    subsystem.ended(followed, true, context.nowMs);
    return undefined;
  }
  state.followed.add(followed);
  if (state.followed.size === 1) lateLater(context, context.env.config.subsystems.slowMs);
  return undefined;
}

/** Tells it, or has it wait behind what waits. */
function tell({ ref, subsystem, waiting }: Target, message: object): void {
  if (waiting.length === 0 && ref.tell(message)) {
    subsystem.routed++;
    return;
  }
  waiting.push(message);
  subsystem.held++;
}

/** It can take more. */
function retry({ ref, subsystem, waiting }: Target): void {
  for (let next = waiting.peek(); next !== undefined && ref.tell(next); next = waiting.peek()) {
    waiting.shift();
    subsystem.routed++;
  }
}

/** It stopped for good: nobody who asked it need wait. */
function gone({ subsystem, waiting }: Target, context: Ctx): void {
  subsystem.isAbsent = true;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    subsystem.refused.absent++;
    const replyTo = replyToOf(next);
    if (replyTo !== undefined) context.refuse(replyTo);
  }
}

function findLate(state: State, context: Ctx): void {
  const { slowMs } = context.env.config.subsystems;
  const { nowMs } = context;
  for (const followed of state.followed) {
    if (followed.isLate) continue;
    const leftMs = followed.askedMs + slowMs - nowMs;
    if (leftMs > 0) {
      lateLater(context, leftMs);
      return;
    }
    const { subsystem } = state.targets[followed.name];
    watched(subsystem, context, () => subsystem.late(followed, nowMs));
  }
  // Of those that are followed later the next one is due in a whole while.
  if (state.followed.size > 0) lateLater(context, slowMs);
}

function lateLater(context: Ctx, delayMs: number): void {
  context.startTimer("late", delayMs, { to: "router", message: { type: "LateDue" } });
}

/** Tells the log when that changes whether it is asked. */
function watched(subsystem: Subsystem, { env }: Ctx, change: () => void): void {
  const before = subsystem.state;
  change();
  const { name, restMs, state } = subsystem;
  if (state === before || subsystem.isAbsent) return;
  if (state === "closed") env.log.write("info", "a subsystem answers again", { subsystem: name });
  if (state === "open") {
    env.log.write("warn", "a subsystem does not answer", { subsystem: name, restMs });
  }
}
