// The HTTP interface on a real network in this process: memory stores, validation inline.

import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { openHttpServer } from "../../src/api/server.js";
import { toHex } from "../../src/bytes/hex.js";
import { DEFAULTS } from "../../src/config.js";
import { memoryPlan } from "../../src/config/memory-plan.js";
import { CodedError } from "../../src/errors.js";
import { startNetwork, type Network, type NetworkConfigInput } from "../../src/index.js";
import type { MemoryStatus } from "../../src/actors/service/node-status.js";
import { silentLog } from "../../src/log.js";
import type { NetworkEvent } from "../../src/actors/events/event-types.js";
import { MESSAGE_KINDS } from "../../src/protocol/types/message.js";
import { makeKey, makeTransaction, transactionId } from "../support/chain.js";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

interface Served {
  readonly network: Network;
  readonly url: string;
  readonly get: (path: string) => Promise<Answer>;
  readonly post: (body: string, type?: string) => Promise<Answer>;
}

async function serve(
  t: ExecutionContext,
  config: NetworkConfigInput = {},
  overrides: Partial<Network> = {},
): Promise<Served> {
  const network = await startNetwork({ pool: { inline: true }, ...config });
  t.teardown(() => network.stop());
  const shown = { ...network, ...overrides };
  const http = await openHttpServer({ address: "127.0.0.1:0", network: shown, log: silentLog });
  t.teardown(() => http.close());
  const ask = async (path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(http.address + path, init);
    const { status, headers } = response;
    const isJson = headers.get("content-type")?.startsWith("application/json");
    return { status, headers, body: await (isJson ? response.json() : response.text()) };
  };
  return {
    network,
    url: http.address,
    get: (path) => ask(path),
    post: (body, type = "text/plain") =>
      ask("/tx", { method: "POST", body, headers: { "content-type": type } }),
  };
}

/** Two nodes that know each other. */
async function serveWithPeer(t: ExecutionContext): Promise<{ node: Served; peer: Network }> {
  const node = await serve(t, { bindAddr: "127.0.0.1:0", nodeId: "here" });
  const ready = new Promise((resolve) => node.network.subscribe(["PeerConnected"], resolve));
  const seedPeers = [node.network.listenAddress!];
  const peer = await startNetwork({ pool: { inline: true }, nodeId: "there", seedPeers });
  t.teardown(() => peer.stop());
  await ready;
  return { node, peer };
}

test("GET /status says where the node stands and who its peers are", async (t) => {
  const { node, peer } = await serveWithPeer(t);
  const { status, body } = await node.get("/status");
  t.is(status, 200);
  const { height, hash } = node.network.head();
  t.like(body, {
    peerId: node.network.peerId,
    nodeId: "here",
    networkId: hash,
    height,
    headHash: hash,
    totalDifficulty: "2048",
    listenAddress: node.network.listenAddress,
    pool: { queued: 0, running: 0 },
    mempool: { count: 0, bytes: 0 },
  });
  t.deepEqual(Object.keys(body.sync).sort(), ["state", "strategy", "targetHeight", "waitingFor"]);
  t.is(body.peers.length, 1);
  t.like(body.peers[0], {
    id: peer.peerId,
    nodeId: "there",
    direction: "inbound",
    claimedHeight: "0",
  });
  t.is(typeof body.peers[0].score, "number");
  const { budgetBytes, heldBytes, holders, anonymousBytes } = body.memory as MemoryStatus;
  t.is(budgetBytes, DEFAULTS.memoryBudgetBytes);
  const sum = (name: "heldBytes" | "limitBytes"): number =>
    holders.reduce((total, holder) => total + holder[name], 0);
  t.is(sum("heldBytes"), heldBytes);
  t.true(sum("limitBytes") <= budgetBytes);
  t.like(
    holders.find(({ name }) => name === "mempool"),
    { heldBytes: 0, limitBytes: DEFAULTS.mempool.bytesMax },
  );
  if (process.platform === "linux") t.true(anonymousBytes! > 1_048_576);
  t.true("pingMs" in body.peers[0]);
});

test("POST /tx takes a valid transaction, says what that promises, and gossips it", async (t) => {
  const { node, peer } = await serveWithPeer(t);
  const arrived = new Promise<{ id: string }>((resolve) =>
    peer.subscribe(["TransactionAccepted"], resolve),
  );
  const transaction = makeTransaction(makeKey(1), 0);
  const id = transactionId(transaction);
  const { status, body } = await node.post(`${toHex(transaction)}\n`);
  t.is(status, 200);
  t.is(body.id, id);
  t.regex(body.promise, /mempool and announced.*not yet in a block/);
  t.is((await node.get("/status")).body.mempool.count, 1);
  t.is((await arrived).id, id);

  const json = JSON.stringify({ tx: toHex(makeTransaction(makeKey(1), 1)) });
  t.is((await node.post(json, "application/json")).status, 200);

  const again = await node.post(toHex(transaction));
  t.is(again.status, 400);
  t.like(again.body, { rule: "known", id });
});

test("POST /tx refuses what is wrong and names the rule", async (t) => {
  const { post } = await serve(t);
  const forged = makeTransaction({ ...makeKey(1), secretKey: makeKey(2).secretKey }, 0);
  const signature = await post(toHex(forged));
  t.is(signature.status, 400);
  t.like(signature.body, { rule: "signature", id: transactionId(forged) });
  t.regex(signature.body.error, /breaks the rule signature/);

  for (const body of ["aabb", toHex(new Uint8Array(1_000))]) {
    const garbage = await post(body);
    t.is(garbage.status, 400);
    t.is(garbage.body.rule, "encoding");
  }
  const noHex: [string, string][] = [
    ["xyz", "text/plain"],
    ["abc", "text/plain"],
    ["", "text/plain"],
    ['{"tx":5}', "application/json"],
    ['{"tx":"00","more":1}', "application/json"],
    ["[]", "application/json"],
  ];
  for (const [body, type] of noHex) {
    const answer = await post(body, type);
    t.is(answer.status, 400, body);
    t.is(typeof answer.body.error, "string", body);
  }
  const form = await post("tx=aabb", "application/x-www-form-urlencoded");
  t.is(form.status, 415);
  t.is(form.body.error, "Send application/json or text/plain.");
  const broken = await post("{", "application/json");
  t.is(broken.status, 400);
  t.regex(broken.body.error, /not valid JSON/);
});

test("POST /tx answers 413 to bodies and transactions over the limit", async (t) => {
  const { post, get } = await serve(t);
  t.is((await post("00".repeat(200 * 1_024))).status, 413);
  const data = new Uint8Array(64 * 1_024 + 1);
  const large = await post(toHex(makeTransaction(makeKey(1), 0, { data })));
  t.is(large.status, 413);
  t.is(large.body.rule, "size");
  t.is((await get("/health")).status, 200);
});

test("POST /tx answers 503 when the node is busy", async (t) => {
  const busy = { ok: false, id: "00", rule: "busy", detail: "" } as const;
  const { post } = await serve(t, {}, { broadcastTransaction: async () => busy });
  const { status, headers, body } = await post("00");
  t.is(status, 503);
  t.is(headers.get("retry-after"), "1");
  t.is(body.rule, "busy");
});

test("what the node cannot answer in time is a 503, what fails in it a 500 without details", async (t) => {
  const late = new CodedError("TIMEOUT", "the service did not answer");
  const { get } = await serve(
    t,
    {},
    {
      status: () => Promise.reject(late),
      header: () => {
        throw new Error("secret");
      },
    },
  );
  t.is((await get("/status")).status, 503);
  t.is((await get("/metrics")).status, 503);
  const health = await get("/health");
  t.is(health.status, 503);
  t.deepEqual(health.body, { healthy: false, reason: "the service did not answer" });
  const failed = await get("/blocks/0");
  t.is(failed.status, 500);
  t.false(JSON.stringify(failed.body).includes("secret"));
});

test("GET /health is 200 while the node answers and 503 with the reason when it stopped", async (t) => {
  const { network, get } = await serve(t);
  const alive = await get("/health");
  t.is(alive.status, 200);
  t.deepEqual(alive.body, {
    healthy: true,
    height: 0,
    peers: 0,
    sync: "waiting",
    degraded: [],
    unanswering: [],
  });
  await network.stop();
  const stopped = await get("/health");
  t.is(stopped.status, 503);
  t.is(typeof stopped.body.reason, "string");
});

test("GET /health warns of a wrong clock", async (t) => {
  const other = await startNetwork({ pool: { inline: true } });
  t.teardown(() => other.stop());
  const status = await other.status();
  t.deepEqual(status.clock, { offsetMs: null, told: 0, wrong: null });
  const clock = { offsetMs: 3_600_000, told: 3, wrong: "this node's clock is 3600 s behind" };
  const { get } = await serve(t, {}, { status: async () => ({ ...status, clock }) });
  t.like((await get("/health")).body, { healthy: true, warning: clock.wrong });
  t.regex((await get("/metrics")).body, /^vibecoin_clock_offset_seconds 3600$/m);
});

test("GET /metrics counts by closed sets and never names a peer", async (t) => {
  const { node, peer } = await serveWithPeer(t);
  await node.post(toHex(makeTransaction(makeKey(1), 0)));
  await node.post("aabb");
  const { status, headers, body } = await node.get("/metrics");
  t.is(status, 200);
  t.regex(headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  for (const line of [
    "vibecoin_height 0",
    'vibecoin_peers{direction="inbound"} 1',
    'vibecoin_peers{direction="outbound"} 0',
    "vibecoin_mempool_transactions 1",
    'vibecoin_peer_totals{figure="timeouts"} 0',
    'vibecoin_transactions_rejected_total{rule="encoding"} 1',
    'vibecoin_peers_connected_total{direction="inbound"} 1',
    'vibecoin_actors{type="peer"} 1',
    'vibecoin_messages_dropped_total{kind="NewTransaction",reason="overload"} 0',
    'vibecoin_messages_dropped_part{kind="NewTransaction"} 0',
    'vibecoin_messages_open{kind="NewBlock"} 0',
    "# TYPE vibecoin_message_queued_seconds histogram",
    'vibecoin_message_queued_seconds_bucket{le="+Inf",kind="NewBlock"} 0',
    'vibecoin_message_handled_seconds_count{kind="NewBlock"} 0',
    'vibecoin_subsystem_state{subsystem="mempool",state="closed"} 1',
    'vibecoin_subsystem_refused_total{subsystem="storage",reason="open"} 0',
    'vibecoin_actor_restarts_total{type="registry"} 0',
  ]) {
    t.true(body.includes(`\n${line}\n`), line);
  }
  for (const [holder, bytes] of Object.entries(memoryPlan(DEFAULTS))) {
    t.regex(body, new RegExp(`^vibecoin_memory_lease_bytes{holder="${holder}"} \\d+$`, "m"));
    t.true(body.includes(`\nvibecoin_memory_limit_bytes{holder="${holder}"} ${bytes}\n`), holder);
  }
  t.true(body.includes("nodejs_eventloop_lag_seconds"));
  t.false(body.includes(peer.peerId));
});

test("labelled counters are there before their first event, and each kind is counted both ways", async (t) => {
  const alone = await serve(t);
  const before = (await alone.get("/metrics")).body as string;
  for (const line of [
    'vibecoin_blocks_rejected_total{rule="proof-of-work"} 0',
    'vibecoin_transactions_rejected_total{rule="nonce"} 0',
    'vibecoin_transactions_rejected_total{rule="evicted"} 0',
    'vibecoin_connections_refused_total{rule="tls-failed"} 0',
    'vibecoin_peers_connected_total{direction="outbound"} 0',
    'vibecoin_peers_disconnected_total{reason="ProtocolViolation"} 0',
    'vibecoin_violations_total{rule="flood",by="peer"} 0',
    ...MESSAGE_KINDS.flatMap((kind) => [
      `vibecoin_messages_received_total{kind="${kind}"} 0`,
      `vibecoin_message_bytes_sent_total{kind="${kind}"} 0`,
      `vibecoin_messages_dropped_total{kind="${kind}",reason="in-rate"} 0`,
    ]),
  ]) {
    t.true(before.includes(`\n${line}\n`), line);
  }
  const { node } = await serveWithPeer(t);
  const shaken = (await node.get("/metrics")).body as string;
  for (const name of ["received", "sent"]) {
    t.true(shaken.includes(`\nvibecoin_messages_${name}_total{kind="Handshake"} 1\n`));
    const bytes = new RegExp(
      `^vibecoin_message_bytes_${name}_total\\{kind="Handshake"\\} (\\d+)$`,
      "m",
    );
    t.true(Number(bytes.exec(shaken)?.[1]) > 100);
  }
});

test("metrics count by the rule, whatever stands in the detail", async (t) => {
  const publish: ((event: NetworkEvent) => void)[] = [];
  const subscribe: Network["subscribe"] = (_types, onEvent) => {
    publish.push(onEvent as (event: NetworkEvent) => void);
    return () => undefined;
  };
  const { get } = await serve(t, {}, { subscribe });
  const gone = { type: "PeerDisconnected", peerId: "", reason: "ProtocolViolation" } as const;
  const ends = [
    ["flood", true],
    ["chat/1/spam", false],
    ["chat/1/lies", false],
  ] as const;
  for (const tell of publish) {
    tell({ type: "TransactionRejected", id: "", rule: "custom", detail: "nonce: low: full" });
    for (const [rule, byPeer] of ends) tell({ ...gone, rule, detail: "credit: x", byPeer });
  }
  const text = (await get("/metrics")).body as string;
  for (const line of [
    'transactions_rejected_total{rule="custom"} 1',
    'transactions_rejected_total{rule="nonce"} 0',
    'violations_total{rule="flood",by="us"} 1',
    'violations_total{rule="service",by="peer"} 2',
    'violations_total{rule="credit",by="peer"} 0',
  ]) {
    t.true(text.includes(`\nvibecoin_${line}\n`), line);
  }
  t.false(text.includes("chat/1"));
});

test("GET /blocks tells of a block by height and by hash", async (t) => {
  const { network, get } = await serve(t, { produce: true, producer: { intervalMs: 1 } });
  await new Promise((resolve) => network.subscribe(["BlockConnected"], resolve));
  const { status, body } = await get("/blocks/1");
  t.is(status, 200);
  const header = network.header(1)!;
  t.deepEqual(body, {
    hash: header.hash,
    height: 1,
    previousHash: network.header(0)!.hash,
    timestampMs: header.timestampMs,
    difficulty: header.difficulty.toString(),
    totalDifficulty: header.totalDifficulty.toString(),
    sizeBytes: network.block(1)!.length,
    canonical: true,
  });
  t.deepEqual((await get(`/blocks/${header.hash}`)).body, body);
  t.is((await get("/blocks/999999999")).status, 404);
  t.is((await get(`/blocks/${"0".repeat(64)}`)).status, 404);
  t.is((await get("/blocks/latest")).status, 400);
});

test("GET /peers explains a peer's score, connected or not", async (t) => {
  const { node, peer } = await serveWithPeer(t);
  const { status, body } = await node.get(`/peers/${peer.peerId}`);
  t.is(status, 200);
  t.is(body.connected.id, peer.peerId);
  t.true(Array.isArray(body.entries));
  t.is(body.connections.length, 1);
  t.is((await node.get(`/peers/${"0".repeat(64)}`)).status, 404);
  t.is((await node.get("/peers/nobody")).status, 400);
  const nothing = await node.get("/nothing");
  t.is(nothing.status, 404);
  t.is(nothing.body.error, "There is no GET /nothing.");
  for (const path of ["/%zz", `/peers/${"a".repeat(3_000)}`]) {
    const unread = await node.get(path);
    t.is(unread.status, 400);
    t.deepEqual(unread.body, { error: "The path of this request cannot be read." });
  }
});

test("an address that is taken or wrong is refused by name", async (t) => {
  const { network } = await serve(t);
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.teardown(() => taken.close());
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const open = (text: string): Promise<unknown> =>
    openHttpServer({ address: text, network, log: silentLog });
  const inUse = await t.throwsAsync(open(address), { code: "ADDRESS_IN_USE" });
  t.true(inUse.message.includes(address));
  await t.throwsAsync(open("nowhere"), { code: "ADDRESS_INVALID" });
  await t.throwsAsync(open("192.0.2.1:80"), { code: "ADDRESS_INVALID" });
});

test("answers allow no other site to read them", async (t) => {
  const { url } = await serve(t);
  const response = await fetch(`${url}/status`, { headers: { origin: "https://example.org" } });
  t.is(response.headers.get("access-control-allow-origin"), null);
  await response.arrayBuffer();
});
