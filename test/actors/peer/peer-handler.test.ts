import test from "ava";
import { peerHandler } from "../../../src/actors/peer/peer-handler.js";
import type {
  Incoming,
  PeerHandlerMessage,
  RequestOutcome,
} from "../../../src/actors/peer/peer-handler-messages.js";
import type { PeerHandlerArgs } from "../../../src/actors/peer/peer-handler-state.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { PingOutcome, RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import { encodeMessage } from "../../../src/protocol/codec/codec.js";
import type { Message } from "../../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../../src/protocol/types/node-info.js";
import { CodedError } from "../../../src/errors.js";
import type { WorkerPool } from "../../../src/ports.js";
import { createHarness, genesis, SELF, type HarnessOptions } from "../support.js";
import { FakeConnection, RemotePeer, type FakeConnectionOptions } from "../remote-peer.js";

const HASH = "ab".repeat(32);
const KIB = 1024;
const MIB = 1024 * KIB;

interface StartOptions extends HarnessOptions {
  readonly connection?: FakeConnectionOptions;
  readonly refusal?: PeerHandlerArgs["refusal"];
  readonly routerMax?: number;
}

function start(options: StartOptions = {}) {
  const harness = createHarness(options);
  const registry = harness.probe<RegistryMessage>();
  const router = harness.probe<MessageRouterMessage>(undefined, options.routerMax);
  const reputation = harness.probe<ReputationMessage>();
  const post = (fn: () => void): void => harness.scheduler.post(fn);
  const connection = new FakeConnection({ post, ...options.connection });
  const handler = harness.spawn(peerHandler, {
    connection,
    connectionId: 7,
    registry: registry.ref,
    router: router.ref,
    reputation: reputation.ref,
    ...(options.refusal === undefined ? {} : { refusal: options.refusal }),
  });
  const remote = new RemotePeer(connection);
  const outcomes = harness.probe<RequestOutcome>();

  return {
    ...harness,
    registry,
    router,
    reputation,
    connection,
    handler,
    remote,
    outcomes,
    /** Sends a request of ours. */
    ask: (message: Message, tag: number, items = 1): boolean =>
      handler.tell({ type: "Request", message, tag, items, replyTo: outcomes.ref }),
    incoming: (): Incoming[] => router.of("Incoming"),
    closing: () => registry.of("HandlerClosing")[0],
    blames: () => reputation.of("Report").map(({ event, detail }) => `${event}: ${detail}`),
    gone: (): boolean => !handler.tell({ type: "Drained" }),
  };
}

/** Past the handshake and the first ping. */
async function ready(options: StartOptions & { info?: Partial<HandshakeInfo> } = {}) {
  const harness = start(options);
  harness.remote.handshake(options.info);
  await harness.settle();
  harness.remote.pong();
  await harness.settle();
  harness.remote.heard();
  return harness;
}

const requestBlock: Message = { kind: "RequestBlock", hash: HASH };
const responseBlock: Message = { kind: "ResponseBlock", block: new Uint8Array(100) };

// ---- handshake -------------------------------------------------------------------------------

test("it opens with a handshake that says who and what this node is", async (t) => {
  const harness = start({ config: { nodeId: "café", bindAddr: "tcp://1.2.3.4:8765" } });
  await harness.settle();
  const [first] = harness.remote.heardOf("Handshake");
  t.like(first?.message, {
    networkId: genesis.header.hash,
    agent: "test/1",
    nodeId: "café",
    listenAddresses: ["tcp://1.2.3.4:8765"],
    capabilities: ["blocks/1", "sync/1", "transactions/1"],
  });
  t.deepEqual(first?.message.head, {
    height: 0n,
    hash: genesis.header.hash,
    totalDifficulty: genesis.header.totalDifficulty,
  });
  t.is(first?.message.quotas.length, 4);
});

test("a handshake that fits makes it ready, and the round trip is measured at once", async (t) => {
  const harness = start();
  harness.remote.handshake();
  await harness.settle();
  const [event] = harness.registry.of("HandlerReady");
  t.is(event?.connectionId, 7);
  t.is(event?.info.agent, "remote/1");
  await harness.advance(30);
  harness.remote.pong();
  await harness.settle();
  t.is(harness.registry.of("HandlerMeasured")[0]?.performance.pingMs, 30);
});

const misfits: { [reason: string]: [Partial<HandshakeInfo>, FakeConnectionOptions?] } = {
  WrongNetwork: [{ networkId: HASH }],
  IncompatibleVersion: [{ protocolVersion: 2 }],
  SelfConnection: [{}, { peerId: SELF }],
};
for (const [reason, [info, connection = {}]] of Object.entries(misfits)) {
  test(`a handshake that does not fit is answered by ${reason}`, async (t) => {
    const harness = start({ connection });
    harness.remote.handshake(info);
    await harness.settle();
    t.is(harness.remote.heardOf("Disconnect")[0]?.message.reason as string, reason);
    t.like(harness.closing(), { connectionId: 7, reason, byPeer: false });
    t.deepEqual(harness.registry.of("HandlerReady"), []);
    t.deepEqual(harness.blames(), []);
    t.true(harness.gone());
  });
}

test("without a handshake in time the connection is closed, and bytes do not extend it", async (t) => {
  const harness = start();
  const [bytes] = harness.remote.bytesOf(requestBlock, 1);
  await harness.advance(4_000);
  // A frame header's first bytes, one at a time.
  for (let i = 0; i < 4; i++) {
    harness.connection.receive(bytes!.slice(i, i + 1));
    await harness.advance(249);
  }
  t.is(harness.closing(), undefined);
  await harness.advance(4);
  t.is(harness.closing()?.reason, "Timeout");
  t.is(harness.remote.heardOf("Disconnect")[0]?.message.reason, "Timeout");
  t.true(harness.gone());
});

test("the handshake's time starts when the connection was opened, not when it was handed in", async (t) => {
  const harness = createHarness();
  await harness.advance(10_000);
  const registry = harness.probe<RegistryMessage>();
  const connection = new FakeConnection({ openedAtMs: 6_000 });
  harness.spawn(peerHandler, {
    connection,
    connectionId: 1,
    registry: registry.ref,
    router: harness.probe<MessageRouterMessage>().ref,
    reputation: harness.probe<ReputationMessage>().ref,
  });
  await harness.advance(999);
  t.deepEqual(registry.of("HandlerClosing"), []);
  await harness.advance(1);
  t.is(registry.of("HandlerClosing")[0]?.reason, "Timeout");
});

test("a refused connection is told why, without a handshake", async (t) => {
  const harness = start({ refusal: { reason: "TooManyConnections", detail: "all 8 slots" } });
  await harness.settle();
  t.deepEqual(
    harness.remote.heard().map(({ message }) => message),
    [{ kind: "Disconnect", reason: "TooManyConnections", detail: "all 8 slots" }],
  );
  t.true(harness.gone());
});

// ---- violations ------------------------------------------------------------------------------

const offences: { [name: string]: Message } = {
  "a message before the handshake": { kind: "Ping", nonce: 1n },
  "a request before the handshake": requestBlock,
};
for (const [name, message] of Object.entries(offences)) {
  test(`${name} is a violation`, async (t) => {
    const harness = start();
    harness.remote.send(message, message.kind === "Ping" ? 0 : 1);
    await harness.settle();
    t.is(harness.closing()?.reason, "ProtocolViolation");
    t.regex(harness.blames()[0]!, /ProtocolViolation: kind-not-allowed/);
  });
}

test("a second handshake is a violation", async (t) => {
  const harness = await ready();
  harness.remote.handshake();
  await harness.settle();
  t.is(harness.closing()?.reason, "ProtocolViolation");
});

test("a kind whose capability was not negotiated is a violation", async (t) => {
  const harness = await ready({ info: { capabilities: ["sync/1"] } });
  harness.remote.send(requestBlock, 1);
  await harness.settle();
  t.regex(harness.blames()[0]!, /kind-not-allowed/);
});

test("garbage is a violation, said, blamed and closed", async (t) => {
  const harness = await ready();
  harness.connection.receive(new Uint8Array(64).fill(0xff));
  await harness.settle();
  const [said] = harness.remote.heardOf("Disconnect");
  t.is(said?.message.reason, "ProtocolViolation");
  t.is(harness.blames().filter((blame) => blame.startsWith("ProtocolViolation")).length, 1);
  t.true(harness.connection.closing);
  t.true(harness.gone());
});

test("nothing that follows a violation in the same chunk is taken", async (t) => {
  const harness = await ready();
  const announce: Message = { kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n };
  const [bytes] = harness.remote.bytesOf(announce);
  const handshake = harness.remote.bytesOf({ kind: "Pong", nonce: 1n })[0]!;
  handshake[4] = 0xee;
  harness.connection.receive(new Uint8Array([...handshake, ...bytes!]));
  await harness.settle();
  t.is(harness.incoming().length, 0);
});

test("pings beyond any honest rate are a violation", async (t) => {
  const harness = await ready({ config: { liveness: { pingsPerSecondMax: 10 } } });
  for (let i = 0; i < 10; i++) harness.remote.send({ kind: "Ping", nonce: BigInt(i) });
  await harness.settle();
  t.is(harness.remote.heardOf("Pong").length, 10);
  harness.remote.send({ kind: "Ping", nonce: 99n });
  await harness.settle();
  t.regex(harness.blames().at(-1)!, /flood: too many pings/);
});

test("an answer that nobody asked for is a violation", async (t) => {
  const harness = await ready();
  harness.remote.send(responseBlock, 5);
  await harness.settle();
  t.regex(harness.blames()[0]!, /unsolicited/);
});

test("an answer of another kind than the question's is a violation, and settles the request", async (t) => {
  const harness = await ready();
  harness.ask(requestBlock, 41);
  await harness.settle();
  const [asked] = harness.remote.heardOf("RequestBlock");
  harness.remote.send({ kind: "ResponseHeaders", headers: [] }, asked!.requestId);
  await harness.settle();
  t.regex(harness.blames()[0]!, /RequestBlock answered by ResponseHeaders/);
  t.like(harness.outcomes.take(), [{ tag: 41, ok: false, reason: "Closed" }]);
});

// ---- the end ---------------------------------------------------------------------------------

test("a goodbye of the peer ends the connection without one of ours", async (t) => {
  const harness = await ready();
  harness.remote.send({ kind: "Disconnect", reason: "Shutdown", detail: "bye" });
  await harness.settle();
  t.like(harness.closing(), { reason: "Shutdown", detail: "bye", byPeer: true });
  t.deepEqual(harness.remote.heardOf("Disconnect"), []);
  t.true(harness.gone());
});

test("a connection that breaks is reported with its error", async (t) => {
  const harness = await ready();
  harness.connection.end(new Error("ECONNRESET"));
  await harness.settle();
  t.like(harness.closing(), { reason: "Closed", detail: "ECONNRESET", byPeer: false });
  t.true(harness.gone());
});

test("a socket that does not close is destroyed after the drain time", async (t) => {
  const harness = await ready({ connection: { post: () => undefined } });
  harness.handler.tell({ type: "Close", reason: "Shutdown", detail: "" });
  await harness.advance(harness.config.shutdown.drainMs - 1);
  t.false(harness.connection.destroyed);
  await harness.advance(1);
  t.true(harness.connection.destroyed);
  t.true(harness.gone());
});

test("a long reason is cut to what the message may hold", async (t) => {
  const harness = await ready();
  harness.handler.tell({ type: "Close", reason: "Banned", detail: "é".repeat(5_000) });
  await harness.settle();
  const detail = harness.remote.heardOf("Disconnect")[0]!.message.detail;
  t.true(detail.length > 0 && Buffer.byteLength(detail) <= 256);
});

test("control characters in a reason do not reach the wire", async (t) => {
  const harness = await ready();
  harness.handler.tell({ type: "Close", reason: "Banned", detail: "one\ntwo\u0007" });
  await harness.settle();
  t.is(harness.remote.heardOf("Disconnect")[0]?.message.reason, "Banned");
});

test("a closing connection is silent: what is sent, asked or received is dropped", async (t) => {
  const harness = await ready({ connection: { post: () => undefined } });
  harness.handler.tell({ type: "Close", reason: "Shutdown", detail: "" });
  await harness.settle();
  harness.remote.heard();
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  harness.ask(requestBlock, 3);
  harness.remote.send(requestBlock, 1);
  await harness.settle();
  t.deepEqual(harness.remote.heard(), []);
  t.like(harness.outcomes.take(), [{ tag: 3, ok: false, reason: "Closed" }]);
  t.is(harness.incoming().length, 0);
});

// ---- liveness --------------------------------------------------------------------------------

test("a silent peer is pinged, and dropped when it stays silent", async (t) => {
  const harness = await ready();
  const { pingIntervalMs, deadAfterMs } = harness.config.liveness;
  await harness.advance(pingIntervalMs);
  t.is(harness.remote.heardOf("Ping").length, 1);
  await harness.advance(deadAfterMs - pingIntervalMs - 1);
  t.is(harness.closing(), undefined);
  await harness.advance(1);
  t.like(harness.closing(), { reason: "Timeout" });
});

test("any byte is a sign of life", async (t) => {
  const harness = await ready();
  for (let i = 0; i < 20; i++) {
    await harness.advance(harness.config.liveness.deadAfterMs - 1_000);
    harness.remote.send({ kind: "Pong", nonce: 1n });
    await harness.settle();
  }
  t.is(harness.closing(), undefined);
});

test("a peer that speaks by itself need not be pinged", async (t) => {
  const harness = await ready();
  for (let i = 0; i < 30; i++) {
    await harness.advance(1_000);
    harness.remote.send({ kind: "Ping", nonce: 1n });
    await harness.settle();
  }
  t.deepEqual(harness.remote.heardOf("Ping"), []);
});

test("while this node does not read, silence is not the peer's", async (t) => {
  const harness = await ready({ routerMax: 1 });
  harness.scheduler.hold(harness.router.ref.path);
  const announce: Message = { kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n };
  for (let i = 0; i < 3; i++) harness.remote.send(announce);
  await harness.advance(10 * harness.config.liveness.deadAfterMs);
  t.is(harness.closing(), undefined);
  harness.scheduler.release(harness.router.ref.path);
  await harness.settle();
  t.is(harness.incoming().length, 3);
  await harness.advance(harness.config.liveness.deadAfterMs);
  t.like(harness.closing(), { reason: "Timeout" });
});

test("a pong without its ping is nothing", async (t) => {
  const harness = await ready();
  const before = harness.registry.of("HandlerMeasured").length;
  harness.remote.send({ kind: "Pong", nonce: 12_345n });
  await harness.settle();
  t.is(harness.registry.of("HandlerMeasured").length, before);
  t.is(harness.closing(), undefined);
});

test("pings by hand are bounded and answered each", async (t) => {
  const harness = start();
  const asker = harness.probe<PingOutcome>();
  harness.handler.tell({ type: "Ping", replyTo: asker.ref });
  await harness.settle();
  t.deepEqual(asker.take(), [{ elapsedMs: undefined }], "not before it is ready");
  harness.remote.handshake();
  await harness.settle();
  for (let i = 0; i < 1_100; i++) harness.handler.tell({ type: "Ping", replyTo: asker.ref });
  await harness.settle();
  const refused = asker.take();
  t.is(refused.length, 1_100 - 1_023);
  t.true(refused.every(({ elapsedMs }) => elapsedMs === undefined));
  harness.remote.pong();
  await harness.settle();
  t.deepEqual(asker.take(), new Array(1_023).fill({ elapsedMs: 0 }));
});

// ---- our requests ----------------------------------------------------------------------------

test("a request is answered by its number, and quickness is rewarded", async (t) => {
  const harness = await ready();
  harness.ask(requestBlock, 1);
  harness.ask(requestBlock, 2);
  await harness.advance(249);
  const [first, second] = harness.remote.heardOf("RequestBlock");
  harness.remote.send(responseBlock, second!.requestId);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 2, ok: true, elapsedMs: 249 }]);
  t.deepEqual(harness.blames(), ["QuickResponse: "]);
  await harness.advance(1);
  harness.remote.send(responseBlock, first!.requestId);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 1, ok: true }]);
  t.is(harness.blames().length, 1);
});

test("a refusal of the peer is handed on and counted", async (t) => {
  const harness = await ready();
  for (const reason of ["NotFound", "Busy", "RateLimited"] as const) {
    harness.ask(requestBlock, 1);
    await harness.advance(1_000);
    const [asked] = harness.remote.heardOf("RequestBlock");
    harness.remote.send({ kind: "RequestRefused", reason }, asked!.requestId);
    await harness.settle();
    t.like(harness.outcomes.take(), [{ ok: false, reason }]);
  }
  t.is(harness.registry.of("HandlerMeasured").at(-1)?.performance.failures, 3);
});

test("a request that is not answered in time is given up and blamed; a late answer is no offence", async (t) => {
  const harness = await ready({ config: { requests: { timeoutMaxMs: 3_000 } } });
  harness.ask(requestBlock, 1);
  await harness.advance(2_999);
  t.deepEqual(harness.outcomes.take(), []);
  await harness.advance(251);
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "Timeout" }]);
  t.deepEqual(harness.blames(), ["Timeout: RequestBlock was not answered"]);
  harness.remote.send(responseBlock, harness.remote.heardOf("RequestBlock")[0]!.requestId);
  await harness.settle();
  t.deepEqual(harness.outcomes.take(), []);
  t.is(harness.closing(), undefined);
});

test("what is under way or waits when the connection ends is answered", async (t) => {
  const harness = await ready({ config: { requests: { inFlightMax: 1 } } });
  harness.ask(requestBlock, 1);
  harness.ask(requestBlock, 2);
  await harness.settle();
  harness.connection.end();
  await harness.settle();
  t.deepEqual(
    harness.outcomes.take().map((outcome) => [outcome.tag, outcome.ok ? "" : outcome.reason]),
    [
      [1, "Closed"],
      [2, "Closed"],
    ],
  );
});

test("no more requests are under way than the limit; the next goes when one is answered", async (t) => {
  const harness = await ready({ config: { requests: { inFlightMax: 2 } } });
  for (const tag of [1, 2, 3]) harness.ask(requestBlock, tag);
  await harness.settle();
  const asked = harness.remote.heardOf("RequestBlock");
  t.is(asked.length, 2);
  harness.remote.send(responseBlock, asked[0]!.requestId);
  await harness.settle();
  t.is(harness.remote.heardOf("RequestBlock").length, 1);
});

test("requests keep to the quota that the peer stated", async (t) => {
  const quota = { kind: 0x20, itemsPerSecond: 10, burstItems: 2 };
  const harness = await ready({ info: { quotas: [quota] } });
  for (let tag = 1; tag <= 5; tag++) harness.ask(requestBlock, tag);
  await harness.settle();
  t.is(harness.remote.heardOf("RequestBlock").length, 2);
  await harness.advance(1_000);
  t.is(harness.remote.heardOf("RequestBlock").length, 3);
});

test("a request for more than the peer ever serves is refused here", async (t) => {
  const quotas = [{ kind: 0x24, itemsPerSecond: 10, burstItems: 8 }];
  const harness = await ready({ info: { quotas } });
  const range: Message = { kind: "RequestBlockRange", fromHeight: 1, count: 9, lastHash: HASH };
  harness.ask(range, 1, 9);
  harness.ask(requestBlock, 2);
  await harness.settle();
  t.like(harness.outcomes.take(), [{ tag: 1, ok: false, reason: "RateLimited" }]);
  t.deepEqual(
    harness.remote.heard().map(({ message }) => message.kind),
    ["RequestBlock"],
  );
});

test("too many waiting requests are refused, and none before it is ready", async (t) => {
  const early = start();
  early.ask(requestBlock, 1);
  await early.settle();
  t.like(early.outcomes.take(), [{ tag: 1, ok: false, reason: "Closed" }]);
  const harness = await ready({ config: { requests: { inFlightMax: 1 } } });
  for (let tag = 0; tag < 260; tag++) harness.ask(requestBlock, tag);
  await harness.settle();
  const refused = harness.outcomes.take();
  t.is(refused.length, 3);
  t.like(refused[0], { ok: false, reason: "Busy" });
});

// ---- serving ---------------------------------------------------------------------------------

test("a message of a ready peer reaches the router with its sender and its credit", async (t) => {
  const harness = await ready();
  harness.remote.send({ kind: "NewTransaction", transaction: new Uint8Array(50) });
  await harness.settle();
  const [incoming] = harness.incoming();
  t.like(incoming, { lane: "transaction", requestId: 0, peerId: harness.connection.peerId });
  t.is(incoming?.from.path, harness.handler.path);
  t.true(incoming!.bytes > 50);
});

test("an announced head is told to the registry too", async (t) => {
  const harness = await ready();
  const head = { height: 5n, hash: HASH, totalDifficulty: 50n };
  harness.remote.send({ kind: "AnnounceBlock", ...head });
  await harness.settle();
  t.deepEqual(harness.registry.of("HeadClaimed")[0]?.head, head);
  t.is(harness.incoming().length, 1);
});

test("a reply carries the number of its request", async (t) => {
  const harness = await ready();
  harness.remote.send(requestBlock, 77);
  await harness.settle();
  t.is(harness.incoming()[0]?.requestId, 77);
  harness.handler.tell({ type: "Reply", requestId: 77, message: responseBlock });
  await harness.settle();
  t.is(harness.remote.heardOf("ResponseBlock")[0]?.requestId, 77);
});

test("no more requests of a peer are handed on than replies may be open", async (t) => {
  const harness = await ready();
  for (let id = 1; id <= 6; id++) harness.remote.send(requestBlock, id);
  await harness.settle();
  t.is(harness.incoming().length, 4);
  harness.handler.tell({ type: "Reply", requestId: 1, message: responseBlock });
  await harness.settle();
  t.is(harness.incoming().length, 5);
});

test("replies that the peer does not take hold its next requests back", async (t) => {
  const serve = { repliesQueuedMax: 4, bytesSoftMax: 4 * KIB };
  const harness = await ready({ config: { serve } });
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  await harness.settle();
  harness.remote.send(requestBlock, 1);
  await harness.settle();
  const large: Message = { kind: "ResponseBlock", block: new Uint8Array(20 * KIB) };
  harness.handler.tell({ type: "Reply", requestId: 1, message: large });
  await harness.settle();
  harness.remote.send(requestBlock, 2);
  await harness.settle();
  t.is(harness.incoming().length, 1);
  harness.connection.drain();
  await harness.settle();
  t.is(harness.incoming().length, 2);
});

test("more waiting requests than any honest peer sends are a violation", async (t) => {
  const harness = await ready();
  for (let id = 1; id <= 68; id++) {
    harness.remote.send(requestBlock, id);
    await harness.settle();
  }
  t.is(harness.closing(), undefined);
  harness.remote.send(requestBlock, 69);
  await harness.settle();
  t.regex(harness.blames()[0]!, /flood: more than 64 requests wait/);
});

test("requests over the rate are refused, at the price of nothing", async (t) => {
  const serve = { blocksPerSecond: 10, blocksBurst: 20 };
  const harness = await ready({ config: { serve } });
  const range = (count: number): Message => ({
    kind: "RequestBlockRange",
    fromHeight: 1,
    count,
    lastHash: HASH,
  });
  harness.remote.send(range(15), 1);
  harness.remote.send(range(6), 2);
  harness.remote.send(range(5), 3);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ requestId }) => requestId),
    [1, 3],
  );
  const [refused] = harness.remote.heardOf("RequestRefused");
  t.deepEqual(refused, {
    requestId: 2,
    message: { kind: "RequestRefused", reason: "RateLimited" },
  });
  t.deepEqual(harness.blames(), []);
});

test("each kind of request is charged by what it asks for", async (t) => {
  const serve = { headersPerSecond: 1, headersBurst: 100, transactionsPerSecond: 1 };
  const harness = await ready({ config: { serve: { ...serve, transactionsBurst: 2 } } });
  const headers: Message = { kind: "RequestHeaders", locator: [HASH], countMax: 60 };
  const transactions: Message = { kind: "RequestTransactions", ids: [HASH, HASH] };
  harness.remote.send(headers, 1);
  harness.remote.send(headers, 2);
  harness.remote.send(transactions, 3);
  harness.remote.send(transactions, 4);
  await harness.settle();
  const refused = harness.remote.heardOf("RequestRefused").map(({ requestId }) => requestId);
  t.deepEqual(refused, [2, 4]);
});

// ---- credit and flow -------------------------------------------------------------------------

test("credit goes back when the receiver has dealt with a message", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const transaction = new Uint8Array(40 * KIB);
  harness.remote.send({ kind: "NewTransaction", transaction });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("WindowUpdate"), []);
  const { lane, bytes } = harness.incoming()[0]!;
  harness.handler.tell({ type: "Consumed", lane, bytes });
  await harness.settle();
  const [update] = harness.remote.heardOf("WindowUpdate");
  t.is(update?.message.lane, "transaction");
  t.is(update?.message.bytes, bytes);
});

test("more than the window is a violation", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const transaction = new Uint8Array(40 * KIB);
  for (let i = 0; i < 2; i++) harness.remote.send({ kind: "NewTransaction", transaction });
  await harness.settle();
  t.regex(harness.blames()[0]!, /credit: lane transaction/);
});

test("what is sent waits for the peer's credit", async (t) => {
  const harness = await ready({ config: { lanes: { windowInitialBytes: 64 * KIB } } });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(100 * KIB) });
  harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("NewBlock"), []);
  harness.remote.grant("block", 64 * KIB);
  await harness.settle();
  t.is(harness.remote.heardOf("NewBlock")[0]?.message.block.length, 100 * KIB);
});

test("credit beyond the largest window is a violation", async (t) => {
  const harness = await ready();
  harness.remote.grant("block", 4 * MIB);
  await harness.settle();
  t.regex(harness.blames()[0]!, /window-overflow/);
});

test("a full socket is not written to until it drains", async (t) => {
  const harness = await ready();
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  await harness.settle();
  t.is(harness.remote.heardOf("Ping").length, 1);
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 2n } });
  await harness.settle();
  t.deepEqual(harness.remote.heardOf("Ping"), []);
  harness.connection.drain();
  await harness.settle();
  t.is(harness.remote.heardOf("Ping").length, 1);
});

test("a peer that does not read is dropped when too much waits for it", async (t) => {
  const harness = await ready({ config: { lanes: { sendQueueBytesMax: 200 * KIB } } });
  harness.connection.full = true;
  harness.handler.tell({ type: "Send", message: { kind: "Ping", nonce: 1n } });
  const payload = encodeMessage({ kind: "NewBlock", block: new Uint8Array(100 * KIB) });
  for (let i = 0; i < 2; i++) {
    harness.handler.tell({ type: "SendEncoded", kind: "NewBlock", payload });
  }
  await harness.settle();
  t.like(harness.closing(), { reason: "Timeout", detail: "the peer does not read" });
});

test("one turn takes a bounded share of what arrived", async (t) => {
  const harness = await ready();
  const turns = (): number => harness.system.figures().find(isHandler)!.handled;
  const isHandler = ({ path }: { path: string }): boolean => path === harness.handler.path;
  const before = turns();
  const [bytes] = harness.remote.bytesOf({ kind: "Pong", nonce: 2n ** 40n });
  const chunk = new Uint8Array(bytes!.length * 4_000);
  for (let at = 0; at < chunk.length; at += bytes!.length) chunk.set(bytes!, at);
  for (let i = 0; i < 10; i++) harness.connection.receive(chunk);
  harness.remote.send({ kind: "AnnounceBlock", height: 1n, hash: HASH, totalDifficulty: 1n });
  await harness.settle();
  t.true(turns() - before >= Math.floor((10 * chunk.length) / (256 * KIB + chunk.length)));
  t.true(turns() - before > 1);
  t.is(harness.incoming().length, 1);
});

test("a full router holds messages in order and stops the reading until it can take more", async (t) => {
  const harness = await ready({ routerMax: 2 });
  harness.scheduler.hold(harness.router.ref.path);
  const heights = Array.from({ length: 10 }, (_, i) => BigInt(i + 1));
  for (const height of heights) {
    harness.remote.send({ kind: "AnnounceBlock", height, hash: HASH, totalDifficulty: height });
    await harness.settle();
  }
  harness.scheduler.release(harness.router.ref.path);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ message }) => (message as { height?: bigint }).height),
    heights,
  );
});

test("requests that waited behind a full router are handed on when it can take more", async (t) => {
  const harness = await ready({ routerMax: 1 });
  harness.scheduler.hold(harness.router.ref.path);
  for (let id = 1; id <= 3; id++) harness.remote.send(requestBlock, id);
  await harness.settle();
  harness.scheduler.release(harness.router.ref.path);
  await harness.settle();
  t.deepEqual(
    harness.incoming().map(({ requestId }) => requestId),
    [1, 2, 3],
  );
});

// ---- the pool --------------------------------------------------------------------------------

function announcement(count: number, fill = 0): Message {
  const ids = Array.from({ length: count }, (_, i) => (i + fill).toString(16).padStart(64, "0"));
  return { kind: "AnnounceTransactions", ids };
}

test("a large message of many items is split in the pool", async (t) => {
  let jobs = 0;
  const base = createHarness().env.workers;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) => {
      jobs++;
      return base.decodeFrames(job);
    },
  };
  const harness = await ready({ env: { workers } });
  harness.remote.send(announcement(10));
  await harness.settle();
  t.is(jobs, 0);
  harness.remote.send(announcement(500));
  await harness.settle();
  t.is(jobs, 1);
  t.deepEqual(
    harness.incoming().map(({ message }) => message),
    [announcement(10), announcement(500)],
  );
});

test("while the pool is full large messages wait, and come when it is not", async (t) => {
  const base = createHarness().env.workers;
  let refusals = 3;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) =>
      refusals-- > 0
        ? Promise.reject(new CodedError("QUEUE_FULL", "The pool is full."))
        : base.decodeFrames(job),
  };
  const harness = await ready({ env: { workers } });
  harness.remote.send(announcement(500));
  harness.remote.send(announcement(500, 1));
  await harness.settle();
  t.is(harness.incoming().length, 0);
  t.is(refusals, 2, "the pool is left alone for a while");
  await harness.advance(100);
  t.deepEqual(
    harness.incoming().map(({ message }) => message),
    [announcement(500), announcement(500, 1)],
  );
});

test("an item list that the pool cannot split is a violation", async (t) => {
  const harness = await ready();
  const [bytes] = harness.remote.bytesOf(announcement(500));
  // The head of one of the ids says that it is shorter than it is.
  bytes![10 + 4 + 34 * 7] = 0x42;
  harness.connection.receive(bytes!);
  await harness.settle();
  t.regex(harness.blames()[0]!, /ProtocolViolation: payload: AnnounceTransactions/);
});

test("a verdict that comes after the end is not looked at", async (t) => {
  const base = createHarness().env.workers;
  let answer: () => void = () => undefined;
  const workers: WorkerPool = {
    ...base,
    decodeFrames: (job) =>
      new Promise((resolve) => (answer = () => resolve(base.decodeFrames(job)))),
  };
  const harness = await ready({ env: { workers }, connection: { post: () => undefined } });
  harness.remote.send(announcement(500));
  await harness.settle();
  harness.handler.tell({ type: "Close", reason: "Shutdown", detail: "" });
  await harness.settle();
  answer();
  await harness.settle();
  t.is(harness.incoming().length, 0);
});

test("notes of the handlers are counted in the figures", async (t) => {
  const harness = await ready();
  const notes: PeerHandlerMessage[] = [
    { type: "Note", fact: "invalid" },
    { type: "Note", fact: "duplicate" },
    { type: "Propagated", elapsedMs: 12 },
  ];
  for (const note of notes) harness.handler.tell(note);
  await harness.advance(harness.config.liveness.pingIntervalMs);
  harness.remote.pong();
  await harness.settle();
  t.like(harness.registry.of("HandlerMeasured").at(-1)?.performance, {
    invalid: 1,
    duplicates: 1,
    propagationMs: 12,
  });
});
