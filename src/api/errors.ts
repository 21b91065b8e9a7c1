// How the HTTP interface says no: always JSON, always a sentence. Used by the routes and by the
// server for what fastify itself refuses.

import type { FastifyError, FastifyReply } from "fastify";
import { isCoded } from "../errors.js";
import type { Log } from "../ports.js";

export interface Refusal {
  /** A sentence for people. */
  readonly error: string;
  /** For transactions: the rule that was broken, for programs. */
  readonly rule?: string;
  readonly id?: string;
}

export function refuse(reply: FastifyReply, status: number, refusal: Refusal): FastifyReply {
  return reply.code(status).send(refusal);
}

/** For all that was thrown: fastify's own refusals, an overloaded node, faults. */
export function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const { statusCode = 500, code } = error as Partial<FastifyError>;
  const message = error instanceof Error ? error.message : String(error);
  if (isCoded(error, "TIMEOUT") || isCoded(error, "QUEUE_FULL") || isCoded(error, "STOPPED")) {
    reply.header("retry-after", "1");
    return refuse(reply, 503, { error: `The node cannot answer now: ${message}.` });
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return refuse(reply, 415, { error: "Send application/json or text/plain." });
  }
  if (statusCode >= 400 && statusCode < 500) return refuse(reply, statusCode, { error: message });
  log.write("error", "a request failed", { error: error instanceof Error ? error.stack : message });
  return refuse(reply, 500, { error: "The node failed to answer; its log says more." });
}
