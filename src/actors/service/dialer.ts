// Dialer: carries out the dials that the registry asks for, and hands it the connections.
// Told by: the registry. Tells: the registry. Each dial is a question that is answered once, so a
// fault of this actor costs the dials that are under way and nothing else.

import fastq from "fastq";
import { CodedError, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { formatAddress, type Endpoint } from "../../protocol/address.js";
import type { Connection } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { RegistryMessage } from "../peer/peer-table.js";
import type { DialerMessage } from "./dial-messages.js";

export interface DialerArgs {
  readonly registry: ActorRef<RegistryMessage>;
}

export type DialerEnv = Pick<NodeEnv, "transports" | "config">;

interface State extends DialerArgs {
  /** Bounds how many dials run at once, whoever asks for them. */
  readonly queue: fastq.queueAsPromised<Endpoint, Connection>;
}

export const dialer = defineActor<DialerArgs, DialerMessage, State, DialerEnv>({
  name: "dialer",
  mailbox: {
    // The registry has no more dials under way than `dial.concurrentMax`, at most 1,024.
    dataMax: 1_024,
    controlMax: 1_024,
    overflow: "reject",
    replyOf: replyToOf,
    dispose: (message) => {
      if (message.type === "Dialed" && message.outcome.ok) message.outcome.value.destroy();
    },
    isControl: ({ type }) => type === "Dialed",
  },
  onFault: RESTART,

  init({ env, self }, args) {
    args.registry.tell({ type: "DialerStarted", dialer: self });
    const queue = fastq.promise(
      (endpoint: Endpoint) => dial(endpoint, env),
      env.config.dial.concurrentMax,
    );
    return { ...args, queue };
  },

  receive({ registry, queue }, message, context) {
    const { endpoint, replyTo } = message;
    switch (message.type) {
      case "Dial":
        context.pipe(queue.push(endpoint), (outcome) => ({
          type: "Dialed",
          endpoint,
          outcome,
          replyTo,
        }));
        return;
      case "Dialed": {
        const { outcome } = message;
        if (!outcome.ok) {
          replyTo.tell({ ok: false, error: outcome.error });
          return;
        }
        const connection = outcome.value;
        const { peerId } = connection;
        if (registry.tell({ type: "Connected", connection, dialed: endpoint })) {
          replyTo.tell({ ok: true, peerId });
          return;
        }
        connection.destroy();
        const why = `Cannot connect to ${formatAddress(endpoint)}: this node is too busy.`;
        replyTo.tell({ ok: false, error: new CodedError("QUEUE_FULL", why) });
        return;
      }
      default:
        unreachable(message);
    }
  },
});

async function dial(endpoint: Endpoint, { transports, config }: DialerEnv): Promise<Connection> {
  const transport = transports.get(endpoint.scheme);
  if (transport === undefined) {
    const sentence = `there is no transport for ${formatAddress(endpoint)}`;
    throw new CodedError("DIAL_FAILED", sentence);
  }
  return transport.dial(endpoint, { timeoutMs: config.dial.timeoutMs });
}
