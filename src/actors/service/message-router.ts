// MessageRouter: hands every peer message to the handler registered for its kind. What a handler
// cannot take yet waits here, by kind, and goes on by turns that the weights of the lanes earn; of
// kinds that may be lost some are dropped by chance when too many are open. Counts all by kind.
// Told by: peer handlers, handlers (to register), the service (figures). Tells: handlers.
// What waits is bounded by the peers' credit windows: credit goes back only when a message is dealt with.

import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { LANE_WEIGHTS } from "../../protocol/codec/send-lanes.js";
import { KINDS, type KindRule, type Lane, type WireKind } from "../../protocol/types/message.js";
import type { NodeEnv } from "../env.js";
import { FRAME_COST_BYTES } from "../message-cost.js";
import { Dealt } from "../peer/dealt.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import { ESCALATE } from "../policies.js";
import { DeficitRoundRobin, URGENT, type WeightedQueue } from "./deficit-round-robin.js";
import { KindFlow, type KindFigures } from "./kind-flow.js";

export type MessageRouterMessage =
  | Incoming
  | {
      readonly type: "Register";
      readonly kinds: readonly WireKind[];
      readonly handler: ActorRef<Incoming>;
    }
  | { readonly type: "GetKindStatistics"; readonly replyTo: ActorRef<KindStatistics> };

/** What became of peers' messages, by kind. */
export type KindStatistics = Partial<Record<WireKind, KindFigures>>;

export interface MessageRouterArgs {
  readonly mailboxMax: number;
}

export type MessageRouterEnv = Pick<NodeEnv, "config" | "random">;

/** A handler, and what waits for it. */
interface Outlet {
  readonly handler: ActorRef<Incoming>;
  readonly queues: DeficitRoundRobin<Incoming>;
  /** It refused the last one, and will say when it can take more. */
  isFull: boolean;
  readonly take: (message: Incoming) => boolean;
}

interface Route {
  readonly outlet: Outlet;
  readonly flow: KindFlow;
  /** Of a service's kind: found with the first message, which tells its lane. */
  queue: WeightedQueue<Incoming> | undefined;
}

interface State {
  readonly routes: Map<WireKind, Route>;
  /** By kind, also of those that nobody handles any more. */
  readonly flows: Map<WireKind, KindFlow>;
  /** Those of the most urgent lane first. */
  readonly outlets: Outlet[];
  /** Monotonic time of this turn, and of the last look at what may be dropped. */
  nowMs: number;
  lookedMs: number;
}

/** How often the means of what waits are followed. */
const LOOK_EVERY_MS = 10;

export const messageRouter = defineActor<
  MessageRouterArgs,
  MessageRouterMessage,
  State,
  MessageRouterEnv
>({
  name: "router",
  mailbox: (args) => ({
    dataMax: args.mailboxMax,
    controlMax: 256,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: (message) => message.type === "Register",
  }),
  onFault: ESCALATE,

  init: ({ nowMs }) => ({
    routes: new Map(),
    flows: new Map(),
    outlets: [],
    nowMs,
    lookedMs: nowMs,
  }),

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        arrived(state, message, context);
        return;
      case "Register":
        for (const kind of message.kinds) register(state, kind, message.handler, context);
        context.watch(message.handler);
        return;
      case "GetKindStatistics": {
        const statistics: KindStatistics = {};
        for (const [kind, flow] of state.flows) statistics[kind] = flow.read(context.nowMs);
        message.replyTo.tell(statistics);
        return;
      }
      default:
        unreachable(message);
    }
  },

  afterBatch(state, context) {
    state.nowMs = context.nowMs;
    for (const outlet of state.outlets) serve(outlet);
    if (state.nowMs - state.lookedMs < LOOK_EVERY_MS) return;
    state.lookedMs = state.nowMs;
    for (const flow of state.flows.values()) flow.look(state.nowMs);
  },

  signal(state, signal, context) {
    const outlet = "path" in signal ? outletOf(state, signal.path) : undefined;
    if (outlet === undefined) return;
    if (signal.type === "writable") {
      state.nowMs = context.nowMs;
      outlet.isFull = false;
      serve(outlet);
    }
    if (signal.type === "terminated") close(state, outlet);
  },

  invariants({ outlets }) {
    for (const { queues, isFull, handler } of outlets) {
      queues.invariants();
      invariant(isFull || queues.count === 0, `what waits for ${handler.path} is told to it`);
    }
  },

  atRest({ outlets, flows }) {
    for (const { queues, handler } of outlets) {
      invariant(queues.count === 0, `${queues.count} messages wait for ${handler.path}`);
    }
    for (const [kind, { open }] of flows) invariant(open === 0, `${open} of ${kind} are open`);
  },
});

function register(
  state: State,
  kind: WireKind,
  handler: ActorRef<Incoming>,
  { env }: Context<MessageRouterMessage, MessageRouterEnv>,
): void {
  const present = state.routes.get(kind)?.outlet.handler.path ?? handler.path;
  // A handler that was restarted registers again.
  invariant(present === handler.path, `two handlers for ${kind}`);
  if (state.routes.has(kind)) return;
  const rule = (KINDS as Readonly<Record<string, KindRule | undefined>>)[kind];
  const drop = rule?.mayBeLost === true ? env.config.overload : undefined;
  const flow = state.flows.get(kind) ?? new KindFlow(drop);
  state.flows.set(kind, flow);
  const outlet = outletOf(state, handler.path) ?? open(state, handler);
  const queue = rule && queueOf(state, outlet, kind, rule.lane);
  state.routes.set(kind, { outlet, flow, queue });
}

function outletOf({ outlets }: State, path: string): Outlet | undefined {
  return outlets.find(({ handler }) => handler.path === path);
}

function open(state: State, handler: ActorRef<Incoming>): Outlet {
  const outlet: Outlet = {
    handler,
    queues: new DeficitRoundRobin(costOf),
    isFull: false,
    take(message) {
      if (!handler.tell(message)) return false;
      const { replyTo } = message;
      if (replyTo instanceof Dealt) replyTo.handedOn(state.nowMs);
      return true;
    },
  };
  state.outlets.push(outlet);
  return outlet;
}

function costOf({ bytes }: Incoming): number {
  return bytes + FRAME_COST_BYTES;
}

/** Kinds of the chain have a queue each; those of a service one a lane, so that their order stays. */
function queueOf(
  { outlets }: State,
  { queues }: Outlet,
  name: string,
  lane: Lane,
): WeightedQueue<Incoming> {
  const weight = lane === "control" ? URGENT : LANE_WEIGHTS[lane];
  const queue = queues.queue(name, weight);
  outlets.sort((one, other) => other.queues.weight - one.queues.weight);
  return queue;
}

function arrived(
  state: State,
  message: Incoming,
  { env }: Context<MessageRouterMessage, MessageRouterEnv>,
): void {
  const route = state.routes.get(message.message.kind);
  if (route === undefined) {
    unhandled(state, message);
    return;
  }
  const { flow, outlet } = route;
  const { replyTo, lane } = message;
  const dealt = replyTo instanceof Dealt ? replyTo : undefined;
  if (flow.mayBeLost && flow.drops(env.random)) {
    if (dealt !== undefined) dealt.drop();
    else replyTo.tell("Done");
    return;
  }
  flow.messages++;
  flow.bytes += message.bytes;
  dealt?.routed(flow);
  outlet.queues.push((route.queue ??= queueOf(state, outlet, lane, lane)), message);
}

function serve(outlet: Outlet): void {
  const { queues, isFull, take } = outlet;
  if (!isFull && queues.count > 0) outlet.isFull = !queues.serve(take);
}

/** Its handler stopped for good. */
function close(state: State, outlet: Outlet): void {
  for (const [kind, route] of state.routes) {
    if (route.outlet === outlet) state.routes.delete(kind);
  }
  state.outlets.splice(state.outlets.indexOf(outlet), 1);
  for (const message of outlet.queues.clear()) unhandled(state, message);
}

/** Nobody handles this kind on this node. */
function unhandled({ flows }: State, { message, requestId, replyTo }: Incoming): void {
  const flow = flows.get(message.kind);
  if (flow !== undefined) flow.unhandled++;
  replyTo.tell(requestId === 0 ? "Done" : { kind: "RequestRefused", reason: "NotFound" });
}
