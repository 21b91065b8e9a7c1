// The operator's HTTP interface: binds the address, sets the limits, mounts the routes. Loaded only
// when it is asked for; no CORS, so that web pages of others cannot read it.

import fastify, { type FastifyInstance } from "fastify";
import { printableIn } from "../bytes/printable.js";
import { CodedError } from "../errors.js";
import type { NetworkConfig } from "../config.js";
import { DEFAULTS } from "../config/defaults.js";
import type { Network } from "../network.js";
import type { Log } from "../ports.js";
import { addressInvalid, parseAddress } from "../protocol/address.js";
import { KINDS } from "../protocol/types/message.js";
import { boundConnections } from "./connections.js";
import { ANSWER_HEADERS, answerError, answerUnread, answerUnmet, refuse } from "./errors.js";
import { addEventRoutes } from "./event-routes.js";
import { createMetrics } from "./metrics.js";
import { watchMethods } from "./methods.js";
import { originGate } from "./origin.js";
import { addPeerRoutes } from "./peer-routes.js";
import { addRoutes } from "./routes.js";

export interface HttpServer {
  /** `http://host:port`, with the real port. */
  readonly address: string;
  /** Stops accepting and closes what is open. */
  close(): Promise<void>;
}

export interface HttpServerOptions {
  /** `host:port`; port 0 means any free one. */
  readonly address: string;
  readonly network: Network;
  readonly log: Log;
  /** Default: the defaults of the configuration. */
  readonly config?: NetworkConfig["http"];
  /** What those have to show who change something about peers. Default: nobody may. */
  readonly token?: string;
}

/** Two hex digits a byte of the largest transaction that peers take, and JSON around it. */
const BODY_BYTES_MAX = 2 * KINDS.NewTransaction.payloadBytesMax + 1_024;

/** Rejects with ADDRESS_INVALID or ADDRESS_IN_USE. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { network, log, config = DEFAULTS.http } = options;
  const { host, port } = parseAddress(options.address);
  const server = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: config.requestTimeoutMs,
    connectionTimeout: 2 * config.requestTimeoutMs,
    keepAliveTimeout: config.keepAliveMs,
    forceCloseConnections: true,
    // A path that no route can be looked for: too long, or not percent-encoded.
    frameworkErrors: (_error, _request, reply) => {
      refuse(reply.headers(ANSWER_HEADERS), 400, {
        error: "The path of this request cannot be read.",
      });
    },
    clientErrorHandler: answerUnread,
    http: {
      // Refused by the gate below, in this interface's own form.
      requireHostHeader: false,
      headersTimeout: config.requestTimeoutMs,
      maxHeaderSize: config.headerBytesMax,
      // Node looks for what is overdue at this interval only, by default of half a minute.
      connectionsCheckingInterval: Math.ceil(config.requestTimeoutMs / 10),
    },
  });
  boundConnections(server.server, config);
  answerUnmet(server.server);
  const gate = originGate(config.hosts);
  const checkMethod = watchMethods(server);
  server.addHook("onRequest", async (request, reply) => {
    reply.headers(ANSWER_HEADERS);
    return gate(request, reply) ?? checkMethod(request, reply);
  });
  server.addHook("preSerialization", async (_request, _reply, payload) => printableIn(payload));
  server.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
  server.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, { error: `There is no ${request.method} ${request.url}.` }),
  );
  const metrics = createMetrics(network);
  addRoutes(server, network, metrics);
  addPeerRoutes(server, network, { token: options.token, log });
  addEventRoutes(server, network, config);
  try {
    const address = await listen(server, host, port, options.address);
    return {
      address,
      async close() {
        metrics.close();
        await server.close();
      },
    };
  } catch (error) {
    metrics.close();
    throw error;
  }
}

async function listen(
  server: FastifyInstance,
  host: string,
  port: number,
  text: string,
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "EADDRINUSE") {
      const sentence = `The HTTP address ${text} is in use by another process.`;
      throw new CodedError("ADDRESS_IN_USE", sentence, { cause });
    }
    throw addressInvalid(text, `HTTP cannot be bound to it (${code ?? String(cause)})`);
  }
}
