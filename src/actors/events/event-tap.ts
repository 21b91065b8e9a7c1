// Event tap: hands events of the bus to a plain function, for code that lives outside of actors.
// Told by: event bus, and its owner to end it. Tells: nobody; a function that throws ends its own
// subscription, which its owner hears of, and a slow one misses the oldest events, counted. One that
// answers a promise is not waited for, but what that rejects with is as if it had been thrown.

import { whenRejected } from "../../errors.js";
import { defineActor } from "../../runtime/actor.js";
import type { NetworkEvent } from "./event-types.js";

export interface EventTapArgs {
  readonly onEvent: (event: NetworkEvent) => void;
  /** Called once, with what `onEvent` threw. Must not throw. */
  readonly onFailed?: (error: unknown) => void;
  /** Called for each event that was dropped because `onEvent` is too slow. Must not throw. */
  readonly onMissed?: () => void;
}

export type EventTapMessage =
  | NetworkEvent
  | { readonly type: "TapEnded" }
  /** From itself: the promise of an `onEvent` rejected. */
  | { readonly type: "TapFailed"; readonly error: unknown };

export const eventTap = defineActor<EventTapArgs, EventTapMessage, EventTapArgs, unknown>({
  name: "event-tap",
  mailbox: ({ onMissed }) => ({
    dataMax: 4_096,
    controlMax: 64,
    overflow: "dropOldest",
    isControl: ({ type }) => type === "TapEnded" || type === "TapFailed",
    ...(onMissed && { onDropped: onMissed }),
  }),
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ onEvent, onFailed }, message, context) {
    // The bus watches its subscribers, so it forgets this one.
    if (message.type === "TapEnded") {
      context.stop();
      return;
    }
    const fail = (error: unknown): never => {
      onFailed?.(error);
      throw error;
    };
    if (message.type === "TapFailed") fail(message.error);
    else {
      try {
        const { self } = context;
        whenRejected(onEvent(message), (error) => void self.tell({ type: "TapFailed", error }));
      } catch (error) {
        fail(error);
      }
    }
  },
});
