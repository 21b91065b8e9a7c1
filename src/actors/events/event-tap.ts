// Event tap: hands events of the bus to a plain function, for code that lives outside of actors.
// Told by: event bus, and its owner to end it. Tells: nobody; a function that throws ends its own
// subscription, which its owner hears of, and a slow one misses the oldest events and is told so
// before the next one. One that answers a promise is not waited for, but what that rejects with is as
// if it had been thrown.

import { whenRejected } from "../../errors.js";
import { defineActor } from "../../runtime/actor.js";
import type { NumberedEvent } from "./event-bus.js";
import { eventId } from "./event-ids.js";
import type { EventId, NetworkEvent } from "./event-types.js";

export interface EventTapArgs {
  readonly onEvent: (event: NetworkEvent, id: EventId) => void;
  /** Whether `onEvent` is told what it missed. Default: no. */
  readonly tellsMissed?: boolean;
  /** How many were dropped because `onEvent` is too slow: whoever makes the tap hands in 0. */
  readonly missed: { count: number };
  /** Called once, with what `onEvent` threw. Must not throw. */
  readonly onFailed?: (error: unknown) => void;
  /** Called for each event that is counted in `missed`. Must not throw. */
  readonly onMissed?: () => void;
}

export type EventTapMessage =
  | NumberedEvent
  | { readonly type: "TapEnded" }
  /** From itself: the promise of an `onEvent` rejected. */
  | { readonly type: "TapFailed"; readonly error: unknown };

interface State extends EventTapArgs {
  /** Of `missed`, so many were told. */
  missedTold: number;
  /** Of the last event that came. */
  lastSeq: number | undefined;
}

export const eventTap = defineActor<EventTapArgs, EventTapMessage, State, unknown>({
  name: "event-tap",
  mailbox: ({ missed, onMissed }) => ({
    dataMax: 4_096,
    controlMax: 64,
    overflow: "dropOldest",
    isControl: ({ type }) => type !== "EventTold",
    onDropped: () => {
      missed.count++;
      onMissed?.();
    },
  }),
  onFault: { kind: "stop" },
  init: (_context, args) => ({ ...args, missedTold: 0, lastSeq: undefined }),
  receive(state, message, context) {
    const { self } = context;
    const call = (event: NetworkEvent, id: EventId): void => {
      try {
        const failed = (error: unknown): void => void self.tell({ type: "TapFailed", error });
        whenRejected(state.onEvent(event, id), failed);
      } catch (error) {
        fail(state, error);
      }
    };
    switch (message.type) {
      // The bus watches its subscribers, so it forgets this one.
      case "TapEnded":
        context.stop();
        return;
      case "TapFailed":
        fail(state, message.error);
        return;
      case "EventsLost":
        state.missed.count += message.count;
        return;
      case "EventTold": {
        const { run, seq, event } = message;
        const count = state.missed.count - state.missedTold;
        if (count > 0 && state.tellsMissed === true) {
          const { lastSeq } = state;
          const firstId = lastSeq === undefined ? null : eventId(run, lastSeq + 1);
          const lastId = eventId(run, seq - 1);
          call({ type: "EventsMissed", reason: "slow", count, firstId, lastId }, lastId);
        }
        state.missedTold = state.missed.count;
        state.lastSeq = seq;
        call(event, eventId(run, seq));
      }
    }
  },
});

function fail({ onFailed }: EventTapArgs, error: unknown): never {
  onFailed?.(error);
  throw error;
}
