import test from "ava";
import { TrafficCounts } from "../../../src/protocol/session/traffic.js";
import { LocalInfo } from "../../../src/actors/peer/local-info.js";
import { peerHandler } from "../../../src/actors/peer/peer-handler.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { PingOutcome } from "../../../src/actors/peer/peer-handler-messages.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import { FrameDecoder } from "../../../src/protocol/codec/frame.js";
import { MESSAGE_KINDS, type Message } from "../../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../../src/protocol/types/node-info.js";
import { createHarness, genesis, SELF } from "../support.js";
import { FakeConnection, type FakeConnectionOptions } from "../remote-peer.js";
import { HASH, ready, requestBlock, responseBlock, start } from "./peer-bench.js";
import { fragmentBytes } from "../../support/frames.js";

// ---- handshake -------------------------------------------------------------------------------

test("it opens with a handshake that says who and what this node is", async (t) => {
  const harness = start({ config: { nodeId: "café", advertise: ["tcp://1.2.3.4:8765"] } });
  await harness.settle();
  const [first] = harness.remote.heardOf("Handshake");
  t.like(first?.message, {
    networkId: genesis.header.hash,
    agent: "test/1",
    nodeId: "café",
    listenAddresses: ["tcp://1.2.3.4:8765"],
    capabilities: [
      "limits/1",
      "blocks/1",
      "compact/1",
      "sync/1",
      "transactions/1",
      "peers/1",
      "fees/1",
      "relay/1",
      "time/1",
    ],
  });
  t.deepEqual(first?.message.head, {
    height: 0n,
    hash: genesis.header.hash,
    totalDifficulty: genesis.header.totalDifficulty,
  });
  t.is(first?.message.quotas.length, 7);
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

test("with time/1 pings tell the time both ways, without it their nonces are no time", async (t) => {
  for (const tells of [true, false]) {
    const harness = start();
    const capabilities = ["blocks/1", "sync/1", "transactions/1", ...(tells ? ["time/1"] : [])];
    harness.remote.handshake({ capabilities });
    await harness.settle();
    const wallMs = harness.clock.wallMs();
    const [ping] = harness.remote.heardOf("Ping");
    t.is(Number(ping!.message.nonce >> 16n) === wallMs, tells);
    const theirMs = BigInt(wallMs + 3_600_000);
    harness.remote.send({ kind: "Ping", nonce: theirMs << 16n });
    await harness.settle();
    const told = harness.registry.of("HandlerMeasured").at(-1)?.performance.clockEpochMs;
    const expected = wallMs + 3_600_000 - harness.clock.monotonicMs();
    t.is(told, tells ? expected : undefined);
  }
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
    t.is(harness.registry.of("HandlerClosing")[0]?.connectionId, 7);
    t.like(harness.closing(), { reason, byPeer: false });
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
    traffic: new TrafficCounts(),
    local: new LocalInfo(harness.env),
  });
  await harness.advance(999);
  t.deepEqual(registry.of("HandlerClosing"), []);
  await harness.advance(1);
  t.is(registry.of("HandlerClosing")[0]?.gone.reason, "Timeout");
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
  // The one after the handshake counts no more.
  await harness.advance(1_000);
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

test("a reason that is cut within a character is said all the same", async (t) => {
  const harness = await ready();
  harness.handler.tell({ type: "Close", reason: "Banned", detail: `odd${"🍵".repeat(60)}` });
  await harness.settle();
  t.regex(harness.remote.heardOf("Disconnect")[0]!.message.detail, /^odd🍵{38}\ufffd$/u);
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

test("the goodbye is the last frame, and what waited behind a full socket is dropped", async (t) => {
  const harness = await ready();
  harness.connection.full = true;
  const block = new Uint8Array(200_000);
  for (let i = 0; i < 8; i++)
    harness.handler.tell({ type: "Send", message: { kind: "NewBlock", block } });
  await harness.settle();
  harness.handler.tell({ type: "Close", reason: "Shutdown", detail: "the node stops" });
  harness.connection.close = () => undefined;
  const before = harness.connection.written.reduce((sum, { length }) => sum + length, 0);
  await harness.settle();
  const after = harness.connection.written.reduce((sum, { length }) => sum + length, 0);
  t.true(after - before < 100, `${after - before} bytes followed`);
  const frames: string[] = [];
  const decoder = new FrameDecoder(MESSAGE_KINDS);
  for (const chunk of harness.connection.written) {
    decoder.push(chunk, ({ kind }) => void frames.push(kind));
  }
  t.is(frames.at(-1), "Disconnect");
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

for (const roundTripMs of [0, 60, 300, 1_000]) {
  test(`a quiet peer that answers pings after ${roundTripMs} ms is kept`, async (t) => {
    const harness = await ready();
    // Its last word of its own comes somewhere between two pings.
    for (const offsetMs of [1_000, 6_000, 9_000, 14_000]) {
      await harness.advance(offsetMs);
      harness.remote.send({ kind: "Ping", nonce: 1n });
      for (let waitedMs = 0; waitedMs < 120_000; waitedMs += 500) {
        await harness.advance(500);
        const pings = harness.remote.heardOf("Ping");
        if (pings.length === 0) continue;
        await harness.advance(roundTripMs);
        for (const { message } of pings) {
          harness.remote.send({ kind: "Pong", nonce: message.nonce });
        }
      }
      t.is(harness.closing(), undefined, `its last word after ${offsetMs} ms`);
    }
  });
}

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

test("a stranger that stays silent after its goodbye is gone within half a second", async (t) => {
  const harness = start({ refusal: { reason: "Banned", detail: "this peer is banned" } });
  harness.connection.close = () => undefined;
  await harness.advance(500);
  t.true(harness.connection.destroyed);
});

test("a peer whose socket takes nothing for too long is dropped, whatever it sends", async (t) => {
  const harness = await ready();
  harness.connection.full = true;
  for (let i = 0; i < 40 && harness.closing() === undefined; i++) {
    harness.remote.send({ kind: "Ping", nonce: 1n });
    await harness.advance(1_000);
  }
  t.like(harness.closing(), { reason: "Timeout", detail: "the peer does not read" });
});

test("the first fragment of an answer that nobody asked for is a violation", async (t) => {
  const harness = await ready();
  const bytes = fragmentBytes("ResponseBlock", new Uint8Array(10), { requestId: 5, more: true });
  harness.connection.receive(bytes);
  await harness.settle();
  t.regex(harness.blames()[0]!, /request-id: an unsolicited ResponseBlock/);
});
