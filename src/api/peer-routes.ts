// The routes about peers: who they are, why they stand where they stand, and what the operator does about
// them. What changes something asks for the token and for JSON: no page of another site can send both.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { peerStatus } from "../actors/service/node-status.js";
import { isCoded } from "../errors.js";
import type { Network } from "../network.js";
import type { Log, PeerId } from "../ports.js";
import { refuse } from "./errors.js";
import { tokenGuard } from "./token.js";

/** What the longest of these bodies has, and room for spaces. */
const BODY_BYTES_MAX = 4_096;
/** Fewer digits would be a guess. */
const BEGINNING = /^[0-9a-f]{4,64}$/;
const ID_CHARS = 64;

export function addPeerRoutes(
  server: FastifyInstance,
  network: Network,
  { token, log }: { readonly token: string | undefined; readonly log: Log },
): void {
  server.get("/peers", async () => ({ peers: (await network.peers()).map(peerStatus) }));
  server.get("/bans", async () => {
    const nowMs = Date.now();
    const bans = await network.bans();
    return { bans: bans.map((ban) => ({ ...ban, inForce: ban.untilWallMs > nowMs })) };
  });
  server.get("/trusted", async () => ({ trusted: await network.trustedPeers() }));
  server.get<{ Params: { id: string } }>("/peers/:id", async ({ params }, reply) => {
    const id = await resolve(network, params.id, reply);
    return typeof id === "string" ? explain(network, id, reply) : id;
  });
  const guarded = { onRequest: tokenGuard(token), bodyLimit: BODY_BYTES_MAX };
  for (const [name, handler] of Object.entries(commandsOf(network))) {
    server.post(`/peers/${name}`, guarded, handler);
  }
  server.post("/limits", guarded, limitsHandler(network, log));
}

/** The settings `limits.*`: the network itself says what is none of them. */
function limitsHandler(network: Network, log: Log): Handler {
  return command(z.record(z.string(), z.unknown()), async (changes, _reply, by) => {
    const limits = network.setLimits(changes);
    log.write("info", "limits were changed by the operator", { ...changes, by });
    return { limits };
  });
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

const text = z.string("must be a text");
const ms = z.number("must be a number of milliseconds");
const peerId = text;

function commandsOf(network: Network): Readonly<Record<string, Handler>> {
  /** For those that name a peer; `run` is told its whole id. */
  const about = <B extends { readonly peerId: string }>(
    schema: z.ZodType<B>,
    run: (body: B, by: string) => Promise<object>,
  ): Handler =>
    command(schema, async (body, reply, by) => {
      const id = await resolve(network, body.peerId, reply);
      if (typeof id !== "string") return id;
      return { peerId: id, ...(await run({ ...body, peerId: id }, by)) };
    });
  const peer = z.strictObject({ peerId });
  const ban = z.strictObject({ peerId, forMs: ms.optional(), reason: text.optional() });
  const away = z.strictObject({ peerId, awayMs: ms.optional() });
  return {
    ban: about(ban, async ({ peerId: id, forMs, reason }, by) => ({
      ban: await network.banPeer(id, { forMs, reason, by }),
    })),
    unban: about(peer, async (body, by) => ({
      changed: await network.unbanPeer(body.peerId, { by }),
    })),
    trust: about(peer, async (body, by) => ({
      changed: await network.trustPeer(body.peerId, { by }),
    })),
    untrust: about(peer, async (body, by) => ({
      changed: await network.untrustPeer(body.peerId, { by }),
    })),
    disconnect: about(away, ({ peerId: id, awayMs }, by) =>
      network.disconnectPeer(id, { awayMs, by }),
    ),
    connect: command(z.strictObject({ address: text }), ({ address }, reply) =>
      connect(network, address, reply),
    ),
  };
}

function command<B>(
  schema: z.ZodType<B>,
  run: (body: B, reply: FastifyReply, by: string) => Promise<unknown>,
): Handler {
  return async (request, reply) => {
    const type = request.headers["content-type"] ?? "";
    if (!/^application\/json *(;|$)/i.test(type)) {
      return refuse(reply, 415, { error: "Send application/json." });
    }
    const read = schema.safeParse(request.body);
    if (!read.success) return refuse(reply, 400, { error: sentenceOf(read.error), rule: "body" });
    return run(read.data, reply, `HTTP from ${request.ip}`);
  };
}

function sentenceOf({ issues: [issue] }: z.ZodError): string {
  if (issue?.code === "unrecognized_keys") {
    return `The body has no member ${JSON.stringify((issue.keys[0] ?? "").slice(0, 64))}.`;
  }
  if (issue === undefined || issue.path.length === 0) return "The body must be a JSON object.";
  return `The member ${issue.path.join(".")} of the body ${issue.message}.`;
}

/** The one peer whose id begins so; else refused. */
async function resolve(
  network: Network,
  beginning: string,
  reply: FastifyReply,
): Promise<PeerId | FastifyReply> {
  if (!BEGINNING.test(beginning)) {
    const error =
      "A peer id is 64 lower-case hex digits; the first of them, at least 4, stand for a peer that " +
      "is known.";
    return refuse(reply, 400, { error });
  }
  if (beginning.length === ID_CHARS) return beginning;
  const found = await network.findPeers(beginning);
  const [only, ...others] = found;
  if (only === undefined) {
    return refuse(reply, 404, { error: `No peer is known whose id begins with ${beginning}.` });
  }
  if (others.length === 0) return only;
  const ids = found.map((id) => id.slice(0, beginning.length + 4)).join(", ");
  const error = `The ids of ${found.length} peers begin with ${beginning}: ${ids}. Say more of it.`;
  return refuse(reply, 409, { error });
}

/** All that is known of a peer, and how it does now when it is connected. */
async function explain(network: Network, id: PeerId, reply: FastifyReply): Promise<unknown> {
  const [explanation, peers] = await Promise.all([network.explainPeer(id), network.peers()]);
  const report = peers.find(({ peerId }) => peerId === id);
  const connected = report === undefined ? null : peerStatus(report);
  const { entries, ban, endpoints, readyWallMs, trusted } = explanation;
  const isUnknown = entries.length === 0 && endpoints.length === 0 && readyWallMs === null;
  if (connected === null && isUnknown && ban === undefined && !trusted) {
    return refuse(reply, 404, { error: `Nothing is known of the peer ${id}.` });
  }
  return { ...explanation, connected };
}

async function connect(network: Network, address: string, reply: FastifyReply): Promise<unknown> {
  try {
    const [peerId] = await network.connect(address);
    return { peerId };
  } catch (error) {
    if (isCoded(error, "DIAL_FAILED")) {
      return refuse(reply, 502, { error: error.message, rule: "dial" });
    }
    if (!isCoded(error, "TIMEOUT")) throw error;
    const sentence = `Nobody is connected at ${address} yet: the node goes on trying.`;
    return refuse(reply, 504, { error: sentence, rule: "dial" });
  }
}
