// Sync handler: hands peers' requests for headers and ranges to storage, which replies.
// Told by: message router. Tells: system router, peer handlers.

import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { handledKinds } from "../../protocol/types/message.js";
import { RESTART } from "../policies.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";

export interface SyncHandlerArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
}

type SyncRequest = Incoming<"RequestHeaders" | "RequestBlockRange">;

export const syncHandler = defineActor<SyncHandlerArgs, SyncRequest, SyncHandlerArgs, unknown>({
  name: "sync-handler",
  mailbox: { dataMax: 256, controlMax: 64, overflow: "reject", replyOf: replyToOf },
  onFault: RESTART,

  init(context, args) {
    const kinds = handledKinds("sync/1");
    args.router.tell({ type: "Register", kinds, handler: context.self as ActorRef<Incoming> });
    return args;
  },

  receive({ system }, { message: request, peerId, replyTo }, context) {
    const message = { type: "Serve", request, peerId, replyTo } as const;
    context.forward(system, { to: "storage", message }, replyTo);
  },
});
