// What all pairs of a carrier and a channel have in common: the contract, with one of the two a toy,
// and what a stream must pass before anybody is known.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";

import type { Connection, ListenHandler } from "../../src/ports.js";
import { parseAddress, type Endpoint } from "../../src/protocol/address.js";
import { systemClock } from "../../src/runtime/clock.js";
import type { CarrierListener, RawDuplex } from "../../src/transport/carrier.js";
import type { Channel } from "../../src/transport/channel.js";
import {
  pairTransport,
  type Admission,
  type PairedTransport,
} from "../../src/transport/paired-transport.js";
import { createTcpCarrier } from "../../src/transport/tcp-carrier.js";
import { createTlsChannel } from "../../src/transport/tls-channel.js";
import { transportContract } from "./contract.js";
import { identityOf, Inbox, PEER_A, PEER_B, Recorder, TCP_CONFIG } from "./support.js";
import { pipeCarrier, plainChannel } from "./toys.js";

const LIMITS = { clock: systemClock, bufferBytesMax: 256 * 1024, closeTimeoutMs: 2_000 };
const ADMISSION: Admission = {
  limits: TCP_CONFIG.inbound,
  timeoutMs: 20_000,
  bytesMax: 4_096,
  perSecond: 1_000,
};
const ANYWHERE = parseAddress("tcp://127.0.0.1:0");

function liveCount(...transports: readonly PairedTransport[]): number {
  const figures = transports.flatMap((transport) => Object.values(transport.figures()) as number[]);
  return figures.reduce((sum, count) => sum + count, 0);
}

function plainOverTcp(own: string, admission: Partial<Admission> = {}): PairedTransport {
  return pairTransport({
    clock: systemClock,
    carrier: createTcpCarrier({ clock: systemClock }),
    channel: plainChannel(own, LIMITS),
    admission: { ...ADMISSION, ...admission },
  });
}

transportContract("a plain channel over TCP", (t) => {
  const [server, client] = [plainOverTcp(PEER_A), plainOverTcp(PEER_B)];
  return {
    server,
    client,
    serverId: PEER_A,
    clientId: PEER_B,
    anywhere: ANYWHERE,
    nobody: parseAddress("tcp://127.0.0.1:9"),
    silent: () => silent(t),
    liveCount: () => liveCount(server, client),
  };
});

transportContract("TLS over a carrier of its own", () => {
  const bound = new Map<number, CarrierListener<RawDuplex>>();
  const carrier = pipeCarrier("here", systemClock, bound);
  const over = (seedByte: number): PairedTransport => {
    const identity = identityOf(seedByte);
    const channel = createTlsChannel({ ...LIMITS, identity, tls: TCP_CONFIG.tls });
    return pairTransport({ clock: systemClock, carrier, channel, admission: ADMISSION });
  };
  const [server, client] = [over(1), over(2)];
  return {
    server,
    client,
    serverId: identityOf(1).peerId,
    clientId: identityOf(2).peerId,
    anywhere: parseAddress("pipe://here:0"),
    nobody: parseAddress("pipe://here:9"),
    silent: async () => {
      const anywhere = parseAddress("pipe://here:0");
      const keep = { onStream: () => undefined, onLost: () => undefined };
      return (await carrier.bind(anywhere, keep)).endpoint;
    },
    liveCount: () => liveCount(server, client),
  };
});

/** Somebody who accepts over TCP and says nothing. */
async function silent(t: ExecutionContext): Promise<Endpoint> {
  const sockets: RawDuplex[] = [];
  const listener = await createTcpCarrier({ clock: systemClock }).bind(ANYWHERE, {
    onStream: (raw) => sockets.push(raw),
    onLost: () => undefined,
  });
  t.teardown(async () => {
    for (const raw of sockets) raw.refuse();
    await listener.close();
  });
  return listener.endpoint;
}

interface Victim {
  readonly inbox: Inbox;
  readonly endpoint: Endpoint;
  readonly transport: PairedTransport;
  /** A raw connection to it. */
  raw(): Promise<Socket>;
}

async function victim(
  t: ExecutionContext,
  admission: Partial<Admission> = {},
  transport = plainOverTcp(PEER_A, admission),
  handler?: (inbox: Inbox) => ListenHandler,
): Promise<Victim> {
  t.timeout(60_000);
  const inbox = new Inbox();
  const { endpoint } = await transport.listen(ANYWHERE, handler?.(inbox) ?? inbox);
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await transport.close();
  });
  return {
    inbox,
    endpoint,
    transport,
    async raw() {
      const socket = connect(endpoint.port, endpoint.host).on("error", () => undefined);
      sockets.push(socket);
      // One that is refused at once may hear of its end first.
      await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
      return socket;
    },
  };
}

/** An honest peer gets in, and what it says arrives. */
async function letsIn(t: ExecutionContext, { inbox, endpoint }: Victim, index = 0): Promise<void> {
  const honest = plainOverTcp(PEER_B);
  t.teardown(() => honest.close());
  const dialed = await honest.dial(endpoint, { timeoutMs: 20_000 });
  const accepted = new Recorder(await inbox.connection(index));
  dialed.write(Buffer.from("hello"));
  await accepted.received(5);
  t.is(accepted.text(), "hello");
}

test("whatever the channel, a peer that says nothing is refused at its deadline", async (t) => {
  const target = await victim(t, { timeoutMs: 50 });
  await target.raw();
  await target.inbox.refusal();
  await target.transport.close();
  t.is(liveCount(target.transport), 0);
  t.deepEqual(await target.inbox.refusal(), ["handshake-timeout"], "told once");
});

test("whatever the channel, only so many bytes are worked on before it is secured", async (t) => {
  const target = await victim(t, { bytesMax: 100 });
  (await target.raw()).write("a".repeat(101));
  t.deepEqual(await target.inbox.refusal(), ["handshake-size"]);
  await letsIn(t, target);
});

test("whatever the channel, of too many that are pending the oldest goes, and only so many come a second", async (t) => {
  const limits = { ...TCP_CONFIG.inbound, pendingMax: 1 };
  const full = await victim(t, { limits });
  await full.raw();
  await full.raw();
  t.deepEqual(await full.inbox.refusal(), ["pending-limit"]);
  await letsIn(t, full);
  t.deepEqual(await full.inbox.refusal(2), ["pending-limit", "pending-limit"]);

  const often = await victim(t, {
    limits: { ...TCP_CONFIG.inbound, perAddressPerSecond: 1, exemptLocal: false },
  });
  for (let i = 0; i < 8; i++) await often.raw();
  t.true((await often.inbox.refusal(6)).includes("address-rate"));
});

test("a channel that throws costs the stream that it was given, and says so", async (t) => {
  const plain = plainChannel(PEER_A, LIMITS);
  let calls = 0;
  const channel: Channel<RawDuplex> = {
    secure(raw, securing) {
      if (++calls === 1) throw new Error("a certificate of an odd kind");
      return plain.secure(raw, securing);
    },
  };
  const carrier = createTcpCarrier({ clock: systemClock });
  const transport = pairTransport({ clock: systemClock, carrier, channel, admission: ADMISSION });
  const target = await victim(t, {}, transport);
  await target.raw();
  await target.inbox.refusal();
  t.like(target.inbox.refused, [{ rule: "own-fault", detail: "a certificate of an odd kind" }]);
  t.is(liveCount(transport), 0);
  await letsIn(t, target);
});

test("a handler that throws costs the connection that it was given", async (t) => {
  let taken = 0;
  const target = await victim(t, {}, undefined, (inbox) => ({
    onConnection(connection: Connection) {
      if (++taken === 1) throw new Error("no room");
      inbox.onConnection(connection);
    },
    onRefused(refusal) {
      inbox.onRefused(refusal);
      throw new Error("nobody wants to know");
    },
  }));
  const socket = await target.raw();
  socket.write(`${PEER_B}\n`);
  await once(socket.resume(), "close");
  t.deepEqual(await target.inbox.refusal(), ["own-fault"]);
  t.is(liveCount(target.transport), 0);
  await letsIn(t, target);
});
