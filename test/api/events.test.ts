// GET /events on a real network in this process, read from raw responses: each test sees what is on the wire.

import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import type { EventPage } from "../../src/actors/events/event-types.js";
import { openHttpServer } from "../../src/api/server.js";
import { DEFAULTS, type NetworkConfig } from "../../src/config.js";
import { startNetwork, type Network, type NetworkConfigInput } from "../../src/index.js";
import { silentLog } from "../../src/log.js";
import { makeKey, makeTransaction } from "../support/chain.js";

interface Told {
  readonly id: string;
  readonly event: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

class Stream {
  readonly response: IncomingMessage;
  readonly events: Told[] = [];
  /** As a browser keeps it. */
  lastId = "";
  text = "";
  #rest = "";
  #waiting: (() => void)[] = [];

  constructor(response: IncomingMessage) {
    this.response = response;
    response.on("error", () => undefined);
    response.setEncoding("utf8").on("data", (part: string) => this.#take(part));
    response.on("close", () => this.#wake());
  }

  /** Resolves when so many events are here, or it has ended. */
  async until(count: number): Promise<readonly Told[]> {
    while (this.events.length < count && !this.response.closed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.events;
  }

  async untilText(isThere: (text: string) => boolean): Promise<void> {
    while (!isThere(this.text)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.response.destroy();
  }

  #take(part: string): void {
    this.text += part;
    const blocks = (this.#rest + part).split("\n\n");
    this.#rest = blocks.pop()!;
    for (const block of blocks) {
      const field = (name: string): string | undefined =>
        block
          .split("\n")
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const [id, event, data] = [field("id"), field("event"), field("data")];
      if (id !== undefined) this.lastId = id;
      if (data !== undefined) {
        this.events.push({ id: id ?? "", event: event ?? "message", data: JSON.parse(data) });
      }
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

interface Served {
  readonly network: Network;
  readonly url: string;
  readonly open: (query?: string, headers?: Record<string, string>) => Promise<Stream>;
}

async function serve(
  t: ExecutionContext,
  input: NetworkConfigInput = {},
  http: Partial<NetworkConfig["http"]> = {},
  overrides: Partial<Network> = {},
): Promise<Served> {
  const network = await startNetwork({ pool: { inline: true }, ...input });
  t.teardown(() => network.stop());
  const config = { ...DEFAULTS.http, ...http };
  const shown = { ...network, ...overrides };
  const server = await openHttpServer({
    address: "127.0.0.1:0",
    network: shown,
    log: silentLog,
    config,
  });
  t.teardown(() => server.close());
  const open = async (query = "", headers: Record<string, string> = {}): Promise<Stream> => {
    const sent = request(`${server.address}/events${query}`, { headers });
    sent.on("error", () => undefined);
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    t.teardown(() => response.destroy());
    return new Stream(response);
  };
  return { network, url: server.address, open };
}

const producing = { produce: true, producer: { intervalMs: 20 } } as const;

const heightsOf = (told: readonly Told[]): number[] =>
  told.map(({ data }) => data.height as number);
/** From the first one on, without a gap. */
const following = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + index);

test("events come as they are told, with ids that rise, and of the types that were asked for", async (t) => {
  const { open, network } = await serve(t, producing);
  const stream = await open("?types=block.connected");
  t.is(stream.response.statusCode, 200);
  t.is(stream.response.headers["content-type"], "text/event-stream; charset=utf-8");
  t.is(stream.response.headers["cache-control"], "no-store");
  const told = await stream.until(5);
  t.true(told.every(({ event }) => event === "block.connected"));
  const [first] = heightsOf(told);
  t.deepEqual(heightsOf(told), following(first!, told.length));
  t.deepEqual(Object.keys(told[0]!.data), ["hash", "height", "transactionCount"]);
  t.is(network.header(first!)?.hash, told[0]!.data.hash);
  const numbers = told.map(({ id }) => Number(id.split("-")[1]));
  t.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
});

for (const how of ["header", "query"] as const) {
  test(`a reader that was cut off goes on by its last id without a gap (${how})`, async (t) => {
    const { open, network } = await serve(t, producing);
    const stream = await open("?types=block.connected,chain");
    const before = [...(await stream.until(3))];
    stream.close();
    const missed = network.head().height + 3;
    await new Promise<void>((resolve) => {
      network.subscribe(["BlockConnected"], ({ height }) => height >= missed && resolve());
    });
    const { id } = before.at(-1)!;
    const again =
      how === "header"
        ? await open("?types=block.connected,chain&after=0000000000000000-1", {
            "last-event-id": id,
          })
        : await open(`?types=block.connected,chain&after=${id}`);
    const after = await again.until(5);
    const all = [...before, ...after];
    t.deepEqual(heightsOf(all), following(all[0]!.data.height, all.length));
  });
}

test("a reader that never had an event goes on from where it began", async (t) => {
  const { open, network } = await serve(t);
  const stream = await open("?types=transaction.accepted");
  await stream.untilText((text) => text.includes("\n\n"));
  t.regex(stream.lastId, /^[0-9a-f]{16}-\d+$/);
  stream.close();
  const { id } = (await network.broadcastTransaction(makeTransaction(makeKey(1), 0))) as {
    id: string;
  };
  const again = await open("?types=transaction.accepted", { "last-event-id": stream.lastId });
  t.like((await again.until(1))[0], { event: "transaction.accepted", data: { id } });
});

test("an id of before a restart is never taken for one of after it", async (t) => {
  const first = await serve(t, producing);
  const stream = await first.open("?types=block.connected");
  const { id } = (await stream.until(1))[0]!;
  await first.network.stop();
  const second = await serve(t, producing);
  const again = await second.open("?types=block.connected", { "last-event-id": id });
  const [missed, next] = await again.until(2);
  t.is(missed!.event, "missed");
  t.deepEqual(missed!.data, { reason: "restarted", count: null, firstId: null, lastId: null });
  t.is(next!.data.height, 1, "all that this run kept follows");
  again.close();
  // The word of the gap has an id too: it is not said twice.
  const third = await second.open("?types=block.connected", { "last-event-id": missed!.id });
  t.is((await third.until(1))[0]!.event, "block.connected");
});

test("what the node keeps no more is told plainly, and the rest follows without a gap", async (t) => {
  const { open, network } = await serve(t, { ...producing, events: { keptBytesMax: 65_536 } });
  const stream = await open("?types=block.connected");
  const { id } = (await stream.until(1))[0]!;
  stream.close();
  await new Promise<void>((resolve) => {
    network.subscribe(["BlockConnected"], ({ height }) => height >= 120 && resolve());
  });
  const again = await open("?types=block.connected", { "last-event-id": id });
  const [missed, ...rest] = await again.until(10);
  t.like(missed, { event: "missed", data: { reason: "forgotten" } });
  t.true(missed!.data.count > 0);
  t.is(missed!.data.lastId, missed!.id);
  t.deepEqual(heightsOf(rest), following(rest[0]!.data.height, rest.length));
});

test("a reader that takes nothing holds a page and what its socket has, and is cut off", async (t) => {
  let reads = 0;
  const detail = "x".repeat(4_096);
  const event = { type: "BlockRejected", hash: "00", rule: "size", detail } as const;
  const told = Array.from({ length: 32 }, (_, seq) => ({ id: `0000000000000000-${seq}`, event }));
  const page: EventPage = { events: told, next: "0000000000000000-1" };
  const { url } = await serve(
    t,
    {},
    { streamStallMs: 300 },
    {
      readEvents: (async () => (reads++, page)) as never,
    },
  );
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => undefined);
  t.teardown(() => socket.destroy());
  socket.pause();
  socket.write("GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n");
  // It is full when nothing is read for a while; the kernel holds some MiB for either side.
  let seen = -1;
  while (seen !== reads || reads === 0) {
    seen = reads;
    await setTimeout(1_000);
  }
  t.true(reads < 500, `${reads} pages were read for it`);
  let bytes = 0;
  socket.on("data", (part) => (bytes += part.length)).resume();
  await once(socket, "close");
  t.true(bytes < (reads + 1) * 32 * 4_300, "it was cut off, and got nothing more");
});

test("a quiet stream says that it is there", async (t) => {
  const { open } = await serve(t);
  const stream = await open("?types=chain");
  await stream.untilText((text) => text.includes("\n:\n\n") || text.endsWith("\n\n:\n\n"));
  t.deepEqual(stream.events, []);
});

test("what is wrong is refused in a sentence, as by the other routes", async (t) => {
  const { url } = await serve(t);
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
  };
  const unknown = await ask("/events?types=block.connected,blocks");
  t.is(unknown.status, 400);
  t.like(unknown.body, { rule: "types" });
  t.regex(unknown.body.error, /There is no event "blocks": there are .*chain\.reorg/);
  for (const after of ["7", "zz-1", "0000000000000000-", "0000000000000000-1%00"]) {
    const { status, body } = await ask(`/events?after=${after}`);
    t.is(status, 400, after);
    t.is(body.rule, "after");
  }
  const foreign = await ask("/events", { headers: { "sec-fetch-site": "cross-site" } });
  t.is(foreign.status, 403);
  t.is(foreign.body.rule, "origin");
  const head = await ask("/events?types=block", { method: "HEAD" });
  t.is(head.status, 200);
  t.is(head.headers.get("content-type"), "text/event-stream; charset=utf-8");
  t.is((await ask("/events?types=none", { method: "HEAD" })).status, 400);
  const post = await ask("/events", { method: "POST" });
  t.is(post.status, 405);
  t.regex(post.headers.get("allow") ?? "", /GET/);
});

test("there are so many streams and no more, and one that ended makes room", async (t) => {
  const { open, url } = await serve(t, {}, { streamsMax: 2 });
  const [first] = await Promise.all([open(), open()]);
  const refused = await fetch(`${url}/events`);
  t.is(refused.status, 503);
  t.is(refused.headers.get("retry-after"), "10");
  t.like(await refused.json(), { rule: "streams" });
  first.close();
  for (;;) {
    const next = await open();
    if (next.response.statusCode === 200) break;
    next.close();
  }
  t.pass();
});

test("a node that stops ends its streams", async (t) => {
  const { open, network } = await serve(t);
  const stream = await open();
  await stream.untilText((text) => text.includes("\n\n"));
  const ended = once(stream.response, "close");
  await network.stop();
  await ended;
  t.pass();
});
