// Event tap: hands events of the bus to a plain function, for code that lives outside of actors.
// Told by: event bus, and its owner to end it. Tells: nobody; a function that throws ends its own
// subscription, which its owner hears of, and a slow one misses the oldest events, counted.

import { defineActor } from "../../runtime/actor.js";
import type { NetworkEvent } from "./event-types.js";

export interface EventTapArgs {
  readonly onEvent: (event: NetworkEvent) => void;
  /** Called once, with what `onEvent` threw. Must not throw. */
  readonly onFailed?: (error: unknown) => void;
  /** Called for each event that was dropped because `onEvent` is too slow. Must not throw. */
  readonly onMissed?: () => void;
}

export type EventTapMessage = NetworkEvent | { readonly type: "TapEnded" };

export const eventTap = defineActor<EventTapArgs, EventTapMessage, EventTapArgs, unknown>({
  name: "event-tap",
  mailbox: ({ onMissed }) => ({
    dataMax: 4_096,
    controlMax: 64,
    overflow: "dropOldest",
    isControl: ({ type }) => type === "TapEnded",
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
    try {
      onEvent(message);
    } catch (error) {
      onFailed?.(error);
      throw error;
    }
  },
});
