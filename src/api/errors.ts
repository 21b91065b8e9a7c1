// How the HTTP interface says no: always JSON, always a sentence. Used by the routes and by the
// server for what fastify and Node themselves refuse.

import { STATUS_CODES, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply } from "fastify";
import { isCoded, type ErrorCode } from "../errors.js";
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

/** What comes with every answer. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** By the code of Node's error; any other is no HTTP. */
const UNREAD: Readonly<Record<string, readonly [status: number, sentence: string]>> = {
  CONNECT: [405, "This node is no proxy."],
  HPE_HEADER_OVERFLOW: [431, "The headers of this request are too long."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "This request did not arrive in time."],
};

/** For what Node could not read as a request: the connection ends with it. */
export function answerUnread(
  { code = "" }: Pick<NodeJS.ErrnoException, "code">,
  socket: Socket,
): void {
  if (socket.destroyed || !socket.writable) return void socket.destroy();
  const [status, error] = UNREAD[code] ?? [400, "This request cannot be read as HTTP."];
  const body = JSON.stringify({ error } satisfies Refusal);
  const headers = {
    ...ANSWER_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(body.length),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  socket.destroySoon();
}

/** For what is read, and no route is asked: Node alone would answer without a word or not at all. */
export function answerUnmet(server: Server): void {
  server.on("connect", (_request, socket) => answerUnread({ code: "CONNECT" }, socket as Socket));
  server.on("checkExpectation", (_request, response: ServerResponse) => {
    const error = "This request expects what this node does not do.";
    const body = JSON.stringify({ error } satisfies Refusal);
    const headers = { ...ANSWER_HEADERS, "content-type": "application/json; charset=utf-8" };
    const length = { "content-length": String(body.length), connection: "close" };
    response.writeHead(417, { ...headers, ...length }).end(body);
  });
}

/** What a caller can mend. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  ADDRESS_INVALID: 400,
  ARGUMENT_INVALID: 400,
  CONFIG_INVALID: 400,
  ID_INVALID: 400,
  REFUSED: 409,
};

/** For all that was thrown: fastify's own refusals, an overloaded node, faults. */
export function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const { statusCode = 500, code } = error as Partial<FastifyError>;
  const message = error instanceof Error ? error.message : String(error);
  if (
    isCoded(error, "TIMEOUT") ||
    isCoded(error, "QUEUE_FULL") ||
    isCoded(error, "STOPPED") ||
    isCoded(error, "CRASHED")
  ) {
    reply.header("retry-after", "1");
    return refuse(reply, 503, { error: `The node cannot answer now: ${message}.` });
  }
  if (isCoded(error) && STATUS[error.code] !== undefined) {
    const sentence = message.endsWith(".") ? message : `${message}.`;
    return refuse(reply, STATUS[error.code]!, { error: sentence });
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return refuse(reply, 415, { error: "Send application/json or text/plain." });
  }
  if (statusCode >= 400 && statusCode < 500) return refuse(reply, statusCode, { error: message });
  log.write("error", "a request failed", { error: error instanceof Error ? error.stack : message });
  return refuse(reply, 500, { error: "The node failed to answer; its log says more." });
}
