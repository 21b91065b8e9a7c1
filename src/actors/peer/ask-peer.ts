// How an actor asks a peer: a question to its handler, which ends in one message to whoever asked.

import { NO_DEADLINE, type ActorRef, type AskOutcome, type Context } from "../../runtime/actor.js";
import type { PeerId } from "../../ports.js";
import type { WireMessage } from "../../protocol/types/message.js";
import type { PeerAnswer, PeerHandlerMessage } from "./peer-handler-messages.js";

export type RequestOutcome = {
  readonly type: "RequestOutcome";
  /** The requester's own number for this request. */
  readonly tag: number;
  readonly peerId: PeerId;
} & PeerAnswer;

export interface PeerRequest {
  readonly peerId: PeerId;
  readonly handler: ActorRef<PeerHandlerMessage>;
  readonly message: WireMessage;
  readonly tag: number;
}

/**
 * Ends in one RequestOutcome. The session has the deadline; a handler that is full or gone answers
 * for a peer that is busy or closed.
 */
export function askPeer<M>(
  { peerId, handler, message, tag }: PeerRequest,
  context: Context<M | RequestOutcome, unknown>,
): void {
  context.ask<PeerHandlerMessage, PeerAnswer>(
    handler,
    (replyTo) => ({ type: "Request", message, replyTo }),
    NO_DEADLINE,
    (outcome) => ({ type: "RequestOutcome", tag, peerId, ...answerOf(outcome) }),
  );
}

function answerOf(outcome: AskOutcome<PeerAnswer>): PeerAnswer {
  if (outcome.ok) return outcome.value;
  return { ok: false, reason: outcome.reason === "refused" ? "Busy" : "Closed" };
}
