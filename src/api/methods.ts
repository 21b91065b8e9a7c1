// Which methods a path has: another one is answered by 405 and their names, not as if there were no such
// path. Used by the server, which tells it of each route.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { refuse } from "./errors.js";

interface Path {
  readonly methods: Set<string>;
  readonly matches: (path: string) => boolean;
}

/** Before any route is added. The check: undefined where the method is one of the path's. */
export function watchMethods(
  server: FastifyInstance,
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined {
  const paths = new Map<string, Path>();
  server.addHook("onRoute", ({ url, method }) => {
    const path = paths.get(url) ?? { methods: new Set(), matches: matcherOf(url) };
    paths.set(url, path);
    for (const name of [method].flat()) path.methods.add(name);
  });
  return ({ method, url }, reply) => {
    const path = url.split("?", 1)[0] ?? url;
    // A path that is said as it is comes before one with a parameter.
    const found = paths.get(path) ?? [...paths.values()].find(({ matches }) => matches(path));
    if (found === undefined || found.methods.has(method)) return undefined;
    const allowed = [...found.methods].join(", ");
    reply.header("allow", allowed);
    return refuse(reply, 405, { error: `There is no ${method} ${path}: it has ${allowed}.` });
  };
}

function matcherOf(url: string): (path: string) => boolean {
  const parts = url.split("/").map((part) => (part.startsWith(":") ? undefined : part));
  return (path) => {
    const said = path.split("/");
    if (said.length !== parts.length) return false;
    return parts.every((part, at) => (part === undefined ? said[at] !== "" : part === said[at]));
  };
}
