// Who may ask: a browser on this machine runs the pages of strangers, and those must not reach the
// node by a name of their own (DNS rebinding) or change anything by a form. Programs are not meant.

import type { FastifyReply, FastifyRequest } from "fastify";
import { readAddress } from "../protocol/address.js";
import { refuse } from "./errors.js";

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export type Gate = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;

/** `hosts`: names of this node, in lower case, besides `localhost` and what is an IP address. */
export function originGate(hosts: readonly string[]): Gate {
  const names = new Set(["localhost", ...hosts]);
  return ({ headers, method, raw }, reply) => {
    const { host } = headers;
    // Without a Host it is a program with HTTP 1.0: every browser says one.
    if (host === undefined && raw.httpVersion !== "1.0") {
      const error = "A request needs a Host header: ask by IP address or as localhost.";
      return refuse(reply, 400, { error, rule: "host" });
    }
    if (host !== undefined && !isOurs(host, names)) {
      const error =
        "This node is not known by the name of this request's Host header: ask by IP address or as " +
        "localhost, or start the node with --http-host NAME.";
      return refuse(reply, 403, { error, rule: "host" });
    }
    if (READING.has(method) || !isForeign(headers)) return undefined;
    const error = "A page of another site may not change anything here.";
    return refuse(reply, 403, { error, rule: "origin" });
  };
}

/** A page of another site asks. What it could not read anyway need not be refused, unless it lasts. */
export function isForeign(headers: FastifyRequest["headers"]): boolean {
  const { host, origin } = headers;
  return (
    (origin !== undefined && origin !== `http://${host}`) ||
    headers["sec-fetch-site"] === "cross-site" ||
    headers["sec-fetch-site"] === "same-site"
  );
}

/** Only a name can be pointed at another address: a page at an IP address is at that address. */
function isOurs(host: string, names: ReadonlySet<string>): boolean {
  const withPort = /:\d+$/.test(host) && !host.endsWith("]") ? host : `${host}:80`;
  const reading = readAddress(withPort.replace(/\.(?=:\d+$)/, ""));
  if (!reading.ok || reading.address.peerId !== undefined) return false;
  const name = reading.address.host;
  return names.has(name) || name.includes(":") || /^[0-9.]+$/.test(name);
}
