// How whoever has blocks asks the consensus integration to connect or restore them.

import { NO_DEADLINE, type Context } from "../runtime/actor.js";
import type { ActorRef } from "../runtime/actor.js";
import type { ConnectOutcome, ConsensusMessage } from "./integration/consensus-integration.js";
import type { SystemRouterMessage } from "./service/system-router.js";

type Command = Extract<ConsensusMessage, { type: "Connect" | "Restore" }>;
type Unaddressed<C> = C extends Command ? Omit<C, "replyTo"> : never;

/**
 * Ends in one ConnectOutcome of the command's tag, as long as a commit may take; whoever refused the
 * command or lost it was too busy for it.
 */
export function askConsensus<M>(
  system: ActorRef<SystemRouterMessage>,
  command: Unaddressed<Command>,
  context: Context<M | ConnectOutcome, unknown>,
): void {
  const { tag } = command;
  context.ask<SystemRouterMessage, ConnectOutcome>(
    system,
    (replyTo) => ({ to: "consensus", message: { ...command, replyTo } }),
    NO_DEADLINE,
    (outcome) =>
      outcome.ok ? outcome.value : { type: "ConnectOutcome", tag, ok: false, reason: "busy" },
  );
}
