import test from "ava";
import {
  dialer,
  type DialerMessage,
  type DialOutcome,
  type DialStatus,
} from "../../../src/actors/service/dialer.js";
import type { PeerTableEvent, RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import { CodedError } from "../../../src/errors.js";
import type { Connection, DialOptions, Transport } from "../../../src/ports.js";
import { formatAddress, type Endpoint } from "../../../src/protocol/address.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, peerIdOf, refusing, SELF, type HarnessOptions } from "../support.js";
import { FakeConnection, handshakeOf } from "../remote-peer.js";

interface Dial {
  readonly address: string;
  readonly options: DialOptions;
  resolve(connection: Connection): void;
  reject(error: Error): void;
}

class FakeTransport implements Transport {
  readonly scheme = "tcp";
  /** Under way, the oldest first. */
  readonly dials: Dial[] = [];

  dial(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
    const address = formatAddress(endpoint);
    return new Promise((resolve, reject) => this.dials.push({ address, options, resolve, reject }));
  }

  listen(): never {
    throw new Error("not here");
  }

  async close(): Promise<void> {}
}

type Gone = Partial<Extract<PeerTableEvent, { type: "PeerGone" }>>;

function start(config: HarnessOptions["config"] = {}, registryRef?: ActorRef<RegistryMessage>) {
  const transport = new FakeTransport();
  const transports = new Map<string, Transport>([["tcp", transport]]);
  const harness = createHarness({ config, env: { transports } });
  const registry = harness.probe<RegistryMessage>();
  const ref: ActorRef<DialerMessage> = harness.spawn(dialer, {
    registry: registryRef ?? registry.ref,
  });
  const dials = (): string[] => transport.dials.map(({ address }) => address);
  return {
    ...harness,
    transport,
    registry,
    ref,
    dials,
    /** The oldest dial succeeds, and the peer at its end is ready. */
    async succeed(peerId = peerIdOf(1)): Promise<FakeConnection> {
      const dial = transport.dials.shift()!;
      const connection = new FakeConnection({ peerId, direction: "outbound" });
      dial.resolve(connection);
      await harness.settle();
      return connection;
    },
    async fail(): Promise<void> {
      transport.dials.shift()!.reject(new CodedError("DIAL_FAILED", "refused"));
      await harness.settle();
    },
    ready(peerId: string, dialed?: string): void {
      const info = handshakeOf();
      ref.tell({
        type: "PeerReady",
        peerId,
        handler: refusing<PeerHandlerMessage>(),
        direction: dialed === undefined ? "inbound" : "outbound",
        address: "tcp://127.0.0.1:1",
        ...(dialed === undefined ? {} : { dialed }),
        info,
        head: { claimed: info.head },
        capabilities: new Set(),
      });
    },
    gone(peerId: string, dialed: string | undefined, more: Gone = {}): void {
      ref.tell({
        type: "PeerGone",
        peerId,
        direction: "outbound",
        ...(dialed === undefined ? {} : { dialed }),
        wasReady: true,
        readyForMs: 0,
        reason: "Closed",
        detail: "",
        byPeer: false,
        ...more,
      });
    },
  };
}

const seeds = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `tcp://10.0.0.${i + 1}:8765`);

test("it dials the seeds until the outbound slots are filled", async (t) => {
  const harness = start({ seedPeers: seeds(5), maxOutbound: 3 });
  await harness.advance(0);
  t.deepEqual(harness.dials(), seeds(3));
  t.like(harness.registry.received[0], { type: "Subscribe" });
  t.is(harness.transport.dials[0]?.options.timeoutMs, harness.config.dial.timeoutMs);
});

test("addresses are known by their one form: a bare host and port means tcp", async (t) => {
  const harness = start({ seedPeers: ["10.0.0.1:8765", "tcp://10.0.0.1:8765"] });
  await harness.advance(0);
  t.deepEqual(harness.dials(), ["tcp://10.0.0.1:8765"]);
});

test("an identity that the address pins is asked of the transport", async (t) => {
  const harness = start({ seedPeers: [`tcp://${peerIdOf(9)}@10.0.0.1:8765`] });
  await harness.advance(0);
  t.deepEqual(harness.dials(), [`tcp://${peerIdOf(9)}@10.0.0.1:8765`]);
});

test("no more dials run at once than the configuration allows", async (t) => {
  const harness = start({ seedPeers: seeds(5), dial: { concurrentMax: 2 } });
  await harness.advance(0);
  t.is(harness.transport.dials.length, 2);
  await harness.fail();
  t.deepEqual(harness.dials(), [seeds(5)[1]!, seeds(5)[2]!]);
});

test("a connection goes to the registry with the address as it was dialed", async (t) => {
  const harness = start({ seedPeers: seeds(1) });
  await harness.advance(0);
  const connection = await harness.succeed();
  const [connected] = harness.registry.of("Connected");
  t.is(connected?.connection, connection);
  t.is(connected?.dialed, seeds(1)[0]);
});

test("a connection that the registry cannot take is closed and dialed again later", async (t) => {
  const harness = start({ seedPeers: seeds(1) }, refusing<RegistryMessage>());
  await harness.advance(0);
  const connection = await harness.succeed();
  t.true(connection.destroyed);
  t.is(harness.transport.dials.length, 0);
  await harness.advance(3_000);
  t.is(harness.transport.dials.length, 1);
});

test("a failed dial is repeated after growing pauses, and another address takes its slot", async (t) => {
  const harness = start({ seedPeers: seeds(2), maxOutbound: 1 });
  await harness.advance(0);
  await harness.fail();
  t.deepEqual(harness.dials(), [seeds(2)[1]!]);
  await harness.fail();
  t.deepEqual(harness.dials(), []);
  const pauses: number[] = [];
  for (let i = 0; i < 8; i++) {
    const fromMs = harness.clock.monotonicMs();
    while (harness.transport.dials.length === 0) await harness.advance(100);
    pauses.push(harness.clock.monotonicMs() - fromMs);
    await harness.fail();
  }
  t.true(pauses.every((pauseMs) => pauseMs <= harness.config.dial.backoffMaxMs + 1_100));
  t.true(pauses.at(-1)! + pauses.at(-2)! > pauses[0]! + pauses[1]!);
  t.true(harness.log.some(({ event }) => event === "dial failed"));
});

test("there is no transport for some addresses", async (t) => {
  const harness = start({ seedPeers: ["memory://node:1"] });
  await harness.advance(0);
  t.regex(
    String(harness.log.find(({ event }) => event === "dial failed")?.fields.reason),
    /no transport/,
  );
});

test("an address whose peer is connected already, from either side, is not dialed", async (t) => {
  const harness = start({ seedPeers: seeds(1) });
  await harness.advance(0);
  await harness.succeed(peerIdOf(1));
  harness.ready(peerIdOf(1));
  harness.gone(peerIdOf(1), seeds(1)[0], { wasReady: false, reason: "DuplicateConnection" });
  await harness.advance(600_000);
  t.deepEqual(harness.dials(), []);
  harness.gone(peerIdOf(1), undefined);
  await harness.advance(3_000);
  t.deepEqual(harness.dials(), seeds(1));
});

test("our own address is never dialed again", async (t) => {
  const harness = start({ seedPeers: seeds(2) });
  await harness.advance(0);
  await harness.succeed(SELF);
  await harness.succeed(peerIdOf(2));
  harness.gone(SELF, seeds(2)[0], { wasReady: false, reason: "SelfConnection" });
  harness.gone(peerIdOf(2), seeds(2)[1], { wasReady: false, reason: "SelfConnection" });
  await harness.advance(3_600_000);
  t.deepEqual(harness.dials(), []);
});

test("our own address gives its slot back", async (t) => {
  const harness = start({ seedPeers: seeds(2), maxOutbound: 1 });
  await harness.advance(0);
  await harness.succeed(SELF);
  harness.gone(SELF, seeds(2)[0], { wasReady: false, reason: "SelfConnection" });
  await harness.settle();
  t.deepEqual(harness.dials(), [seeds(2)[1]!]);
});

test("a peer that is full, or has us twice, does not make the pauses grow", async (t) => {
  for (const reason of ["TooManyConnections", "DuplicateConnection"] as const) {
    const harness = start({ seedPeers: seeds(1) });
    await harness.advance(0);
    for (let i = 0; i < 10; i++) {
      await harness.succeed();
      harness.gone(peerIdOf(1), seeds(1)[0], { wasReady: false, reason });
      await harness.advance(2_100);
      t.is(harness.transport.dials.length, 1, `${reason} ${i}`);
    }
  }
});

test("a connection that was stable starts the pauses anew, a short one does not", async (t) => {
  const harness = start({ seedPeers: seeds(1) });
  await harness.advance(0);
  for (let i = 0; i < 12; i++) {
    await harness.succeed();
    harness.gone(peerIdOf(1), seeds(1)[0], { readyForMs: 59_999 });
    while (harness.transport.dials.length === 0) await harness.advance(1_000);
  }
  await harness.succeed();
  harness.gone(peerIdOf(1), seeds(1)[0], { readyForMs: 60_000 });
  await harness.advance(3_100);
  t.is(harness.transport.dials.length, 1);
});

test("addresses that come later are dialed too", async (t) => {
  const harness = start();
  await harness.advance(0);
  harness.ref.tell({ type: "AddAddresses", addresses: seeds(1) });
  await harness.settle();
  t.deepEqual(harness.dials(), seeds(1));
});

test("after a stop nothing is dialed, and what still connects is closed", async (t) => {
  const harness = start({ seedPeers: seeds(2), maxOutbound: 2 });
  await harness.advance(0);
  harness.ref.tell({ type: "Stop" });
  await harness.settle();
  const connection = await harness.succeed();
  t.true(connection.destroyed);
  await harness.fail();
  harness.ref.tell({ type: "AddAddresses", addresses: seeds(9) });
  await harness.advance(3_600_000);
  t.deepEqual(harness.dials(), []);
  t.is(harness.registry.of("Connected").length, 0);
});

test("after a restart it does not dial whom the registry says it is connected to", async (t) => {
  const harness = start({ seedPeers: seeds(2) });
  harness.expectFault(harness.ref);
  await harness.advance(0);
  await harness.succeed(peerIdOf(1));
  await harness.fail();
  // An address that cannot be parsed is its sender's mistake.
  harness.ref.tell({ type: "AddAddresses", addresses: ["nonsense"] });
  await harness.settle();
  while (harness.registry.of("Subscribe").length < 2) {
    harness.clock.advanceToNext();
    await harness.settle();
  }
  harness.ready(peerIdOf(1), seeds(2)[0]);
  await harness.advance(0);
  t.deepEqual(harness.dials(), [seeds(2)[1]!]);
});

test("a node without a peer dials again within a minute, and says so", async (t) => {
  const harness = start({ seedPeers: seeds(1) });
  const answers = harness.probe<DialStatus>();
  const asked = async (): Promise<DialStatus | undefined> => {
    harness.ref.tell({ type: "GetDialStatus", replyTo: answers.ref });
    await harness.settle();
    return answers.last;
  };
  await harness.advance(0);
  t.is((await asked())?.waitingFor, "a peer (none for 0 s; 1 being dialed)");
  let longestMs = 0;
  for (let i = 0; i < 40; i++) {
    await harness.fail();
    const fromMs = harness.clock.monotonicMs();
    while (harness.transport.dials.length === 0) await harness.advance(500);
    longestMs = Math.max(longestMs, harness.clock.monotonicMs() - fromMs);
  }
  t.true(longestMs <= 60_000, `${longestMs} ms`);
  const warnings = harness.log.filter(({ event }) => event === "there is no peer");
  t.true(warnings.length > 5);
  t.true(warnings.every(({ level }) => level === "warn"));
  t.like(warnings.at(-1)?.fields, { next: seeds(1)[0], reason: "refused" });
  t.is(typeof warnings.at(-1)?.fields.nextTrySeconds, "number");
  await harness.fail();
  const sentence = /^a peer \(none for \d+ s; tcp:\S+ failed 41 times, next try in \d+ s\)$/;
  t.regex((await asked())!.waitingFor!, sentence);
  while (harness.transport.dials.length === 0) await harness.advance(500);
  await harness.succeed();
  harness.ready(peerIdOf(1), seeds(1)[0]);
  t.is((await asked())?.waitingFor, null);
});

test("when the last peer goes, seeds that were down for hours are dialed within a minute", async (t) => {
  const harness = start({ seedPeers: seeds(2) });
  await harness.advance(0);
  await harness.succeed(peerIdOf(1));
  harness.ready(peerIdOf(1), seeds(2)[0]);
  for (let i = 0; i < 20; i++) {
    await harness.fail();
    while (harness.transport.dials.length === 0) await harness.advance(1_000);
  }
  await harness.fail();
  harness.gone(peerIdOf(1), seeds(2)[0], { readyForMs: 3_600_000 });
  await harness.advance(60_000);
  t.true(harness.dials().includes(seeds(2)[1]!));
});

test("an address that somebody wants is dialed at once, whatever its backoff and its turn", async (t) => {
  const harness = start({ seedPeers: seeds(3), maxOutbound: 2, dial: { concurrentMax: 1 } });
  harness.ready(peerIdOf(9));
  await harness.advance(0);
  for (let i = 0; i < 40; i++) {
    if (harness.transport.dials.length > 0) await harness.fail();
    else await harness.advance(60_000);
  }
  while (harness.transport.dials.length > 0) await harness.fail();
  const asker = harness.probe<DialOutcome>();
  const address = seeds(3)[2]!;
  harness.ref.tell({ type: "Connect", address, replyTo: asker.ref });
  await harness.settle();
  t.deepEqual(harness.dials(), [address]);
  await harness.succeed(peerIdOf(3));
  t.is(asker.last, undefined, "connected means ready");
  harness.ready(peerIdOf(3), address);
  await harness.settle();
  t.deepEqual(asker.last, { ok: true, peerId: peerIdOf(3) });
  harness.ref.tell({ type: "Connect", address, replyTo: asker.ref });
  await harness.settle();
  t.is(asker.received.length, 2, "one that is connected is answered at once");
});

test("who wants an address hears why it cannot be", async (t) => {
  const [first, second] = seeds(2) as [string, string];
  const ended = (reason: string, by: string): string =>
    `Cannot connect to ${first}: the connection was ended by ${by} (${reason}).`;
  const cases: [Gone, string][] = [
    [{ reason: "Banned", byPeer: true }, ended("Banned", "the peer")],
    [{ reason: "Timeout" }, ended("Timeout", "this node")],
    [{ reason: "SelfConnection" }, `Cannot connect to ${first}: this is our own node.`],
  ];
  for (const [more, why] of cases) {
    const harness = start({ maxOutbound: 1 });
    const asker = harness.probe<DialOutcome>();
    harness.ref.tell({ type: "Connect", address: first, replyTo: asker.ref });
    await harness.settle();
    await harness.succeed();
    harness.ref.tell({ type: "Connect", address: second, replyTo: asker.ref });
    await harness.settle();
    const full = "all 1 outbound slots are taken; it is tried when one is free";
    t.deepEqual(asker.take(), [{ ok: false, why: `Cannot connect to ${second}: ${full}.` }]);
    harness.gone(peerIdOf(1), first, { wasReady: false, ...more });
    await harness.settle();
    t.deepEqual(asker.last, { ok: false, why });
  }
  const harness = start({ dial: { candidatesMax: 1 } });
  const asker = harness.probe<DialOutcome>();
  for (const address of [first, second]) {
    harness.ref.tell({ type: "Connect", address, replyTo: asker.ref });
  }
  await harness.settle();
  const why = `Cannot connect to ${second}: no more addresses are kept.`;
  t.deepEqual(asker.take(), [{ ok: false, why }]);
  await harness.fail();
  t.deepEqual(asker.take(), [{ ok: false, why: "refused" }]);
});

test("who wants an address whose peer connects from its side hears when that is ready", async (t) => {
  const harness = start();
  const asker = harness.probe<DialOutcome>();
  const address = seeds(1)[0]!;
  harness.ref.tell({ type: "Connect", address, replyTo: asker.ref });
  await harness.settle();
  await harness.succeed();
  harness.gone(peerIdOf(1), address, { wasReady: false, reason: "DuplicateConnection" });
  await harness.settle();
  t.is(asker.last, undefined);
  harness.ready(peerIdOf(1));
  await harness.settle();
  t.deepEqual(asker.last, { ok: true, peerId: peerIdOf(1) });
});
