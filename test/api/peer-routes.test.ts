// The routes about peers on a real network: what they answer, what they refuse and to whom. Refusals to
// web pages are tried with raw requests, for no client says what it would not say.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import test, { type ExecutionContext } from "ava";
import { openHttpServer } from "../../src/api/server.js";
import { startNetwork, type Network, type NetworkConfigInput } from "../../src/index.js";
import { silentLog } from "../../src/log.js";

const TOKEN = "ab".repeat(32);
const inline = { pool: { inline: true }, bindAddr: "127.0.0.1:0" } as const;
const document = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

interface Served {
  readonly network: Network;
  readonly peer: Network;
  readonly port: number;
  readonly ask: (route: string, body?: unknown, headers?: object) => Promise<Answer>;
  /** All that comes back for these bytes. */
  readonly raw: (text: string) => Promise<string>;
}

/** A node with a peer. */
async function serve(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  token: string | null = TOKEN,
): Promise<Served> {
  const network = await startNetwork({ ...inline, ...config });
  const peer = await startNetwork(inline);
  t.teardown(() => Promise.all([network.stop(), peer.stop()]));
  await peer.connect(network.listenAddress!);
  const given = token === null ? {} : { token };
  const http = await openHttpServer({ address: "127.0.0.1:0", network, log: silentLog, ...given });
  t.teardown(() => http.close());
  const port = Number(new URL(http.address).port);
  return {
    network,
    peer,
    port,
    async ask(route, body, headers = { authorization: `Bearer ${TOKEN}` }) {
      const [method = "", path = ""] = route.split(" ");
      const type = { "content-type": "application/json" };
      const said = body === undefined ? {} : { body: JSON.stringify(body) };
      const more = body === undefined ? headers : { ...type, ...headers };
      const response = await fetch(http.address + path, {
        method,
        ...said,
        headers: more as never,
      });
      const { status } = response;
      const text = await response.text();
      return { status, headers: response.headers, body: text === "" ? text : JSON.parse(text) };
    },
    async raw(text) {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      await once(socket, "connect");
      let answer = "";
      socket.setEncoding("latin1").on("data", (data) => (answer += String(data)));
      socket.write(text);
      await once(socket, "close");
      return answer;
    },
  };
}

test("a peer is shown, sent away, banned, let in, trusted and trusted no more", async (t) => {
  const { network, peer, ask } = await serve(t);
  const { peerId } = peer;
  const listed = await ask("GET /peers");
  t.is(listed.status, 200);
  t.like(listed.body.peers, [{ id: peerId, direction: "inbound", trusted: false, class: "good" }]);
  t.like((await ask("POST /peers/disconnect", { peerId })).body, { peerId, connections: 1 });
  t.deepEqual((await ask("GET /peers")).body.peers, []);
  const banned = await ask("POST /peers/ban", { peerId: peerId.slice(0, 12), forMs: 5_000 });
  t.like(banned.body, { peerId, ban: { by: "operator", detail: "" } });
  t.like((await ask("GET /bans")).body.bans, [{ peerId, inForce: true }]);
  t.like((await ask("GET /peers/" + peerId)).body, { class: "banned", connected: null });
  t.deepEqual((await ask("POST /peers/unban", { peerId })).body, { peerId, changed: true });
  t.deepEqual((await ask("POST /peers/unban", { peerId })).body, { peerId, changed: false });
  t.deepEqual((await ask("POST /peers/trust", { peerId })).body, { peerId, changed: true });
  t.deepEqual(await network.trustedPeers(), [{ peerId, by: "operator" }]);
  t.is((await ask("POST /peers/ban", { peerId })).status, 409);
  const address = peer.listenAddress!;
  t.deepEqual((await ask("POST /peers/connect", { address })).body, { peerId });
  t.deepEqual((await ask("POST /peers/untrust", { peerId })).body, { peerId, changed: true });
});

test("without the token nothing is changed, on loopback either", async (t) => {
  const { network, peer, ask } = await serve(t);
  const { peerId } = peer;
  const wrong = [
    undefined,
    "",
    "Bearer",
    `Basic ${TOKEN}`,
    "Bearer x",
    `Bearer ${"cd".repeat(32)}`,
  ];
  for (const name of ["ban", "unban", "trust", "untrust", "connect", "disconnect"]) {
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { authorization };
      const { status, body, headers: told } = await ask(`POST /peers/${name}`, { peerId }, headers);
      t.is(status, 401, `${name} ${authorization}`);
      t.is(body.rule, "token");
      t.is(told.get("www-authenticate"), "Bearer");
    }
  }
  t.is((await network.peers()).length, 1);
  t.deepEqual([await network.bans(), await network.trustedPeers()], [[], []]);
  const bare = await serve(t, {}, null);
  const refused = await bare.ask("POST /peers/ban", { peerId });
  t.is(refused.status, 403);
  t.regex(refused.body.error, /--http-token-file/);
});

test("no page of another site commands the node, even one that knows the token", async (t) => {
  const { network, peer, port, raw } = await serve(t);
  const body = JSON.stringify({ peerId: peer.peerId });
  const post = (headers: Readonly<Record<string, string>>): Promise<string> => {
    const all = {
      host: `127.0.0.1:${port}`,
      authorization: `Bearer ${TOKEN}`,
      "content-type": "application/json",
      connection: "close",
      "content-length": String(body.length),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return raw(`POST /peers/ban HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  };
  // A name of the attacker's that now leads here, a form, a script of another site, a frame without one.
  for (const [headers, status, rule] of [
    [{ host: "evil.example" }, 403, "host"],
    [{ host: `evil.example:${port}`, origin: `http://evil.example:${port}` }, 403, "host"],
    [{ origin: "https://evil.example" }, 403, "origin"],
    [{ origin: "null" }, 403, "origin"],
    [{ origin: `http://127.0.0.1:${port + 1}` }, 403, "origin"],
    [{ "sec-fetch-site": "cross-site" }, 403, "origin"],
    [{ authorization: "" }, 401, "token"],
    [{ "content-type": "text/plain" }, 415, undefined],
    [{ "content-type": "application/x-www-form-urlencoded" }, 415, undefined],
    [{ "content-type": "text/plain; application/json" }, 415, undefined],
  ] as const) {
    const answer = await post(headers);
    t.is(Number(answer.split(" ")[1]), status, JSON.stringify(headers));
    const told = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as { rule?: string };
    t.is(told.rule, rule);
    t.notRegex(answer, /access-control-allow/i);
  }
  const asked = `OPTIONS /peers/ban HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n`;
  t.is(Number((await raw(`${asked}connection: close\r\n\r\n`)).split(" ")[1]), 405);
  t.deepEqual(await network.bans(), []);
  t.is((await network.peers()).length, 1);
  t.is(Number((await post({})).split(" ")[1]), 200);
});

test("a body that is not as it must be is answered with one sentence", async (t) => {
  const { network, peer, ask } = await serve(t);
  const { peerId } = peer;
  const bodies: [string, unknown, RegExp][] = [
    ["ban", [], /JSON object/],
    ["ban", 7, /JSON object/],
    ["ban", null, /JSON object/],
    ["ban", {}, /member peerId .* text/],
    ["ban", { peerId: 7 }, /member peerId .* text/],
    ["ban", { peerId, forMs: "1h" }, /member forMs .* number/],
    ["ban", { peerId, forMs: -1 }, /forMs must be/],
    ["ban", { peerId, forMs: 1e300 }, /forMs must be/],
    ["ban", { peerId, reason: ["x"] }, /member reason .* text/],
    ["ban", { peerId, reason: "x".repeat(201) }, /reason must be/],
    ["ban", { peerId, until: 7 }, /no member "until"/],
    ["ban", { peerId: "AB".repeat(32) }, /lower-case hex/],
    ["ban", { peerId: "ab" }, /at least 4/],
    ["disconnect", { peerId, awayMs: 0 }, /awayMs must be/],
    ["connect", { address: "nowhere" }, /not valid/],
    ["../limits", [], /JSON object/],
    ["../limits", { uploadBytesPerSec: "fast" }, /uploadBytesPerSec/],
    ["../limits", { upload: 7 }, /no setting "upload"/],
    ["connect", { address: 7 }, /member address .* text/],
    ["connect", { address: "127.0.0.1:1", peerId }, /no member "peerId"/],
  ];
  for (const [name, body, sentence] of bodies) {
    const answer = await ask(`POST /peers/${name}`, body);
    t.is(answer.status, 400, JSON.stringify(body));
    t.regex(answer.body.error, sentence);
    t.regex(answer.body.error, /^[^\n]+\.$/);
  }
  const long = await ask("POST /peers/ban", { peerId, reason: "x".repeat(5_000) });
  t.is(long.status, 413);
  t.is((await ask("POST /peers/ban", { peerId: "0123abcd" })).status, 404);
  t.is((await ask("POST /peers/trust", { peerId: network.peerId })).status, 409);
  for (const digit of "01") await network.banPeer(digit.padStart(64, "abcd"));
  const several = await ask("GET /peers/abcd");
  t.is(several.status, 409);
  t.regex(several.body.error, /ids of 2 peers begin with abcd/);
});

/** Of the document: `GET /peers`. */
const routes = [...document.matchAll(/^\| `(GET|POST) (\/\S+)` /gm)].map(
  ([, method, path]) => `${method} ${path}`,
);

test("each path answers a method that it has not with those that it has", async (t) => {
  const { ask } = await serve(t);
  const paths = new Map<string, string[]>();
  for (const route of routes) {
    const [method = "", path = ""] = route.split(" ");
    const methods = method === "GET" ? ["GET", "HEAD"] : [method];
    const said = path.replace(":id", "ab".repeat(32)).replace(":at", "0");
    paths.set(said, [...(paths.get(said) ?? []), ...methods]);
  }
  t.is(paths.size, routes.length);
  for (const [path, methods] of paths) {
    for (const method of ["DELETE", "PUT", "PATCH", "OPTIONS", "POST", "GET", "PROPFIND"]) {
      if (methods.includes(method)) continue;
      const answer = await ask(`${method} ${path}`);
      t.is(answer.status, 405, `${method} ${path}`);
      t.deepEqual(answer.headers.get("allow")?.split(", ").toSorted(), methods.toSorted());
    }
  }
  for (const path of ["/peers/", "/peers/a/b", "/nothing", "/health/"]) {
    t.is((await ask(`DELETE ${path}`)).status, 404, path);
  }
});

interface Example {
  readonly route: string;
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
}

function examples(id: string): readonly Example[] {
  return [...document.matchAll(/^```http\n([A-Z]+ \S+)\n(.*?)\n?\n(\d{3})\n(.*?)^```$/gms)].map(
    ([, route = "", body = "", status, answer = ""]) => ({
      route,
      body: body === "" ? undefined : (JSON.parse(body.replaceAll('"ID"', `"${id}"`)) as unknown),
      status: Number(status),
      answer: JSON.parse(answer) as unknown,
    }),
  );
}

/** Its members and their types: of a list those of its first item, of what is not measured a number. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (value === null) return "number";
  if (typeof value !== "object") return typeof value;
  const entries = Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)] as const);
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
}

test("the examples of the document are answered as it says", async (t) => {
  const { network, peer, ask } = await serve(t);
  await network.pingPeer(peer.peerId);
  const found = examples(peer.peerId);
  t.is(found.length, document.split("```http").length - 1);
  for (const { route, body, status, answer } of found) {
    const told = await ask(route, body);
    t.is(told.status, status, `${route} ${JSON.stringify(told.body)}`);
    const [said, is] = [shapeOf(answer), shapeOf(told.body)];
    t.deepEqual(is, said, route);
  }
});
