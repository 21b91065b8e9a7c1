// Event bus: hands every published fact to those who subscribed to its type. It gives no commands
// and waits for nobody: a subscriber whose mailbox is full misses events, which is counted.
// Told by: anyone. Tells: subscribers.

import { defineActor, type ActorRef } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import { unreachable } from "../../errors.js";
import type { NetworkEvent, NetworkEventType } from "./event-types.js";

export type EventBusMessage =
  | { readonly type: "Publish"; readonly event: NetworkEvent }
  | {
      readonly type: "Subscribe";
      readonly subscriber: ActorRef<NetworkEvent>;
      /** Absent: every type. */
      readonly types?: readonly NetworkEventType[];
    }
  | { readonly type: "Unsubscribe"; readonly subscriber: ActorRef<NetworkEvent> };

interface Subscription {
  readonly subscriber: ActorRef<NetworkEvent>;
  readonly types: ReadonlySet<NetworkEventType> | undefined;
}

interface State extends Pick<EventBusArgs, "onMissed"> {
  /** By path. */
  readonly subscriptions: Map<string, Subscription>;
}

export interface EventBusArgs {
  readonly mailboxMax: number;
  /** Called for each event that no subscriber, or one of them, will get. Must not throw. */
  readonly onMissed?: () => void;
}

export const eventBus = defineActor<EventBusArgs, EventBusMessage, State, unknown>({
  name: "event-bus",
  source: { moduleUrl: import.meta.url, exportName: "eventBus" },
  mailbox: (args) => ({
    dataMax: args.mailboxMax,
    controlMax: args.mailboxMax,
    // Facts may be missed under overload; the newest are worth more than the oldest.
    overflow: "dropOldest",
    isControl: (message) => message.type !== "Publish",
    ...(args.onMissed && { onDropped: args.onMissed }),
  }),
  onFault: ESCALATE,

  init: (_context, { onMissed }) => ({
    subscriptions: new Map(),
    ...(onMissed && { onMissed }),
  }),

  receive(state, message, context) {
    switch (message.type) {
      case "Publish":
        for (const { subscriber, types } of state.subscriptions.values()) {
          if (types !== undefined && !types.has(message.event.type)) continue;
          if (!subscriber.tell(message.event)) state.onMissed?.();
        }
        return;
      case "Subscribe":
        state.subscriptions.set(message.subscriber.path, {
          subscriber: message.subscriber,
          types: message.types === undefined ? undefined : new Set(message.types),
        });
        context.watch(message.subscriber);
        return;
      case "Unsubscribe":
        state.subscriptions.delete(message.subscriber.path);
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type === "terminated") state.subscriptions.delete(signal.path);
  },
});
