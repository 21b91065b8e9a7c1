// MessageRouter: hands every peer message to the handler registered for its kind, lane by lane in
// order of priority, and counts per kind.
// Told by: peer handlers, handlers (to register), the service (figures). Tells: handlers.
// What a full handler cannot take waits here, bounded by the peers' credit windows: credit goes back
// only when a message is dealt with.

import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { Ring } from "../../runtime/ring.js";
import { ESCALATE } from "../policies.js";
import { LANES, type Lane, type WireKind } from "../../protocol/types/message.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import { HoldingQueue } from "./holding-queue.js";

export type MessageRouterMessage =
  | Incoming
  | {
      readonly type: "Register";
      readonly kinds: readonly WireKind[];
      readonly handler: ActorRef<Incoming>;
    }
  | { readonly type: "GetKindStatistics"; readonly replyTo: ActorRef<KindStatistics> };

/** Messages and bytes handed on, by kind. */
export type KindStatistics = Partial<
  Record<WireKind, { readonly messages: number; readonly bytes: number }>
>;

export interface MessageRouterArgs {
  readonly mailboxMax: number;
}

interface Route {
  readonly handler: ActorRef<Incoming>;
  messages: number;
  bytes: number;
}

interface State {
  readonly routes: Map<WireKind, Route>;
  /** What came in this turn, per lane: it leaves by priority when the turn ends. */
  readonly lanes: Record<Lane, Ring<Incoming>>;
  readonly held: HoldingQueue;
}

export const messageRouter = defineActor<MessageRouterArgs, MessageRouterMessage, State, unknown>({
  name: "router",
  mailbox: (args) => ({
    dataMax: args.mailboxMax,
    controlMax: 256,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: (message) => message.type === "Register",
  }),
  onFault: ESCALATE,

  init: () => ({
    routes: new Map(),
    lanes: { control: new Ring(), block: new Ring(), sync: new Ring(), transaction: new Ring() },
    held: new HoldingQueue(),
  }),

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        state.lanes[message.lane].push(message);
        return;
      case "Register":
        for (const kind of message.kinds) {
          const present = state.routes.get(kind)?.handler.path ?? message.handler.path;
          // A handler that was restarted registers again.
          invariant(present === message.handler.path, `two handlers for ${kind}`);
          if (state.routes.has(kind)) continue;
          state.routes.set(kind, { handler: message.handler, messages: 0, bytes: 0 });
        }
        context.watch(message.handler);
        return;
      case "GetKindStatistics": {
        const statistics: KindStatistics = {};
        for (const [kind, { messages, bytes }] of state.routes) {
          statistics[kind] = { messages, bytes };
        }
        message.replyTo.tell(statistics);
        return;
      }
      default:
        unreachable(message);
    }
  },

  afterBatch(state) {
    for (const lane of LANES) {
      const arrived = state.lanes[lane];
      for (let left = arrived.length; left > 0; left--) handOn(state, arrived.shift()!);
    }
  },

  signal(state, signal) {
    if (signal.type === "writable") state.held.retry(signal.path);
    if (signal.type !== "terminated") return;
    for (const message of state.held.forget(signal.path)) unhandled(message as Incoming);
    for (const [kind, { handler }] of state.routes) {
      if (handler.path === signal.path) state.routes.delete(kind);
    }
  },
});

function handOn(state: State, message: Incoming): void {
  const route = state.routes.get(message.message.kind);
  if (route === undefined) {
    unhandled(message);
    return;
  }
  route.messages++;
  route.bytes += message.bytes;
  state.held.offer(route.handler, message);
}

/** Nobody handles this kind on this node. */
function unhandled({ requestId, replyTo }: Incoming): void {
  replyTo.tell(requestId === 0 ? "Done" : { kind: "RequestRefused", reason: "NotFound" });
}
