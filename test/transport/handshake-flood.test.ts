// Whoever connects and is no peer, at the wire: it makes no work that it does not do itself, and
// where it does, it waits for its own kind. Time stands still but where a test moves it.

import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import test, { type ExecutionContext } from "ava";

import { parseAddress } from "../../src/protocol/address.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import type { RawDuplex } from "../../src/transport/carrier.js";
import type { Channel } from "../../src/transport/channel.js";
import type { Admission } from "../../src/transport/paired-transport.js";
import { pairTransport } from "../../src/transport/paired-transport.js";
import { createTcpCarrier } from "../../src/transport/tcp-carrier.js";
import { createTlsChannel } from "../../src/transport/tls-channel.js";
import { identityOf, Inbox, Recorder, TCP_CONFIG } from "./support.js";

const PEER = { key: identityOf(9).privateKeyPem, cert: identityOf(9).certificatePem };

/**
 * Real TLS over real TCP on a clock that stands still. `spoken` and `begun`: who said what a peer says
 * first, and whose handshake was begun, by host.
 */
async function victim(t: ExecutionContext, admission: Partial<Admission> = {}) {
  t.timeout(60_000);
  const clock = new VirtualClock();
  const limits = { clock, bufferBytesMax: 65_536, closeTimeoutMs: 2_000 };
  const tls = createTlsChannel({ ...limits, identity: identityOf(1), tls: TCP_CONFIG.tls });
  const spoken: string[] = [];
  const begun: string[] = [];
  const channel: Channel<RawDuplex> = {
    watch: (raw, bytesMax, knocking) =>
      tls.watch!(raw, bytesMax, {
        ...knocking,
        onKnocked() {
          spoken.push(raw.remote.host);
          knocking.onKnocked();
        },
      }),
    secure(raw, securing) {
      begun.push(raw.remote.host);
      return tls.secure(raw, securing);
    },
  };
  const transport = pairTransport({
    clock,
    carrier: createTcpCarrier({ clock }),
    channel,
    admission: {
      limits: { ...TCP_CONFIG.inbound, exemptLocal: false, perAddressPerSecond: 1_000 },
      timeoutMs: 5_000,
      bytesMax: 4_096,
      perSecond: 1_000,
      ...admission,
    },
  });
  const inbox = new Inbox();
  const { endpoint } = await transport.listen(parseAddress("tcp://127.0.0.1:0"), inbox);
  const { port } = endpoint;
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await transport.close();
  });
  const track = <S extends Socket>(socket: S): S => {
    sockets.push(socket);
    return socket.on("error", () => undefined);
  };
  return {
    clock,
    inbox,
    transport,
    spoken,
    begun,
    raw: (localAddress = "127.0.0.1") => track(connect({ host: "127.0.0.1", port, localAddress })),
    honest: (localAddress: string) => {
      const to = connect({ host: "127.0.0.1", port, localAddress });
      const offer = { ...PEER, ALPNProtocols: ["vibecoin/1"], rejectUnauthorized: false };
      return track(connectTls({ socket: track(to), ...offer }));
    },
  };
}

/** What a peer's TLS says first, to be said again and again. */
async function recordedHello(t: ExecutionContext): Promise<Buffer> {
  let hello = Buffer.alloc(0);
  const server = createServer((incoming) => {
    incoming
      .on("error", () => undefined)
      .on("data", (chunk) => {
        hello = Buffer.concat([hello, chunk]);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const offer = { ...PEER, ALPNProtocols: ["vibecoin/1"], rejectUnauthorized: false };
  const dialing = connectTls({ host: "127.0.0.1", port, ...offer }).on("error", () => undefined);
  await until(() => hello.length >= 5 && hello.length >= 5 + hello.readUInt16BE(3));
  dialing.destroy();
  return hello;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("silence, garbage and a byte at a time begin no handshake", async (t) => {
  const target = await victim(t);
  const garbage = [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(4_000, 22), Buffer.of(0)];
  for (const bytes of garbage) target.raw("127.1.0.1").write(bytes);
  t.deepEqual(new Set(await target.inbox.refusal(3)), new Set(["tls-failed"]));
  target.raw("127.2.0.1");
  const slow = target.raw("127.3.0.1");
  for (const byte of Buffer.from("1603010200", "hex")) {
    await new Promise<void>((resolve) => slow.write(Buffer.of(byte), () => resolve()));
    await until(() => target.transport.figures().pendingInbound === 2);
    target.clock.advanceBy(1_000);
  }
  t.deepEqual((await target.inbox.refusal(5)).slice(3), ["handshake-timeout", "handshake-timeout"]);
  t.deepEqual(target.begun, []);
  target.honest("127.4.0.1");
  new Recorder(await target.inbox.connection()).connection.destroy();
  t.deepEqual(target.begun, ["127.4.0.1"]);
});

test("an old first message that is said again and again has so many turns, and others have theirs", async (t) => {
  const hello = await recordedHello(t);
  const target = await victim(t, { perSecond: 8 });
  const flood = (i: number): Socket => target.raw(`127.${1 + (i % 2)}.${i}.1`);
  for (let i = 0; i < 100; i++) flood(i).write(hello);
  // Two after a rest; the others wait, and of those the oldest give way.
  await target.inbox.refusal(100 - TCP_CONFIG.inbound.pendingMax);
  t.is(target.begun.length, 2);
  target.honest("127.9.0.1");
  await until(() => target.spoken.includes("127.9.0.1"));
  for (let turns = 0; turns < 3; turns++) target.clock.advanceBy(125);
  t.true(target.begun.includes("127.9.0.1"));
  t.is(target.begun.length, 5);
  new Recorder(await target.inbox.connection()).connection.destroy();
});

test("raw connections of one group have few places, whatever they say", async (t) => {
  const target = await victim(t);
  for (let i = 1; i <= 20; i++) target.raw(`127.1.1.${i}`);
  const rules = await target.inbox.refusal(16);
  t.deepEqual(new Set(rules), new Set(["pending-limit"]));
  t.is(target.transport.figures().pendingInbound, TCP_CONFIG.inbound.perGroupMax);
});

test("of those that come and go, however they go, no timer, place or socket is left", async (t) => {
  const hello = await recordedHello(t);
  const target = await victim(t, { perSecond: 20, timeoutMs: 1e9 });
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const before = sockets();
  const gone = async (socket: Socket): Promise<void> => {
    if (!socket.closed)
      await new Promise<void>((resolve) => socket.resume().once("close", resolve));
  };
  for (let i = 0; i < 120; i++) {
    const host = `127.${1 + (i % 3)}.${i}.1`;
    const socket = target.raw(host);
    if (i % 4 === 0) socket.once("connect", () => socket.resetAndDestroy());
    else if (i % 4 === 1) socket.end(hello.subarray(0, i));
    else if (i % 4 === 2) socket.write("garbage");
    else socket.write(hello, () => socket.resetAndDestroy());
    await gone(socket);
    if (i % 10 > 0) continue;
    const peer = target.honest(`127.200.${i}.1`);
    await until(() => target.inbox.connections.length > i / 10 || advance(target));
    new Recorder(await target.inbox.connection(i / 10)).connection.destroy();
    await gone(peer);
  }
  const isEmpty = (): boolean =>
    Object.values(target.transport.figures()).every((count) => count === 0);
  // Whose first message waits for its turn is not read: that it left shows then.
  await until(() => isEmpty() || advance(target));
  t.is(target.inbox.connections.length, 12);
  t.is(target.clock.nextAtMs, undefined, "no timer");
  await until(() => sockets() <= before);
  t.pass();
});

/** A handshake has its turn. */
function advance({ clock }: { readonly clock: VirtualClock }): false {
  clock.advanceBy(50);
  return false;
}
