// How a host hears of events: by a function that is called, or by reading them at its own pace.

import type { EventBusMessage } from "../actors/events/event-bus.js";
import { readEventId } from "../actors/events/event-ids.js";
import { isEventType } from "../actors/events/event-table.js";
import { eventTap } from "../actors/events/event-tap.js";
import type {
  EventId,
  EventPage,
  NetworkEvent,
  NetworkEventOf,
  NetworkEventType,
} from "../actors/events/event-types.js";
import type { NetworkMessage } from "../actors/service/network-messages.js";
import type { ActorRef } from "../runtime/actor.js";
import {
  checkedRead,
  eventStream,
  READ_COUNT_MAX,
  READ_WAIT_MAX_MS,
  type EventStreamOptions,
  type ReadEventsOptions,
  type Streamed,
} from "./event-stream.js";
import type { ActorSystem } from "../runtime/actor-system.js";
import type { NodeEnv } from "../actors/env.js";
import type { NetworkConfig } from "../config.js";

/** Counted where events are dropped: at the event bus and at each subscriber. */
export interface MissedEvents {
  count: number;
}

export interface NetworkEvents {
  /**
   * Calls `onEvent` for each event of these types, with its id; answers the function that ends it. One
   * that is too slow misses the oldest, and hears so by `EventsMissed`, where that is among the types.
   * An `onEvent` that throws, or whose promise rejects, is not called again: a process warning says so.
   */
  subscribe<T extends NetworkEventType>(
    types: readonly T[],
    onEvent: (event: NetworkEventOf<T>, id: EventId) => void,
  ): () => void;
  /**
   * The events of these types with their ids, at the pace of `for await`: from now on, or after an
   * event that was had. What the node keeps no more (`events.keptBytesMax`) is told by one
   * `EventsMissed`. Ends by `break`, or by a signal. Throws ARGUMENT_INVALID.
   */
  events<T extends NetworkEventType>(
    types: readonly T[],
    options?: EventStreamOptions,
  ): AsyncIterableIterator<Streamed<T>>;
  /**
   * A page of such events: as soon as there is one, or an empty one after `waitMs`. Throws
   * ARGUMENT_INVALID.
   */
  readEvents<T extends NetworkEventType>(options?: ReadEventsOptions<T>): Promise<EventPage<T>>;
}

interface EventParts {
  readonly system: Pick<ActorSystem<NodeEnv>, "ask" | "spawn">;
  readonly events: ActorRef<EventBusMessage>;
  readonly missed: MissedEvents;
  readonly config: Pick<NetworkConfig, "calls">;
}

interface Calls {
  /** Answers `part` while the network runs, throws STOPPED after. */
  readonly running: <T>(part: T) => T;
  readonly withCause: <T>(answer: Promise<T>) => Promise<T>;
  readonly tell: (message: NetworkMessage) => void;
}

type Subscriber = (event: NetworkEvent, id: EventId) => void;

/** Of a host's function that threw, for those too who gave no log. */
export function subscriberFailed(error: unknown): void {
  process.emitWarning(`a subscriber of the network failed: ${String(error)}`, "ActorFault");
}

export function eventAccess(
  { system, events, missed, config }: EventParts,
  { running, withCause, tell }: Calls,
): NetworkEvents {
  let taps = 0;
  const readEvents: NetworkEvents["readEvents"] = async (options = {}) => {
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
