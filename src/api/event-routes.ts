// GET /events: the events of the node as they come, as server-sent events (WHATWG HTML). Nothing waits
// here for a reader but one page in its socket: what it has not taken is read when it takes again, or,
// when the node keeps it no more, is told as missed.

import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { printableIn } from "../bytes/printable.js";
import { readEventId } from "../actors/events/event-ids.js";
import { EVENTS, TOPICS, typesNamed } from "../actors/events/event-table.js";
import type {
  EventId,
  EventPage,
  NetworkEventType,
  ToldEvent,
} from "../actors/events/event-types.js";
import type { NetworkConfig } from "../config.js";
import { isCoded } from "../errors.js";
import type { Network } from "../network.js";
import { isLoopback } from "./connections.js";
import { refuse } from "./errors.js";
import { isForeign } from "./origin.js";

type Limits = Pick<NetworkConfig["http"], "streamsMax" | "streamStallMs">;

interface Query {
  readonly types?: unknown;
  readonly after?: unknown;
}

interface Wanted {
  readonly types: readonly NetworkEventType[] | undefined;
  readonly after: EventId | undefined;
}

/** Until a reader that lost its connection comes again. */
const RETRY_MS = 1_000;
const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // Proxies of one kind keep what they are sent until it is a page.
  "x-accel-buffering": "no",
} as const;
/** A comment, by which either side finds out that the other is gone. */
const HEARTBEAT = ":\n\n";

export function addEventRoutes(server: FastifyInstance, network: Network, limits: Limits): void {
  /** Of this machine and of others. */
  const open = { here: 0, elsewhere: 0 };
  /** Answers whether the request may have a stream; false: it was answered. */
  const admit = (request: FastifyRequest, reply: FastifyReply): Wanted | undefined => {
    if (isForeign(request.headers)) {
      const error = "A page of another site may not listen here.";
      refuse(reply, 403, { error, rule: "origin" });
      return undefined;
    }
    return wantedBy(request, reply);
  };
  server.get("/events", { exposeHeadRoute: false }, async (request, reply) => {
    const wanted = admit(request, reply);
    if (wanted === undefined) return reply;
    const from = isLoopback(request.ip) ? "here" : "elsewhere";
    const { streamsMax, streamStallMs } = limits;
    const isFull =
      open.here + open.elsewhere >= streamsMax ||
      (from === "elsewhere" && open.elsewhere >= streamsMax / 2);
    if (isFull) {
      const error = "There are as many streams of events as may be (http.streamsMax).";
      reply.header("retry-after", "10");
      return refuse(reply, 503, { error, rule: "streams" });
    }
    open[from]++;
    try {
      await stream(network, wanted, reply, streamStallMs);
    } finally {
      open[from]--;
    }
    return reply;
  });
  server.head("/events", async (request, reply) => {
    if (admit(request, reply) === undefined) return reply;
    return reply.headers(HEADERS).send();
  });
}

/** Undefined: it is refused. */
function wantedBy({ query, headers }: FastifyRequest, reply: FastifyReply): Wanted | undefined {
  const { types: text, after: said } = query as Query;
  const wrong = (error: string, rule: string): undefined => {
    refuse(reply, 400, { error, rule });
  };
  // A browser that comes back says the last event that it had, and asks for the same address.
  const id = headers["last-event-id"] ?? said;
  const isId = id === undefined || id === "" || (typeof id === "string" && readEventId(id));
  if (isId === undefined || isId === false) {
    return wrong("The id after which to go on is none that this node gives.", "after");
  }
  const after = id === "" ? undefined : id;
  if (text === undefined || text === "") return { types: undefined, after };
  const types = new Set<NetworkEventType>();
  for (const name of namesIn(text)) {
    const named = typesNamed(name);
    if (named === undefined) {
      const names = Object.values(EVENTS).map((row) => row.name);
      return wrong(
        `There is no event ${JSON.stringify(name.slice(0, 64))}: there are ${names.join(", ")}, and ` +
          `all of a topic by its name: ${TOPICS.join(", ")}.`,
        "types",
      );
    }
    for (const type of named) types.add(type);
  }
  return { types: [...types], after };
}

/** Commas between, and the parameter may be there more than once. */
function namesIn(text: unknown): readonly string[] {
  const parts: readonly unknown[] = Array.isArray(text) ? text : [text];
  return parts.flatMap((part) => (typeof part === "string" ? part.split(",") : [""]));
}

async function stream(
  network: Network,
  { types, after }: Wanted,
  reply: FastifyReply,
  stallMs: number,
): Promise<void> {
  const { raw } = reply;
  const closed = new Promise<undefined>((resolve) => {
    raw.once("close", () => resolve(undefined));
  });
  // Before anything is answered: a node that cannot say where it is gives an error as other routes do.
  let page = await network.readEvents({ types, after, waitMs: 0 });
  reply.hijack();
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...HEADERS });
  // A reader that has no event yet comes back to where it began.
  const start = page.missed === undefined && page.events.length === 0 ? `id: ${page.next}\n` : "";
  let text = `retry: ${RETRY_MS}\n${start}\n${textOf(page)}`;
  while (!raw.destroyed) {
    if (text !== "" && !raw.write(text) && !(await drained(raw, stallMs))) break;
    // Its place is free as soon as it is gone.
    const next = await Promise.race([nextPage(network, types, page.next), closed]);
    if (next === undefined) break;
    page = next;
    text = textOf(page) || HEARTBEAT;
  }
  raw.end();
}

/** Undefined: the network has ended. */
async function nextPage(
  network: Network,
  types: Wanted["types"],
  after: EventId,
): Promise<EventPage | undefined> {
  try {
    return await network.readEvents({ types, after });
  } catch (error) {
    // Too busy for an answer: the reader hears that it is still connected.
    return isCoded(error, "TIMEOUT") ? { events: [], next: after } : undefined;
  }
}

/** False: it took nothing for so long, or is gone. */
function drained(raw: ServerResponse, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isDrained: boolean) => (): void => {
      clearTimeout(timer);
      raw.off("drain", onDrain).off("close", onClose);
      if (!isDrained) raw.destroy();
      resolve(isDrained);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    const timer = setTimeout(onClose, stallMs);
    raw.once("drain", onDrain).once("close", onClose);
  });
}

function textOf({ missed, events }: EventPage): string {
  let text = missed === undefined ? "" : eventText(missed);
  for (const told of events) text += eventText(told);
  return text;
}

function eventText({ id, event }: ToldEvent): string {
  const { type, ...payload } = event;
  const data = JSON.stringify(printableIn(payload));
  return `id: ${id}\nevent: ${EVENTS[type].name}\ndata: ${data}\n\n`;
}
