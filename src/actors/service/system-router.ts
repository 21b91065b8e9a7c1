// SystemRouter: the one way from handlers and sync to the subsystems behind the integrations.
// Told by: handlers, sync, producer, the service. Tells: consensus, mempool, storage integration.
// It keeps senders ignorant of where a subsystem lives, and holds what a busy one cannot take.

import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import type { ConsensusMessage } from "../integration/consensus-integration.js";
import type { MempoolMessage } from "../integration/mempool-integration.js";
import type { StorageMessage } from "../integration/storage-integration.js";
import { HoldingQueue } from "./holding-queue.js";

export type SystemRouterMessage =
  | { readonly to: "consensus"; readonly message: ConsensusMessage }
  | { readonly to: "mempool"; readonly message: MempoolMessage }
  | { readonly to: "storage"; readonly message: StorageMessage };

export interface SystemRouterArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly mempool: ActorRef<MempoolMessage>;
  readonly storage: ActorRef<StorageMessage>;
}

interface State {
  readonly targets: SystemRouterArgs;
  readonly held: HoldingQueue;
}

export const systemRouter = defineActor<SystemRouterArgs, SystemRouterMessage, State, unknown>({
  name: "system-router",
  mailbox: {
    dataMax: 16_384,
    controlMax: 64,
    overflow: "reject",
    replyOf: ({ message }) => replyToOf(message),
  },
  onFault: RESTART,

  init: (_context, args) => ({ targets: args, held: new HoldingQueue() }),

  receive({ targets, held }, { to, message }) {
    held.offer(targets[to] as ActorRef<unknown>, message);
  },

  signal({ held }, signal) {
    if (signal.type === "writable") held.retry(signal.path);
  },
});
