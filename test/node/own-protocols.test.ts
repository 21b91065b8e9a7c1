// Protocols that services bring, between whole nodes and at the wire.

import test, { type ExecutionContext } from "ava";
import { isCoded } from "../../src/errors.js";
import { startNetwork, startNetworkThread, type NetworkThreadOptions } from "../../src/index.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { PeerMessage, ProtocolReply, ServiceProtocol } from "../../src/ports.js";
import { frameBytes } from "../support/frames.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { portModule } from "../embedding/thread-ports.js";
import { genesisOf } from "../../src/compose.js";
import { consensus, nextEvent, startTestNode, until } from "./nodes.js";

const TRANSACTION_LANE = 3;
const LISTENING: NetworkConfigInput = { bindAddr: "127.0.0.1:0" };

interface Given {
  readonly onMessage?: (message: PeerMessage) => ProtocolReply | Promise<ProtocolReply>;
}

/** A protocol that remembers what its functions were called with. */
function chat({ onMessage = () => undefined }: Given = {}) {
  const heard: string[] = [];
  const peers: string[] = [];
  const protocol: ServiceProtocol = {
    name: "chat/1",
    kinds: {
      Say: { bytesMax: 100, perSecond: 50 },
      Ask: { bytesMax: 100, answerBytesMax: 100, perSecond: 50 },
    },
    onMessage(message) {
      heard.push(`${message.kind} ${Buffer.from(message.body).toString()}`);
      return onMessage(message);
    },
    onPeer: (peerId) => void peers.push(peerId),
    onPeerGone: (peerId) => void peers.splice(peers.indexOf(peerId), 1),
  };
  return { protocol, heard, peers };
}

async function start(
  t: ExecutionContext,
  protocols: readonly ServiceProtocol[],
  config: NetworkConfigInput = LISTENING,
) {
  const faults: string[] = [];
  const log = {
    write(_level: string, event: string, fields?: Readonly<Record<string, unknown>>) {
      if (event.includes("failed")) faults.push(`${event}: ${String(fields?.["error"])}`);
    },
  };
  const node = await startTestNode(t, config, { protocols, log });
  return { node, faults };
}

/** Two nodes that are connected, each with a chat. */
async function twoNodes(t: ExecutionContext, given: Given = {}) {
  const server = chat(given);
  const client = chat();
  const { node: there, faults } = await start(t, [server.protocol]);
  const { node: here } = await start(t, [client.protocol], { seedPeers: [there.listenAddress!] });
  await until(() => client.peers.length === 1 && server.peers.length === 1);
  return { here, there, server, client, faults, link: here.protocol("chat/1") };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

test("two nodes exchange messages, questions and answers of a protocol of their own", async (t) => {
  const onMessage = ({ kind, body }: PeerMessage) =>
    kind === "Ask" ? bytes(`you said ${Buffer.from(body).toString()}`) : undefined;
  const { here, there, server, client, link } = await twoNodes(t, { onMessage });
  t.deepEqual(await link.peers(), [there.peerId]);
  t.deepEqual(server.peers, [here.peerId]);
  link.send(there.peerId, "Say", bytes("one"));
  there.protocol("chat/1").broadcast("Say", bytes("to all"));
  const answer = await link.ask(there.peerId, "Ask", bytes("two"));
  t.true(answer.ok);
  t.is(answer.ok && Buffer.from(answer.body).toString(), "you said two");
  await until(() => client.heard.length === 1);
  t.deepEqual(server.heard, ["Say one", "Ask two"]);
  t.deepEqual(client.heard, ["Say to all"]);
  t.like((await there.kindStatistics())["chat/1/Ask"], { messages: 1 });
  t.deepEqual(await link.ask("ab".repeat(32), "Ask", bytes("?")), { ok: false, reason: "NoPeer" });
  await there.stop();
  await until(() => client.peers.length === 0);
  t.deepEqual(await link.ask(there.peerId, "Ask", bytes("?")), { ok: false, reason: "NoPeer" });
});

test("an answer may take its time, be none, or be another's failure", async (t) => {
  const onMessage = async ({ body }: PeerMessage) => {
    const text = Buffer.from(body).toString();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (text === "throw") throw new Error("the service is broken");
    if (text === "long") return new Uint8Array(101);
    return text === "none" ? undefined : body;
  };
  const { there, link, faults, server } = await twoNodes(t, { onMessage });
  const ask = (text: string) => link.ask(there.peerId, "Ask", bytes(text));
  const [late, none, thrown, long] = await Promise.all(["late", "none", "throw", "long"].map(ask));
  t.true(late!.ok);
  t.deepEqual(none, { ok: false, reason: "NotFound" });
  t.deepEqual(thrown, { ok: false, reason: "Busy" });
  t.deepEqual(long, { ok: false, reason: "Busy" });
  t.is(faults.length, 2);
  t.regex(faults.join(), /the handler of a protocol failed: .*the service is broken/);
  t.is(server.heard.length, 4);
});

test("a handler that throws costs the message that it threw at, and no more", async (t) => {
  const onMessage = ({ kind, body }: PeerMessage) => {
    if (body[0] === 33) throw new Error("not this one");
    return kind === "Ask" ? body : undefined;
  };
  const { there, link, faults, server } = await twoNodes(t, { onMessage });
  for (const text of ["!", "good", "!"]) link.send(there.peerId, "Say", bytes(text));
  t.deepEqual(await link.ask(there.peerId, "Ask", bytes("!")), { ok: false, reason: "Busy" });
  t.true((await link.ask(there.peerId, "Ask", bytes("still there?"))).ok);
  t.deepEqual(server.heard, ["Say !", "Say good", "Say !", "Ask !", "Ask still there?"]);
  t.is(faults.length, 3);
  t.deepEqual((await there.status()).degraded, []);
});

test("of a slow service's messages only so many of a peer are open at once", async (t) => {
  const pending: (() => void)[] = [];
  const onMessage = () =>
    new Promise<undefined>((resolve) => pending.push(() => resolve(undefined)));
  const server = chat({ onMessage });
  const client = chat();
  const limits = { ...LISTENING, serve: { ownOpenPerPeerMax: 3 } };
  const { node: there } = await start(t, [server.protocol], limits);
  const { node: here } = await start(t, [client.protocol], { seedPeers: [there.listenAddress!] });
  await until(() => client.peers.length === 1 && server.peers.length === 1);
  const link = here.protocol("chat/1");
  for (const text of ["a", "b", "c", "d"]) link.send(there.peerId, "Say", bytes(text));
  const asked = await link.ask(there.peerId, "Ask", bytes("e"));
  t.deepEqual(asked, { ok: false, reason: "Busy" });
  t.deepEqual(server.heard, ["Say a", "Say b", "Say c"]);
  for (const answer of pending) answer();
  const again = link.ask(there.peerId, "Ask", bytes("f"));
  await until(() => server.heard.length === 4);
  pending.at(-1)!();
  t.deepEqual(await again, { ok: false, reason: "NotFound" });
});

test("a service blames a peer by a rule of its own, and the connection ends", async (t) => {
  const { here, there, link } = await twoNodes(t, {
    onMessage: ({ peerId }) =>
      there.protocol("chat/1").report(peerId, { rule: "spam", detail: "it: repeats itself" }),
  });
  const gone = [nextEvent(here, "PeerDisconnected"), nextEvent(there, "PeerDisconnected")] as const;
  link.send(there.peerId, "Say", bytes("buy this"));
  const [told, ended] = await Promise.all(gone);
  const detail = "it: repeats itself";
  t.like(ended, { reason: "ProtocolViolation", rule: "chat/1/spam", detail, byPeer: false });
  // The other side knows the rules of the wire alone.
  t.like(told, { reason: "ProtocolViolation", detail: `chat/1/spam: ${detail}`, byPeer: true });
  t.is(told.rule, undefined);
  const { entries, score } = await there.explainPeer(here.peerId);
  t.like(entries.at(-1), { event: "ProtocolViolation", rule: "chat/1/spam", detail });
  t.true(score < -40);
});

test("what a service calls an offence costs less, and enough of them bring a ban", async (t) => {
  const { here, there } = await twoNodes(t);
  const chat = there.protocol("chat/1");
  chat.report(here.peerId, { rule: "caps", detail: "x".repeat(9_999) }, "offence");
  await until(async () => (await there.explainPeer(here.peerId)).entries.length > 0);
  const { entries } = await there.explainPeer(here.peerId);
  const offence = entries.find(({ rule }) => rule === "chat/1/caps");
  t.like(offence, { event: "ServiceOffence", detail: "x".repeat(200), delta: -10 });
  t.is((await there.peers()).length, 1);
  const banned = nextEvent(there, "PeerBanned");
  for (let i = 0; i < 12; i++) chat.report(here.peerId, { rule: "caps", detail: "" }, "offence");
  t.like(await banned, { peerId: here.peerId, reason: "ServiceOffence", rule: "chat/1/caps" });
  for (const rule of ["", "Caps", "a/b", "a: b", "x".repeat(33)]) {
    t.throws(() => chat.report(here.peerId, { rule, detail: "" }), { instanceOf: TypeError }, rule);
  }
  const severity = "murder" as unknown as "offence";
  t.throws(() => chat.report(here.peerId, { rule: "caps", detail: "" }, severity), {
    message: /"murder" is neither violation nor offence/,
  });
  const detail = 7 as unknown as string;
  t.throws(() => chat.report(here.peerId, { rule: "caps", detail }), { message: /is no text/ });
});

async function rawPeer(t: ExecutionContext, node: Network, capabilities: readonly string[]) {
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(7) });
  t.teardown(() => peer.destroy());
  peer.send(handshakeInfo(genesisOf(consensus).header.hash, { capabilities }));
  await peer.message("Handshake");
  return peer;
}

test("a peer that did not name the protocol is told nothing of it", async (t) => {
  const { protocol, peers } = chat();
  const { node } = await start(t, [protocol]);
  const peer = await rawPeer(t, node, ["sync/1"]);
  t.true((await peer.message("Handshake"))?.capabilities.includes("chat/1"));
  await until(async () => (await node.peers()).length === 1);
  const link = node.protocol("chat/1");
  link.broadcast("Say", bytes("to nobody"));
  link.send(peer.peerId, "Say", bytes("to nobody"));
  t.deepEqual(await link.ask(peer.peerId, "Ask", bytes("?")), { ok: false, reason: "NoPeer" });
  t.deepEqual(peers, []);
  // Its session would have ended at a kind that it does not know.
  t.true(await peer.ping());
  peer.writeBytes(frameBytes({ code: 0x80, flags: TRANSACTION_LANE, payload: bytes("x") }));
  t.regex((await peer.farewell())!.detail, /unknown-kind/);
});

test("codes follow the names that both sides gave, and limits are held at the wire", async (t) => {
  const { protocol, heard, peers } = chat();
  const alarm = { ...chat().protocol, name: "alarm/1" };
  const { node } = await start(t, [alarm, protocol]);
  const peer = await rawPeer(t, node, ["zebra/1", "chat/1"]);
  await until(() => peers.length === 1);
  // 0x80 is Ask, 0x81 its answer: alarm/1, which sorts before it, takes no code here.
  const payload = Uint8Array.of(0x81, 0x42, ...bytes("hi"));
  peer.writeBytes(frameBytes({ code: 0x82, flags: TRANSACTION_LANE, payload }));
  await until(() => heard.length === 1);
  t.deepEqual(heard, ["Say hi"]);
  const flags = TRANSACTION_LANE;
  peer.writeBytes(frameBytes({ code: 0x82, flags, payload: new Uint8Array(107) }));
  t.regex((await peer.farewell())!.detail, /message-length: chat\/1\/Say of more than 106 bytes/);
});

test("what is dropped on either side is counted, for its kind and its peer", async (t) => {
  const { here, there, link } = await twoNodes(t);
  for (let i = 0; i < 500; i++) link.send(there.peerId, "Say", bytes("much"));
  const counted = async () => (await here.traffic())["chat/1/Say"]!;
  await until(async () => {
    const now = await counted();
    return now.droppedOut + now.sent.messages === 500;
  });
  const { droppedOut, sent } = await counted();
  t.true(droppedOut > 0);
  t.is(sent.bytes, sent.messages * 6);
  await until(async () => {
    await here.pingPeer(there.peerId);
    return (await here.status()).peers[0]?.droppedOut === droppedOut;
  });
  const peer = await rawPeer(t, there, ["chat/1"]);
  await until(async () => (await there.peers()).length === 2);
  const payload = Uint8Array.of(0x81, 0x42, ...bytes("hi"));
  const frame = frameBytes({ code: 0x82, flags: TRANSACTION_LANE, payload });
  peer.writeBytes(Buffer.concat(Array.from({ length: 2_000 }, () => Buffer.from(frame))));
  await until(async () => (await there.traffic())["chat/1/Say"]!.droppedIn > 0);
});

test("what a service may not send is refused where it is called", async (t) => {
  const { node } = await start(t, [chat().protocol]);
  const link = node.protocol("chat/1");
  const peerId = "ab".repeat(32);
  t.throws(() => link.send(peerId, "Shout", bytes("x")), {
    message: /chat\/1 has no one-way message Shout/,
  });
  t.throws(() => link.send(peerId, "Ask", bytes("x")), { message: /no one-way message Ask/ });
  t.throws(() => link.broadcast("Say", new Uint8Array(101)), { message: /1 to 100 bytes/ });
  await t.throwsAsync(link.ask(peerId, "Ask", new Uint8Array(0)), { message: /1 to 100 bytes/ });
  for (const id of ["zz", 7 as never, peerId.toUpperCase()]) {
    const refused = { code: "ID_INVALID" };
    t.throws(() => link.send(id, "Say", bytes("x")), refused);
    t.throws(() => link.report(id, { rule: "spam", detail: "" }), refused);
    await t.throwsAsync(link.ask(id, "Ask", bytes("x")), refused);
  }
  t.throws(() => node.protocol("other/1"), { message: /started without other\/1/ });
  await node.stop();
  t.throws(() => node.protocol("chat/1"), { code: "STOPPED" });
  await t.throwsAsync(link.ask(peerId, "Ask", bytes("x")), { code: "STOPPED" });
  t.notThrows(() => link.broadcast("Say", bytes("x")));
});

test("a protocol that cannot be is refused at the start", async (t) => {
  const protocols = [{ ...chat().protocol, name: "blocks/1" }];
  const error = await t.throwsAsync(startNetwork({}, { protocols }));
  t.true(isCoded(error, "CONFIG_INVALID"));
  t.regex(error.message, /blocks\/1 is there already/);
});

test("a protocol without the functions that are called is refused at the start", async (t) => {
  const { protocol } = chat();
  for (const changed of [{ onMessage: undefined }, { onMessage: 7 }, { onPeer: {} }]) {
    const protocols = [{ ...protocol, ...changed } as unknown as ServiceProtocol];
    const error = await t.throwsAsync(startNetwork({}, { protocols }));
    t.true(isCoded(error, "CONFIG_INVALID"));
    t.regex(error.message, /on(Message|Peer) of chat\/1 is no function$/);
  }
});

test("a promise of the service's own making, and what has no text, cost their message alone", async (t) => {
  const onMessage = ({ body }: PeerMessage): ProtocolReply => {
    if (body[0] === 33) throw Object.create(null) as Error;
    const then = (): never => {
      throw new Error("not even a promise");
    };
    return { then } as unknown as ProtocolReply;
  };
  const { there, link, faults, server } = await twoNodes(t, { onMessage });
  for (const text of ["?", "!", "?"]) {
    const answer = await link.ask(there.peerId, "Ask", bytes(text));
    t.deepEqual(answer, { ok: false, reason: "Busy" });
  }
  t.is(faults.length, 3);
  t.true(faults.every((fault) => fault.startsWith("the handler of a protocol failed")));
  t.is(server.peers.length, 1, "it was not started again, so nobody came again");
});

test("a network in a thread makes its protocols there, and refuses functions", async (t) => {
  const client = chat();
  const { node } = await start(t, [client.protocol]);
  const thread = await startNetworkThread(
    { seedPeers: [node.listenAddress!], pool: { inline: true } },
    {
      ports: { protocols: portModule("createEcho"), consensus: portModule("createTestConsensus") },
    },
  );
  await until(() => client.peers.length === 1);
  const answer = await node.protocol("chat/1").ask(thread.peerId, "Ask", bytes("echo"));
  t.is(answer.ok && Buffer.from(answer.body).toString(), "echo");
  await thread.stop();
  const options = { protocols: [client.protocol] } as NetworkThreadOptions;
  const error = await t.throwsAsync(startNetworkThread({}, options));
  t.true(isCoded(error, "CONFIG_INVALID"));
  t.regex(error.message, /ports: \{ protocols: \{ moduleUrl, exportName \} \}/);
});
