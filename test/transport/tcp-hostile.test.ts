// Hostile peers against the TCP transport, from both sides of the handshake: each is refused by the
// rule it broke, nothing is kept of it, and an honest peer still gets through.

import { connect as connectTcp, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { ConnectionOptions, TlsOptions, TLSSocket } from "node:tls";
import test from "ava";
import type { ExecutionContext } from "ava";

import { isCoded } from "../../src/errors.js";
import type { RefusalRule, TransportListener } from "../../src/ports.js";
import { parseAddress } from "../../src/protocol/address.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import type { PairedTransport } from "../../src/transport/paired-transport.js";
import type { TcpConfig } from "../../src/transport/tcp.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import { p256Credentials, rsaCredentials } from "./certificates.js";
import { identityOf, Inbox, Recorder, tcpTransport, TCP_CONFIG } from "./support.js";

const PEER = { key: identityOf(9).privateKeyPem, cert: identityOf(9).certificatePem };
const GOOD: ConnectionOptions = {
  host: "127.0.0.1",
  ...PEER,
  ALPNProtocols: ["vibecoin/1"],
  rejectUnauthorized: false,
};

interface Victim {
  readonly transport: PairedTransport;
  readonly inbox: Inbox;
  readonly listener: TransportListener;
  readonly port: number;
  readonly clock: VirtualClock;
  raw(): Socket;
  tls(options: ConnectionOptions): TLSSocket;
}

/** A listening transport whose clock stands still, so that only `clock.advanceBy` ends waiting. */
async function victim(t: ExecutionContext, config: Partial<TcpConfig> = {}): Promise<Victim> {
  t.timeout(60_000);
  const clock = new VirtualClock();
  const transport = createTcpTransport({
    clock,
    identity: identityOf(1),
    config: { ...TCP_CONFIG, handshake: { timeoutMs: 5_000 }, ...config },
  });
  const inbox = new Inbox();
  const listener = await transport.listen(parseAddress("tcp://127.0.0.1:0"), inbox);
  const { port } = listener.endpoint;
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await transport.close();
  });
  const track = <S extends Socket>(socket: S): S => {
    sockets.push(socket);
    return socket.on("error", () => {});
  };
  return {
    transport,
    inbox,
    listener,
    port,
    clock,
    raw: () => track(connectTcp({ host: "127.0.0.1", port })),
    tls: (options) => track(connectTls({ ...options, port })),
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function closed(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

/** An honest peer is served, and when it has gone nothing is left. */
async function servesTheHonest(t: ExecutionContext, { transport, inbox, listener }: Victim) {
  const before = inbox.connections.length;
  const honest = tcpTransport(3);
  const dialed = new Recorder(await honest.dial(listener.endpoint, { timeoutMs: 20_000 }));
  const accepted = new Recorder(await inbox.connection(before));
  dialed.connection.write(Buffer.from("honest"));
  await accepted.received(6);
  dialed.connection.close();
  await Promise.all([dialed.closed(), accepted.closed()]);
  await honest.close();
  t.deepEqual(transport.figures(), { pendingInbound: 0, pendingDials: 0, connections: 0 });
}

function refusesClient(title: string, rule: RefusalRule, options: () => ConnectionOptions): void {
  test(`an inbound peer with ${title} is refused by ${rule}`, async (t) => {
    const target = await victim(t);
    await closed(target.tls(options()));
    t.deepEqual(await target.inbox.refusal(), [rule]);
    t.like(target.inbox.refused[0]?.remote, { scheme: "tcp", host: "127.0.0.1" });
    t.is(target.inbox.connections.length, 0);
    await servesTheHonest(t, target);
  });
}

const without = (...names: (keyof ConnectionOptions)[]): ConnectionOptions => ({
  ...GOOD,
  ...Object.fromEntries(names.map((name) => [name, undefined])),
});

refusesClient("no certificate", "no-certificate", () => without("key", "cert"));
refusesClient("an RSA key", "certificate-key-type", () => ({ ...GOOD, ...rsaCredentials() }));
refusesClient("a P-256 key", "certificate-key-type", () => ({ ...GOOD, ...p256Credentials() }));
refusesClient("no ALPN", "alpn", () => without("ALPNProtocols"));
refusesClient("another ALPN", "alpn", () => ({ ...GOOD, ALPNProtocols: ["h2", "vibecoin/2"] }));
refusesClient("TLS 1.2", "tls-failed", () => ({
  ...GOOD,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
}));

test("an inbound peer that offers an earlier session gets a full handshake", async (t) => {
  const target = await victim(t);
  const first = target.tls(GOOD);
  // OpenSSL hands out tickets in any case; they must lead nowhere.
  const session = await new Promise<Buffer>((resolve) => first.once("session", resolve));
  const accepted = new Recorder(await target.inbox.connection());
  first.destroy();
  await accepted.closed();
  const second = target.tls({ ...GOOD, session });
  await new Promise((resolve) => second.once("secureConnect", resolve));
  t.false(second.isSessionReused());
  const again = await target.inbox.connection(1);
  t.is(again.peerId, identityOf(9).peerId);
  new Recorder(again).connection.destroy();
  await closed(second);
  await servesTheHonest(t, target);
});

test("garbage instead of a handshake is refused by tls-failed", async (t) => {
  const target = await victim(t);
  const socket = target.raw();
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await closed(socket);
  t.deepEqual(await target.inbox.refusal(), ["tls-failed"]);
  await servesTheHonest(t, target);
});

test("a peer that leaves during its handshake is refused by tls-failed", async (t) => {
  const target = await victim(t);
  target.raw().end();
  await target.inbox.refusal(1);
  const socket = target.raw();
  await until(() => target.transport.figures().pendingInbound === 1);
  socket.resetAndDestroy();
  t.deepEqual(await target.inbox.refusal(2), ["tls-failed", "tls-failed"]);
  await servesTheHonest(t, target);
});

test("a silent socket is closed at the deadline and not before", async (t) => {
  const target = await victim(t);
  const socket = target.raw();
  await until(() => target.transport.figures().pendingInbound === 1);
  target.clock.advanceBy(4_999);
  t.deepEqual(target.inbox.refused, []);
  target.clock.advanceBy(1);
  t.deepEqual(
    target.inbox.refused.map(({ rule }) => rule),
    ["handshake-timeout"],
  );
  await closed(socket);
  await servesTheHonest(t, target);
});

test("one byte a second does not move the deadline", async (t) => {
  const target = await victim(t);
  const socket = target.raw();
  // The start of a handshake record that announces 512 bytes.
  const start = Buffer.from("1603010200010001fc0303", "hex");
  for (const byte of start.subarray(0, 5)) {
    socket.write(Buffer.of(byte));
    await until(() => socket.bytesWritten > 0 && socket.writableLength === 0);
    await until(() => target.transport.figures().pendingInbound === 1);
    t.deepEqual(target.inbox.refused, []);
    target.clock.advanceBy(1_000);
  }
  t.deepEqual(
    target.inbox.refused.map(({ rule }) => rule),
    ["handshake-timeout"],
  );
  await closed(socket);
  await servesTheHonest(t, target);
});

test("of more handshakes than may be pending the oldest that said nothing gives way", async (t) => {
  const inbound = { ...TCP_CONFIG.inbound, pendingMax: 3 };
  const target = await victim(t, { inbound });
  const first = [target.raw(), target.raw(), target.raw()];
  await until(() => target.transport.figures().pendingInbound === 3);
  const late = Array.from({ length: 20 }, () => target.raw());
  await Promise.all(first.map(closed));
  await target.inbox.refusal(20);
  t.deepEqual(new Set(await target.inbox.refusal(20)), new Set(["pending-limit"]));
  t.is(target.transport.figures().pendingInbound, 3);
  const honest = target.tls(GOOD);
  new Recorder(await target.inbox.connection()).connection.destroy();
  await closed(honest);
  target.clock.advanceBy(5_000);
  await Promise.all(late.map(closed));
  await servesTheHonest(t, target);
});

test("a hundred mute connections of one address keep no peer of that address out", async (t) => {
  const target = await victim(t);
  const mute = Array.from({ length: 100 }, () => target.raw());
  await target.inbox.refusal(100 - TCP_CONFIG.inbound.pendingMax);
  const honest = tcpTransport(3);
  t.teardown(() => honest.close());
  await honest.dial(target.listener.endpoint, { timeoutMs: 20_000 });
  new Recorder(await target.inbox.connection()).connection.destroy();
  for (const socket of mute) socket.destroy();
  await until(() => target.transport.figures().pendingInbound === 0);
  await servesTheHonest(t, target);
});

test("an address that connects too often is refused by address-rate", async (t) => {
  const inbound = { ...TCP_CONFIG.inbound, exemptLocal: false };
  const target = await victim(t, { inbound });
  const sockets = Array.from({ length: 12 }, () => target.raw());
  const rules = await target.inbox.refusal(8);
  t.is(rules.filter((rule) => rule === "address-rate").length, 7);
  t.is(
    rules.filter((rule) => rule === "pending-limit").length,
    1,
    "of its group, four are pending",
  );
  t.is(target.transport.figures().pendingInbound, 4);
  for (const socket of sockets) socket.destroy();
  await until(() => target.transport.figures().pendingInbound === 0);
  target.clock.advanceBy(1_000);
  await servesTheHonest(t, target);
});

test("closing the listener ends the handshakes in progress", async (t) => {
  const target = await victim(t);
  const socket = target.raw();
  await until(() => target.transport.figures().pendingInbound === 1);
  await target.listener.close();
  await closed(socket);
  t.is(target.transport.figures().pendingInbound, 0);
  await target.transport.close();
  t.deepEqual(target.inbox.refused, [], "it broke no rule");
});

test("garbage after the handshake ends that connection with an error", async (t) => {
  const target = await victim(t);
  const proxy = await startProxy(t, target.port);
  const honest = tcpTransport(3);
  t.teardown(() => honest.close());
  const address = `tcp://127.0.0.1:${proxy.port}`;
  const dialed = new Recorder(await honest.dial(parseAddress(address), { timeoutMs: 20_000 }));
  const accepted = new Recorder(await target.inbox.connection());
  dialed.connection.write(Buffer.from("ok"));
  await accepted.received(2);
  proxy.toServer(Buffer.from("this is no TLS record at all"));
  await Promise.all([accepted.closed(), dialed.closed()]);
  t.true(accepted.error instanceof Error);
  t.is(accepted.closes, 1);

  const second = new Recorder(await honest.dial(parseAddress(address), { timeoutMs: 20_000 }));
  const other = new Recorder(await target.inbox.connection(1));
  proxy.toClient(Buffer.from("this is no TLS record at all"));
  await Promise.all([second.closed(), other.closed()]);
  t.true(second.error instanceof Error);
  await servesTheHonest(t, target);
});

/** Passes bytes both ways and slips in others. */
async function startProxy(t: ExecutionContext, port: number) {
  let near: Socket | undefined;
  let far: Socket | undefined;
  const server = createServer((socket) => {
    near = socket.on("error", () => {});
    far = connectTcp({ host: "127.0.0.1", port }).on("error", () => {});
    socket.pipe(far).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    near?.destroy();
    far?.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    toServer: (bytes: Buffer) => far?.write(bytes),
    toClient: (bytes: Buffer) => near?.write(bytes),
  };
}

function refusesServer(title: string, rule: RefusalRule, options: () => TlsOptions): void {
  test(`a dialed peer with ${title} is refused by ${rule}`, async (t) => {
    const server = createTlsServer({ ...PEER, ALPNProtocols: ["vibecoin/1"], ...options() });
    server.on("tlsClientError", () => {});
    server.on("secureConnection", (socket) => socket.on("error", () => {}));
    const address = await listening(t, server);
    const dialer = tcpTransport(3);
    t.teardown(() => dialer.close());
    const error = await t.throwsAsync(dialer.dial(parseAddress(address), { timeoutMs: 20_000 }));
    t.true(isCoded(error, "DIAL_FAILED"));
    t.true(
      error?.message.includes(address) && error.message.includes(`: ${rule} (`),
      error?.message,
    );
    t.deepEqual(dialer.figures(), { pendingInbound: 0, pendingDials: 0, connections: 0 });
  });
}

async function listening(t: ExecutionContext, server: ReturnType<typeof createServer>) {
  t.timeout(60_000);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

refusesServer("an RSA key", "certificate-key-type", () => rsaCredentials());
refusesServer("a P-256 key", "certificate-key-type", () => p256Credentials());
refusesServer("no ALPN", "alpn", () => ({ ALPNProtocols: undefined }));
refusesServer("another ALPN", "alpn", () => ({ ALPNProtocols: ["h2"] }));
refusesServer("TLS 1.2", "tls-failed", () => ({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }));

test("a dialed peer that answers with garbage or hangs up is refused by tls-failed", async (t) => {
  const dialer = tcpTransport(3);
  t.teardown(() => dialer.close());
  const answers = [
    createServer((socket) => void socket.write("220 mail.example ESMTP\r\n")),
    createServer((socket) => void socket.once("data", () => socket.end())),
    createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())),
  ];
  for (const server of answers) {
    const address = await listening(t, server);
    const error = await t.throwsAsync(dialer.dial(parseAddress(address), { timeoutMs: 20_000 }));
    t.regex(error?.message ?? "", /: tls-failed \(/);
  }
  t.deepEqual(dialer.figures(), { pendingInbound: 0, pendingDials: 0, connections: 0 });
});

test("a dial never resumes a session, even with a server that gives tickets", async (t) => {
  const reused: boolean[] = [];
  const server = createTlsServer({ ...PEER, ALPNProtocols: ["vibecoin/1"] }, (socket) => {
    reused.push(socket.isSessionReused());
    socket.on("error", () => {});
    socket.write("x");
  });
  const address = await listening(t, server);
  const dialer = tcpTransport(3);
  t.teardown(() => dialer.close());
  for (let i = 0; i < 2; i++) {
    const recorder = new Recorder(await dialer.dial(parseAddress(address), { timeoutMs: 20_000 }));
    await recorder.received(1);
    recorder.connection.destroy();
    await recorder.closed();
  }
  t.deepEqual(reused, [false, false]);
});
