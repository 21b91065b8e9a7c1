// Event tap: hands events of the bus to a plain function, for code that lives outside of actors.
// Told by: event bus, and its owner to end it. Tells: nobody; a function that throws ends its own
// subscription.

import { defineActor } from "../../runtime/actor.js";
import type { NetworkEvent } from "./event-types.js";

export interface EventTapArgs {
  readonly onEvent: (event: NetworkEvent) => void;
}

export type EventTapMessage = NetworkEvent | { readonly type: "TapEnded" };

export const eventTap = defineActor<EventTapArgs, EventTapMessage, EventTapArgs, unknown>({
  name: "event-tap",
  mailbox: {
    dataMax: 4_096,
    controlMax: 64,
    overflow: "dropOldest",
    isControl: ({ type }) => type === "TapEnded",
  },
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive({ onEvent }, message, context) {
    // The bus watches its subscribers, so it forgets this one.
    if (message.type === "TapEnded") context.stop();
    else onEvent(message);
  },
});
