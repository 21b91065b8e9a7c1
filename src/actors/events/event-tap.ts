// Event tap: hands events of the bus to a plain function, for code that lives outside of actors.
// Told by: event bus. Tells: nobody; a function that throws ends its own subscription.

import { defineActor } from "../../runtime/actor.js";
import type { NetworkEvent } from "./event-types.js";

export interface EventTapArgs {
  readonly onEvent: (event: NetworkEvent) => void;
}

export const eventTap = defineActor<EventTapArgs, NetworkEvent, EventTapArgs, unknown>({
  name: "event-tap",
  mailbox: { dataMax: 4_096, controlMax: 64, overflow: "dropOldest" },
  onFault: { kind: "stop" },
  init: (_context, args) => args,
  receive: ({ onEvent }, event) => onEvent(event),
});
