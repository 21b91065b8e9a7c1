// How a host hears of events: by a function that is called, or by reading them at its own pace.

import type { EventBusMessage } from "../actors/events/event-bus.js";
import { readEventId } from "../actors/events/event-ids.js";
import { isEventType } from "../actors/events/event-table.js";
import { eventTap } from "../actors/events/event-tap.js";
import type { EventId, EventPage, NetworkEvent } from "../actors/events/event-types.js";
import type { NetworkMessage } from "../actors/service/network-messages.js";
import type { Life, Network, NetworkParts } from "../network.js";
import type { ActorRef } from "../runtime/actor.js";
import { checkedRead, eventStream, READ_COUNT_MAX, READ_WAIT_MAX_MS } from "./event-stream.js";

type Subscriber = (event: NetworkEvent, id: EventId) => void;

/** Of a host's function that threw, for those too who gave no log. */
export function subscriberFailed(error: unknown): void {
  process.emitWarning(`a subscriber of the network failed: ${String(error)}`, "ActorFault");
}

export function eventAccess(
  { system, events, missed, config }: NetworkParts,
  {
    running,
    withCause,
    tell,
  }: Pick<Life, "running" | "withCause"> & {
    readonly tell: (message: NetworkMessage) => void;
  },
): Pick<Network, "subscribe" | "events" | "readEvents"> {
  let taps = 0;
  const readEvents: Network["readEvents"] = async (options = {}) => {
    const { types, after, countMax = READ_COUNT_MAX, waitMs } = checkedRead(options);
    const place = after === undefined ? undefined : readEventId(after);
    const question = (replyTo: ActorRef<EventPage>): EventBusMessage => ({
      type: "ReadEvents",
      ...(types && { types }),
      ...(place && { after: place }),
      countMax,
      waitMs: waitMs ?? READ_WAIT_MAX_MS,
      replyTo,
    });
    // It may wait, and the node may be busy then.
    const patienceMs = config.calls.timeoutMs + (waitMs ?? READ_WAIT_MAX_MS);
    return withCause(running(system).ask(events, question, patienceMs)) as never;
  };
  return {
    readEvents,
    events: (types, options = {}) => {
      running(system);
      checkedRead({ types, after: options.after });
      return eventStream(readEvents, types, options);
    },
    subscribe(types, onEvent) {
      const args = {
        onEvent: subscriberOf(types, onEvent),
        tellsMissed: (types as readonly string[]).includes("EventsMissed"),
        missed: { count: 0 },
        onFailed: subscriberFailed,
        onMissed: () => missed.count++,
      };
      const tap = running(system).spawn(eventTap, args, { name: `tap-${++taps}` });
      tell({ type: "Subscribe", subscriber: tap, types, numbered: true });
      return () => void tap.tell({ type: "TapEnded" });
    },
  };
}

/** What TypeScript forbids and a caller in JavaScript may say all the same ends here, not in an actor. */
export function subscriberOf(types: unknown, onEvent: unknown): Subscriber {
  const named = Array.isArray(types) && types.every(isEventType);
  if (named && typeof onEvent === "function") return onEvent as Subscriber;
  throw new TypeError("subscribe takes a list of event types and a function");
}
