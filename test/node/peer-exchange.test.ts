// The exchange of addresses at the wire: what strangers who dial a node get out of it, and what those
// that it dials can put into it.

import test, { type ExecutionContext } from "ava";
import { readPage } from "../../src/actors/peer/address-pages.js";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import type { MessageOf } from "../../src/protocol/index.js";
import type { PeerEndpoint } from "../../src/protocol/kinds/peers.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { temporaryDirectory } from "../cli/child.js";
import { frameBytes, payloadBytes } from "../support/frames.js";
import { listenAs, type HostileListenerOptions } from "../support/hostile-listener.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const BIND = "tcp://127.0.0.1:0";
const NOTHING = { kind: "Peers", endpoints: [] } as const;

/** A peer that dialed the node. */
async function join(
  t: ExecutionContext,
  node: Network,
  number: number,
  info: Parameters<typeof handshakeInfo>[1] = {},
): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID, info));
  await ready;
  return peer;
}

function place(host: string, port = 8_765): PeerEndpoint {
  return { scheme: "tcp", host, port };
}

async function told(peer: RawPeer): Promise<readonly PeerEndpoint[] | string> {
  const outcome = await peer.ask({ kind: "GetPeers", countMax: 256 });
  if (!outcome.ok) return outcome.reason;
  return (outcome.message as MessageOf<"Peers">).endpoints;
}

/** A peer that the node dials. */
async function dialed(
  t: ExecutionContext,
  node: Network,
  answer: HostileListenerOptions["answer"],
  number = 9,
) {
  const listener = await listenAs(t, { number, networkId: NETWORK_ID, answer });
  await node.connect(listener.address);
  return listener;
}

const exchange = async (node: Network) => (await node.status()).exchange!;

// ---- what is told ----------------------------------------------------------------------------

test("who told where it listens is told of to others, the same to all, and each is told once", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND });
  await join(t, node, 1, { listenAddresses: ["tcp://127.0.0.1:9001"] });
  const [second, third] = [await join(t, node, 2), await join(t, node, 3)];
  t.deepEqual(await told(second), [place("127.0.0.1", 9_001)]);
  await join(t, node, 4, { listenAddresses: ["tcp://127.0.0.1:9004"] });
  t.deepEqual(await told(third), [place("127.0.0.1", 9_001)]);
  t.is(await told(second), "RateLimited");
  t.true(await second.ping());
});

test("a node where the exchange is off neither offers nor answers it", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND, exchange: { enabled: false } });
  const peer = await join(t, node, 1);
  t.false((await peer.message("Handshake"))!.capabilities.includes("peers/1"));
  t.is((await node.status()).exchange, null);
  peer.write({ kind: "GetPeers", countMax: 1 }, 1);
  t.regex((await peer.farewell())!.detail, /kind-not-allowed/);
});

test("questions without end are refused, and a flood of them ends the connection", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND });
  const peer = await join(t, node, 1);
  t.deepEqual(await told(peer), []);
  const refused = () => peer.received.filter(({ kind }) => kind === "RequestRefused").length;
  for (let i = 1; i <= 20; i++) {
    peer.write({ kind: "GetPeers", countMax: 256 }, 1_000 + i);
    await peer.until(() => refused() === i || peer.ended);
  }
  t.is(refused(), 20);
  for (let i = 1; i <= 2_000; i++) peer.write({ kind: "GetPeers", countMax: 256 }, 2_000 + i);
  t.regex((await peer.farewell())!.detail, /flood/);
  const handed = (await node.kindStatistics()).GetPeers!.messages;
  t.true(handed <= 2, `${handed} reached the handler`);
});

// ---- what is heard ---------------------------------------------------------------------------

test("whom it dialed a node asks at once, whom it cannot ask it does not", async (t) => {
  const node = await startTestNode(t);
  const asked = await dialed(t, node, ({ kind }) => (kind === "GetPeers" ? NOTHING : undefined));
  await until(() => asked.received.some(({ kind }) => kind === "GetPeers"));
  const info = { capabilities: ["blocks/1", "sync/1", "transactions/1"] };
  const answer = (): undefined => undefined;
  const old = await listenAs(t, { number: 8, networkId: NETWORK_ID, info, answer });
  await node.connect(old.address);
  await node.pingPeer(old.peerId);
  t.false(old.received.some(({ kind }) => kind === "GetPeers"));
  t.deepEqual(old.breaches, []);
});

const wrong: readonly [title: string, RegExp, (count: number) => Uint8Array][] = [
  ["257 places", /payload/, (requestId) => payloadBytes("Peers", endpointsPayload(257), requestId)],
  ["a million places", /message-length/, (requestId) => announced(20_000_000, requestId)],
  [
    "a count that it does not hold",
    /payload/,
    (id) => payloadBytes("Peers", hex("819affffffff"), id),
  ],
  ["port 0", /payload/, (id) => payloadBytes("Peers", hex("8181836374637044c000020100"), id)],
  ["a name", /payload/, (id) => payloadBytes("Peers", hex("8181836374637064686f737418ff"), id)],
];

for (const [title, rule, bytesOf] of wrong) {
  test(`an answer of ${title} is a breach, and nothing of it is kept`, async (t) => {
    const node = await startTestNode(t);
    const gone = nextEvent(node, "PeerDisconnected");
    await dialed(t, node, ({ kind }, requestId, session) => {
      if (kind === "GetPeers") session.sendBytes(bytesOf(requestId));
      return undefined;
    });
    const { reason, rule: broken, byPeer } = await gone;
    t.is(reason, "ProtocolViolation");
    t.regex(broken!, rule);
    t.false(byPeer);
    t.is((await exchange(node)).heard, 0);
  });
}

test("places that nobody asked for are a breach", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND });
  const peer = await join(t, node, 1);
  peer.write({ kind: "Peers", endpoints: [place("9.9.9.9")] }, 5);
  t.regex((await peer.farewell())!.detail, /request-id/);
  t.is((await exchange(node)).heard, 0);
});

test("of ever new ports of one public host a node takes one, and of a repeated place one", async (t) => {
  const node = await startTestNode(t, { maxOutbound: 1 });
  const victim = Array.from({ length: 200 }, (_, i) => place("9.9.9.9", 10_000 + i));
  const again = Array.from({ length: 50 }, () => place("8.8.4.4"));
  const answer = { kind: "Peers", endpoints: [...victim, ...again, place("8.8.8.8", 25)] } as const;
  await dialed(t, node, ({ kind }) => (kind === "GetPeers" ? answer : undefined));
  await until(async () => (await exchange(node)).heard > 0);
  const { heard, dropped } = await exchange(node);
  t.is(heard, 2);
  t.deepEqual(dropped, { local: 0, port: 1, repeated: 199 + 49 });
});

test("what a peer tells of others goes no further: nobody else is told of it", async (t) => {
  const node = await startTestNode(t, { bindAddr: BIND, maxOutbound: 1 });
  const poison = Array.from({ length: 200 }, (_, i) => place(`9.${i}.9.9`));
  const answer = { kind: "Peers", endpoints: poison } as const;
  await dialed(t, node, ({ kind }) => (kind === "GetPeers" ? answer : undefined));
  await until(async () => (await exchange(node)).heard === poison.length);
  const said = { listenAddresses: ["tcp://9.9.9.9:9001", "tcp://127.0.0.1:9002"] };
  await join(t, node, 1, said);
  const answered = await told(await join(t, node, 2));
  if (typeof answered === "string") return t.fail(answered);
  t.true(answered.some(({ port }) => port === 9_002));
  t.deepEqual(
    answered.filter(({ host }) => host !== "127.0.0.1"),
    [],
  );
});

test("what one peer tells fills few places of the book, however much it is", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const addresses = { newBuckets: 4_096, bucketSize: 1 };
  const node = await startTestNode(t, { dataDir, addresses, maxOutbound: 1 });
  const crowd = Array.from({ length: 200 }, (_, i) => place(`9.${i}.9.9`));
  const answer = { kind: "Peers", endpoints: crowd } as const;
  await dialed(t, node, ({ kind }) => (kind === "GetPeers" ? answer : undefined));
  await until(async () => (await exchange(node)).heard === crowd.length);
  await node.stop();
  const stores = await openLmdbStores({ directory: dataDir, genesis: genesisOf(consensus) });
  const pages = stores.peers.addresses!.pages().filter(({ name }) => name.startsWith("new-"));
  await stores.close();
  const known = pages.flatMap(({ text }) => readPage(text, crowd.length)).length;
  t.true(known >= 30 && known <= 64, `${known} of ${crowd.length}`);
});

test("an answer that never comes costs a node nothing else", async (t) => {
  const node = await startTestNode(t, {
    requests: { timeoutMinMs: 50, timeoutMaxMs: 100 },
    liveness: { pingIntervalMs: 100 },
  });
  const silent = await dialed(t, node, () => undefined);
  await until(() => silent.received.some(({ kind }) => kind === "GetPeers"));
  await until(async () => (await node.peers())[0]!.performance.timeouts > 0);
  t.is((await node.peers()).length, 1);
  t.is((await exchange(node)).heard, 0);
});

// ---- who finds whom --------------------------------------------------------------------------

test("nodes that know one seed find each other, and hold together without it", async (t) => {
  const curious = { bindAddr: BIND, dial: { onlyConfigured: false } };
  const seed = await startTestNode(t, curious);
  const config = { ...curious, seedPeers: [seed.listenAddress!] };
  const nodes = await Promise.all([1, 2, 3, 4].map(() => startTestNode(t, config)));
  const all = nodes.map(({ peerId }) => peerId);
  const knowsAll = async (node: Network): Promise<boolean> => {
    const peers = new Set((await node.peers()).map(({ peerId }) => peerId));
    return all.every((peerId) => peerId === node.peerId || peers.has(peerId));
  };
  for (const node of nodes) await until(() => knowsAll(node));
  await seed.stop();
  for (const node of nodes) {
    await until(async () => (await node.peers()).every(({ peerId }) => peerId !== seed.peerId));
    t.true(await knowsAll(node));
  }
});

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function endpointsPayload(count: number): Uint8Array {
  const length = count.toString(16).padStart(4, "0");
  return hex(`8199${length}${"8363746370".concat("44c0000201", "192710").repeat(count)}`);
}

/** The head of a frame that says it is so long. */
function announced(length: number, requestId: number): Uint8Array {
  return frameBytes({ code: 0x41, flags: 0x0b, requestId, length });
}
