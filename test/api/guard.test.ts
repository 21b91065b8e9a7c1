// What strangers can do to the HTTP interface: raw requests on real sockets.

import { EventEmitter, once } from "node:events";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { boundConnections } from "../../src/api/connections.js";
import { openHttpServer } from "../../src/api/server.js";
import { toHex } from "../../src/bytes/hex.js";
import { DEFAULTS, type NetworkConfig } from "../../src/config.js";
import { startNetwork } from "../../src/index.js";
import { silentLog } from "../../src/log.js";
import { makeKey, makeTransaction } from "../support/chain.js";

type HttpConfig = Partial<NetworkConfig["http"]>;

interface Served {
  readonly port: number;
  readonly mempoolCount: () => Promise<number>;
  /** Opens a connection and writes. */
  readonly write: (text: string) => Promise<Socket>;
  /** All that comes back until the connection ends. */
  readonly ask: (text: string) => Promise<string>;
}

async function serve(t: ExecutionContext, config: HttpConfig = {}): Promise<Served> {
  const network = await startNetwork({ pool: { inline: true } });
  t.teardown(() => network.stop());
  const http = await openHttpServer({
    address: "127.0.0.1:0",
    network,
    log: silentLog,
    config: { ...DEFAULTS.http, ...config },
  });
  t.teardown(() => http.close());
  const port = Number(new URL(http.address).port);
  const write = async (text: string): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    t.teardown(() => socket.destroy());
    await once(socket, "connect");
    socket.write(text);
    return socket;
  };
  return {
    port,
    mempoolCount: async () => (await network.status()).mempool.count,
    write,
    async ask(text) {
      const socket = await write(text);
      let answer = "";
      socket.setEncoding("latin1").on("data", (data) => (answer += String(data)));
      await once(socket, "close");
      return answer;
    },
  };
}

function request(line: string, headers: Readonly<Record<string, string>>, body = ""): string {
  const told = Object.entries({ connection: "close", ...headers }).map(
    ([k, v]) => `${k}: ${v}\r\n`,
  );
  return `${line} HTTP/1.1\r\n${told.join("")}content-length: ${body.length}\r\n\r\n${body}`;
}

const statusOf = (answer: string): number => Number(answer.split(" ")[1]);

test("only this node's own names are served: a rebound name is not", async (t) => {
  const { ask, port } = await serve(t, { hosts: ["node.example"] });
  const ours = ["localhost", "LOCALHOST.", "127.0.0.1", `127.0.0.1:${port}`, `localhost:${port}`];
  for (const host of [...ours, "[::1]", `[::1]:${port}`, "192.0.2.7", "node.example:80"]) {
    t.is(statusOf(await ask(request("GET /status", { host }))), 200, host);
  }
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "a@localhost",
    "localhost.evil",
    "",
  ]) {
    const answer = await ask(request("GET /status", { host }));
    t.is(statusOf(answer), 403, host);
    t.regex(answer, /"rule":"host"/);
    t.regex(answer, /--http-host NAME/);
    t.false(answer.includes("peerId"));
  }
  t.is(statusOf(await ask("GET /health HTTP/1.0\r\n\r\n")), 200, "a program without a Host");
});

test("a page of another site cannot post, whatever type it gives its form", async (t) => {
  const { ask, port, mempoolCount } = await serve(t);
  const host = `127.0.0.1:${port}`;
  const tx = toHex(makeTransaction(makeKey(1), 0));
  const post = (headers: Readonly<Record<string, string>>): Promise<string> =>
    ask(request("POST /tx", { host, "content-type": "text/plain", ...headers }, tx));
  for (const origin of ["https://evil.example", "null", `http://127.0.0.1:${port + 1}`]) {
    const answer = await post({ origin });
    t.is(statusOf(answer), 403, origin);
    t.regex(answer, /"rule":"origin"/);
  }
  t.is(statusOf(await post({ "sec-fetch-site": "cross-site" })), 403);
  t.is(await mempoolCount(), 0);
  for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    t.is(statusOf(await post({ "content-type": type })), 415, type);
  }
  t.is(statusOf(await post({ origin: `http://${host}` })), 200);
  t.is(await mempoolCount(), 1);
});

test("connections that nobody uses cannot keep out one that asks", async (t) => {
  const { ask, write } = await serve(t, { connectionsMax: 8, loopbackReserve: 1 });
  const health = (): Promise<string> => ask(request("GET /health", { host: "localhost" }));
  const kinds = {
    "idle after a request": request("GET /health", { host: "localhost", connection: "keep-alive" }),
    silent: "",
    "half a header": "GET /health HTTP/1.1\r\nhost: local",
    "half a body": "POST /tx HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nab",
  };
  for (const [kind, text] of Object.entries(kinds)) {
    await Promise.all(Array.from({ length: 16 }, () => write(text)));
    t.is(statusOf(await health()), 200, kind);
  }
});

test("a request that does not arrive whole is ended, and so is an idle connection", async (t) => {
  const { write } = await serve(t, { requestTimeoutMs: 200, keepAliveMs: 50 });
  for (const text of [
    "GET /health HTTP/1.1\r\nhost: local",
    "POST /tx HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nab",
    request("GET /health", { host: "localhost", connection: "keep-alive" }),
  ]) {
    const socket = await write(text);
    socket.resume();
    await once(socket, "close");
    t.true(socket.destroyed);
  }
});

test("what is no request is refused as the interface refuses all else", async (t) => {
  const { ask } = await serve(t, { headerBytesMax: 1_024 });
  const asking = { host: "localhost", connection: "close" };
  for (const [text, status, sentence] of [
    ["nonsense\r\n\r\n", 400, /cannot be read as HTTP/],
    ["GET /health HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400, /cannot be read as/],
    [request("GET /health", { ...asking, cookie: "x".repeat(2_000) }), 431, /too long/],
    [request("GET /health", {}), 400, /needs a Host header/],
    [request("GET /health", { ...asking, expect: "a miracle" }), 417, /expects/],
    [request("CONNECT example.com:443", asking), 405, /no proxy/],
    [request("GET /%zz", asking), 400, /path/],
  ] as const) {
    refused(t, await ask(text), status, sentence);
  }
});

test("a request that does not arrive in time is told so", async (t) => {
  const { ask } = await serve(t, { requestTimeoutMs: 200 });
  // A machine that sleeps through all of its time ends the connection without a word.
  let answer = "";
  while (answer === "") answer = await ask("GET /health HTTP/1.1\r\nhost: local");
  refused(t, answer, 408, /in time/);
});

function refused(t: ExecutionContext, answer: string, status: number, sentence: RegExp): void {
  t.is(statusOf(answer), status, answer);
  const [head, body] = answer.split("\r\n\r\n");
  t.regex((JSON.parse(body!) as { error: string }).error, sentence);
  t.regex(head!, /\r\ncontent-type: application\/json/);
  t.regex(head!, /\r\nx-content-type-options: nosniff\r\n/);
  t.is(/content-length: (\d+)/.exec(head!)?.[1], String(body!.length));
}

test("a header or a body that is too long is refused", async (t) => {
  const { ask } = await serve(t, { headerBytesMax: 1_024 });
  const long = await ask(request("GET /health", { host: "localhost", cookie: "x".repeat(2_000) }));
  t.is(statusOf(long), 431);
  const headers = { host: "localhost", "content-type": "text/plain" };
  const body = await ask(request("POST /tx", headers, "a".repeat(300_000)));
  t.is(statusOf(body), 413);
});

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

test("one address cannot take the places of others, nor all of them this machine's", (t) => {
  const server = new EventEmitter();
  const limits = { connectionsMax: 8, perAddressMax: 3, loopbackReserve: 2 };
  boundConnections(server as unknown as Server, limits);
  const open = (address: string, complete?: boolean): FakeSocket => {
    const socket = new FakeSocket(address);
    server.emit("connection", socket);
    if (complete !== undefined) {
      server.emit("request", { socket, complete }, new EventEmitter());
    }
    return socket;
  };
  const greedy = Array.from({ length: 4 }, () => open("192.0.2.1"));
  t.deepEqual(
    greedy.map(({ destroyed }) => destroyed),
    [true, false, false, false],
  );
  for (let host = 2; host <= 4; host++) open(`192.0.2.${host}`, true);
  t.false(open("192.0.2.5").destroyed, "an idle one of the greedy address gives way");
  t.true(greedy[1]!.destroyed);
  const local = [open("127.0.0.1", true), open("::ffff:127.0.0.1", true)];
  t.true(local.every(({ destroyed }) => !destroyed));
  const others = [open("192.0.2.6", true), open("192.0.2.7", true), open("192.0.2.8", true)];
  t.deepEqual(
    others.map(({ destroyed }) => destroyed),
    [false, false, false],
  );
  t.true(open("192.0.2.9").destroyed, "all places are in use");
  t.true(local.every(({ destroyed }) => !destroyed));
});
