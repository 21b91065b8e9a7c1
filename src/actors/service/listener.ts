// Listener: accepts connections on the configured addresses and hands them to the registry.
// Told by: the service. Tells: registry, event bus. A bind that fails is the operator's to mend and
// is reported to the service, never retried in silence; all addresses are bound or none.

import { unreachable } from "../../errors.js";
import { defineActor, type ActorRef } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { addressInvalid, formatAddress, type Endpoint } from "../../protocol/address.js";
import type { Connection, ListenHandler, Refusal, TransportListener } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { RegistryMessage } from "../peer/peer-table.js";

export type ListenerMessage =
  | { readonly type: "Bound"; readonly listeners: readonly TransportListener[] }
  | { readonly type: "BindFailed"; readonly error: unknown }
  | { readonly type: "Accepted"; readonly connection: Connection }
  | ({ readonly type: "Refused" } & Refusal)
  | { readonly type: "Stop" };

/** Told once to the service: where the node listens, or why it does not. */
export type ListenOutcome =
  | { readonly type: "Listening"; readonly endpoints: readonly Endpoint[] }
  | { readonly type: "ListenFailed"; readonly error: unknown };

export interface ListenerArgs {
  readonly endpoints: readonly Endpoint[];
  readonly registry: ActorRef<RegistryMessage>;
  readonly events: ActorRef<EventBusMessage>;
  readonly outcome: ActorRef<ListenOutcome>;
}

export type ListenerEnv = Pick<NodeEnv, "transports" | "log">;

interface State extends ListenerArgs {
  listeners: readonly TransportListener[];
  stopped: boolean;
}

export const listener = defineActor<ListenerArgs, ListenerMessage, State, ListenerEnv>({
  name: "listener",
  mailbox: {
    dataMax: 1_024,
    controlMax: 64,
    // A connection that cannot be taken now is closed by its sender below.
    overflow: "reject",
    dispose: (message) => {
      if (message.type === "Accepted") message.connection.destroy();
      if (message.type === "Bound") closeAll(message.listeners);
    },
    isControl: ({ type }) => type === "Bound" || type === "BindFailed" || type === "Stop",
  },
  onFault: RESTART,

  init(context, args) {
    const { self, env } = context;
    const handler: ListenHandler = {
      onConnection(connection) {
        if (!self.tell({ type: "Accepted", connection })) connection.destroy();
      },
      onRefused: (refusal) => self.tell({ type: "Refused", ...refusal }),
    };
    context.pipe(bindAll(args.endpoints, env, handler), (outcome) =>
      outcome.ok
        ? { type: "Bound", listeners: outcome.value }
        : { type: "BindFailed", error: outcome.error },
    );
    return { ...args, listeners: [], stopped: false };
  },

  receive(state, message, { env }) {
    switch (message.type) {
      case "Bound": {
        if (state.stopped) {
          closeAll(message.listeners);
          return;
        }
        state.listeners = message.listeners;
        const endpoints = message.listeners.map(({ endpoint }) => endpoint);
        state.outcome.tell({ type: "Listening", endpoints });
        for (const address of endpoints.map(formatAddress)) {
          env.log.write("info", "listening", { address });
          state.events.tell({ type: "Publish", event: { type: "ListenerBound", address } });
        }
        return;
      }
      case "BindFailed":
        state.outcome.tell({ type: "ListenFailed", error: message.error });
        return;
      case "Accepted": {
        const { connection } = message;
        if (state.stopped || !state.registry.tell({ type: "Connected", connection })) {
          connection.destroy();
        }
        return;
      }
      case "Refused": {
        const { rule, detail } = message;
        const remoteAddress = formatAddress(message.remote);
        const level = rule === "own-fault" ? "error" : "debug";
        env.log.write(level, "connection refused", { remoteAddress, rule, detail });
        const event = { type: "ConnectionRefused", remoteAddress, rule, detail } as const;
        state.events.tell({ type: "Publish", event });
        return;
      }
      case "Stop":
        stop(state);
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type === "stopping") stop(state);
  },
});

function stop(state: State): void {
  state.stopped = true;
  closeAll(state.listeners);
  state.listeners = [];
}

/** One after the other: of two that cover each other it is the second that is refused. */
async function bindAll(
  endpoints: readonly Endpoint[],
  { transports }: ListenerEnv,
  handler: ListenHandler,
): Promise<readonly TransportListener[]> {
  const bound: TransportListener[] = [];
  try {
    for (const endpoint of endpoints) {
      const transport = transports.get(endpoint.scheme);
      if (transport === undefined) {
        const scheme = `there is no transport for ${endpoint.scheme}`;
        throw addressInvalid(formatAddress(endpoint), scheme);
      }
      bound.push(await transport.listen(endpoint, handler));
    }
    return bound;
  } catch (error) {
    closeAll(bound);
    throw error;
  }
}

/** Closing cannot fail in a way that anyone could act on. */
function closeAll(listeners: readonly TransportListener[]): void {
  for (const listener of listeners) void listener.close();
}
