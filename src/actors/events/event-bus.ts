// Event bus: numbers every published fact, hands it to those who subscribed to its type, and keeps the
// late ones for those who read at their own pace. It gives no commands and waits for nobody: a
// subscriber whose mailbox is full misses events, which is counted, and told where it can be.
// Told by: anyone. Tells: subscribers, readers.

import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import { unreachable } from "../../errors.js";
import type { Lease, MemoryLedger } from "../memory-ledger.js";
import { GATED_TYPES } from "./event-table.js";
import { EventReaders, type ReadEvents } from "./event-readers.js";
import { EventRing, type EventEntry } from "./event-ring.js";
import type { NetworkEvent, NetworkEventType } from "./event-types.js";
import type { HeardTypes } from "./heard.js";

/** So many were dropped before they had a number: they were of any type. */
export interface EventsLost {
  readonly type: "EventsLost";
  readonly count: number;
}

/** What whoever subscribes with `numbered` is told. */
export type NumberedEvent = EventEntry | EventsLost;

export type EventBusMessage =
  | { readonly type: "Publish"; readonly event: NetworkEvent }
  | {
      readonly type: "Subscribe";
      readonly subscriber: ActorRef<NetworkEvent>;
      /** Absent: every type. */
      readonly types?: readonly NetworkEventType[];
      readonly numbered?: false;
    }
  | {
      readonly type: "Subscribe";
      readonly subscriber: ActorRef<NumberedEvent>;
      readonly types?: readonly NetworkEventType[];
      /** With their ids. */
      readonly numbered: true;
    }
  | { readonly type: "Unsubscribe"; readonly subscriber: ActorRef<never> }
  | ReadEvents
  | { readonly type: "ReadDue" }
  | { readonly type: "LingerDue" };

type Subscription = { readonly types: ReadonlySet<NetworkEventType> | undefined } & (
  | { readonly numbered: true; readonly subscriber: ActorRef<NumberedEvent> }
  | { readonly numbered: false; readonly subscriber: ActorRef<NetworkEvent> }
);

interface State {
  readonly onMissed: (() => void) | undefined;
  readonly heard: HeardTypes | undefined;
  readonly dropped: { readonly count: number } | undefined;
  /** By path. */
  readonly subscriptions: Map<string, Subscription>;
  readonly ring: EventRing;
  readonly readers: EventReaders;
  readonly lease: Lease | undefined;
  /** Of `dropped`, so many have their numbers. */
  droppedTold: number;
  /** Something was published since readers were last looked at. */
  news: boolean;
}

export interface EventBusArgs {
  readonly mailboxMax: number;
  /** Of this run of the node, in each id. Default: one that is always the same. */
  readonly run?: string;
  /** Of events that are kept for readers. Default: a little. */
  readonly keptBytesMax?: number;
  /** Written by the bus, read by those who publish much. */
  readonly heard?: HeardTypes | undefined;
  /** How many events the mailbox dropped: whoever makes the bus hands in 0. */
  readonly dropped?: { count: number } | undefined;
  /** Called for each event that no subscriber, or one of them, will get. Must not throw. */
  readonly onMissed?: (() => void) | undefined;
}

export interface EventBusEnv {
  readonly memory?: MemoryLedger;
}

const KEPT_BYTES = 64 * 1_024;
/** How often questions are looked at whose time may be over. */
const LOOK_EVERY_MS = 500;
const LINGER_LOOK_MS = 60_000;

type Ctx = Context<EventBusMessage, EventBusEnv>;

export const eventBus = defineActor<EventBusArgs, EventBusMessage, State, EventBusEnv>({
  name: "event-bus",
  source: { moduleUrl: import.meta.url, exportName: "eventBus" },
  mailbox: (args) => ({
    dataMax: args.mailboxMax,
    controlMax: args.mailboxMax,
    // Facts may be missed under overload; the newest are worth more than the oldest.
    overflow: "dropOldest",
    replyOf: replyToOf,
    isControl: (message) => message.type !== "Publish",
    onDropped: () => {
      if (args.dropped !== undefined) args.dropped.count++;
      args.onMissed?.();
    },
  }),
  onFault: ESCALATE,

  init(context, args) {
    const { run = "0".repeat(16), keptBytesMax = KEPT_BYTES, heard, dropped, onMissed } = args;
    const ring = new EventRing(run, keptBytesMax);
    const { memory } = context.env;
    return {
      subscriptions: new Map(),
      ring,
      readers: new EventReaders(run, ring),
      lease: memory && context.owns(memory.lease("events")),
      heard,
      dropped,
      onMissed,
      droppedTold: 0,
      news: false,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Publish":
        publish(state, message.event);
        return;
      case "Subscribe":
        subscribe(state, message, context);
        return;
      case "Unsubscribe":
        state.subscriptions.delete(message.subscriber.path);
        tellHeard(state);
        return;
      case "ReadEvents":
        read(state, message, context);
        return;
      case "ReadDue":
        state.news = true;
        if (state.readers.waits) lookLater(context);
        return;
      case "LingerDue":
        if (state.readers.forget(context.nowMs)) tellHeard(state);
        context.startTimer("linger", LINGER_LOOK_MS, { type: "LingerDue" });
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type !== "terminated") return;
    state.subscriptions.delete(signal.path);
    tellHeard(state);
  },

  afterBatch(state, context) {
    if (!state.news) return;
    state.news = false;
    if (state.readers.waits) state.readers.look(context.nowMs);
    state.lease?.resize(state.ring.bytes);
  },

  invariants({ ring }) {
    ring.invariants();
  },
});

function publish(state: State, event: NetworkEvent): void {
  const { dropped, droppedTold, ring } = state;
  if (dropped !== undefined && dropped.count > droppedTold) {
    state.droppedTold = dropped.count;
    lost(state, dropped.count - droppedTold);
  }
  const entry = ring.push(event);
  state.news = true;
  for (const one of state.subscriptions.values()) {
    if (one.types !== undefined && !one.types.has(event.type)) continue;
    const isTaken = one.numbered ? one.subscriber.tell(entry) : one.subscriber.tell(event);
    if (!isTaken) state.onMissed?.();
  }
}

/** Under a flood, before they came here. */
function lost(state: State, count: number): void {
  state.ring.skip(count);
  for (const one of state.subscriptions.values()) {
    if (one.numbered) one.subscriber.tell({ type: "EventsLost", count });
  }
}

function subscribe(
  state: State,
  message: Extract<EventBusMessage, { type: "Subscribe" }>,
  context: Ctx,
): void {
  const types = message.types === undefined ? undefined : new Set(message.types);
  const subscription: Subscription = message.numbered
    ? { types, numbered: true, subscriber: message.subscriber }
    : { types, numbered: false, subscriber: message.subscriber };
  state.subscriptions.set(message.subscriber.path, subscription);
  context.watch(message.subscriber);
  tellHeard(state);
}

function read(state: State, question: ReadEvents, context: Ctx): void {
  const waited = state.readers.waits;
  if (state.readers.ask(question, context.nowMs)) {
    tellHeard(state);
    context.startTimer("linger", LINGER_LOOK_MS, { type: "LingerDue" });
  }
  if (!waited && state.readers.waits) lookLater(context);
}

function lookLater(context: Ctx): void {
  context.startTimer("read", LOOK_EVERY_MS, { type: "ReadDue" });
}

function tellHeard({ heard, subscriptions, readers }: State): void {
  if (heard === undefined) return;
  const types = new Set<NetworkEventType>(readers.types);
  for (const subscription of subscriptions.values()) {
    for (const type of subscription.types ?? GATED_TYPES) types.add(type);
  }
  heard.set(types);
}
