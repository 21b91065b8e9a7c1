import test from "ava";
import {
  listener,
  type ListenerMessage,
  type ListenOutcome,
} from "../../../src/actors/service/listener.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import { CodedError } from "../../../src/errors.js";
import type { ListenHandler, Transport, TransportListener } from "../../../src/ports.js";
import { parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, published, refusing } from "../support.js";
import { FakeConnection } from "../remote-peer.js";

const ADDRESS = "tcp://127.0.0.1:8765";

/** A transport whose bind the test settles by hand. */
class FakeTransport implements Transport {
  readonly scheme: string;
  handler: ListenHandler | undefined;
  closed = 0;
  settle:
    { resolve: (listener: TransportListener) => void; reject: (error: Error) => void } | undefined;

  constructor(scheme = "tcp") {
    this.scheme = scheme;
  }

  listen(_endpoint: Endpoint, handler: ListenHandler): Promise<TransportListener> {
    this.handler = handler;
    return new Promise((resolve, reject) => (this.settle = { resolve, reject }));
  }

  bind(address = ADDRESS): void {
    const close = async (): Promise<void> => void this.closed++;
    this.settle?.resolve({ endpoint: parseAddress(address), close });
  }

  dial(): never {
    throw new Error("not here");
  }

  async close(): Promise<void> {}
}

function start(addresses = [ADDRESS], registryRef?: ActorRef<RegistryMessage>) {
  const [transport, other] = [new FakeTransport(), new FakeTransport("ws")];
  const transports = new Map([transport, other].map((each) => [each.scheme, each]));
  const harness = createHarness({ env: { transports } });
  const registry = harness.probe<RegistryMessage>();
  const events = harness.probe<EventBusMessage>();
  const outcome = harness.probe<ListenOutcome>();
  const ref: ActorRef<ListenerMessage> = harness.spawn(listener, {
    endpoints: addresses.map(parseAddress),
    registry: registryRef ?? registry.ref,
    events: events.ref,
    outcome: outcome.ref,
  });
  return { ...harness, transport, other, registry, events, outcome, ref };
}

async function listening(registryRef?: ActorRef<RegistryMessage>) {
  const harness = start([ADDRESS], registryRef);
  await harness.settle();
  harness.transport.bind("tcp://127.0.0.1:41000");
  await harness.settle();
  return harness;
}

test("it says where it listens, with the port that it got", async (t) => {
  const harness = await listening();
  const endpoints = [parseAddress("tcp://127.0.0.1:41000")];
  t.deepEqual(harness.outcome.received, [{ type: "Listening", endpoints }]);
  t.like(published(harness.events)[0], { type: "ListenerBound" });
});

test("an address that cannot be bound is reported, not retried", async (t) => {
  const harness = start();
  await harness.settle();
  const error = new CodedError("ADDRESS_IN_USE", "The port is taken.");
  harness.transport.settle?.reject(error);
  await harness.advance(60_000);
  t.deepEqual(harness.outcome.received, [{ type: "ListenFailed", error }]);
});

test("an address that no transport serves is reported", async (t) => {
  const harness = start(["carrier-pigeon://roof:1"]);
  await harness.settle();
  t.like(harness.outcome.received[0], { type: "ListenFailed" });
});

const WEB = "ws://127.0.0.1:8766";

test("several addresses are bound, each by the transport of its scheme", async (t) => {
  const harness = start([ADDRESS, WEB]);
  await harness.settle();
  harness.transport.bind();
  await harness.settle();
  t.deepEqual(harness.outcome.received, []);
  harness.other.bind(WEB);
  await harness.settle();
  const endpoints = [ADDRESS, WEB].map(parseAddress);
  t.deepEqual(harness.outcome.received, [{ type: "Listening", endpoints }]);
  t.deepEqual(
    published(harness.events).map((event) => event.type === "ListenerBound" && event.address),
    [ADDRESS, WEB],
  );
  for (const { handler } of [harness.transport, harness.other]) {
    handler?.onConnection(new FakeConnection());
  }
  await harness.settle();
  t.is(harness.registry.of("Connected").length, 2);
  harness.ref.tell({ type: "Stop" });
  await harness.settle();
  t.deepEqual([harness.transport.closed, harness.other.closed], [1, 1]);
});

test("when one of several addresses cannot be bound, none is", async (t) => {
  const harness = start([ADDRESS, WEB]);
  await harness.settle();
  harness.transport.bind();
  await harness.settle();
  const error = new CodedError("ADDRESS_IN_USE", "The port is taken.");
  harness.other.settle?.reject(error);
  await harness.settle();
  t.deepEqual(harness.outcome.received, [{ type: "ListenFailed", error }]);
  t.is(harness.transport.closed, 1);
});

test("connections go to the registry", async (t) => {
  const harness = await listening();
  const connection = new FakeConnection();
  harness.transport.handler?.onConnection(connection);
  await harness.settle();
  t.is(harness.registry.of("Connected")[0]?.connection, connection);
});

test("a connection that the registry cannot take is closed", async (t) => {
  const harness = await listening(refusing<RegistryMessage>());
  const connection = new FakeConnection();
  harness.transport.handler?.onConnection(connection);
  await harness.settle();
  t.true(connection.destroyed);
});

test("more connections than it can take at once are closed", async (t) => {
  const harness = await listening();
  harness.scheduler.hold(harness.ref.path);
  const connections = Array.from({ length: 1_100 }, () => new FakeConnection());
  for (const connection of connections) harness.transport.handler?.onConnection(connection);
  harness.scheduler.release(harness.ref.path);
  await harness.settle();
  t.is(harness.registry.of("Connected").length, 1_024);
  t.is(connections.filter(({ destroyed }) => destroyed).length, 76);
});

test("refused connections are published with their rule", async (t) => {
  const harness = await listening();
  const remote = parseAddress("tcp://8.8.8.8:1");
  const refusal = { remote, rule: "address-rate", detail: "" } as const;
  harness.transport.handler?.onRefused(refusal);
  await harness.settle();
  t.deepEqual(published(harness.events).at(-1), {
    type: "ConnectionRefused",
    remoteAddress: "tcp://8.8.8.8:1",
    rule: "address-rate",
    detail: "",
  });
});

test("to stop closes the listener once and lets nobody in any more", async (t) => {
  const harness = await listening();
  harness.ref.tell({ type: "Stop" });
  await harness.settle();
  t.is(harness.transport.closed, 1);
  const late = new FakeConnection();
  harness.transport.handler?.onConnection(late);
  await harness.settle();
  t.true(late.destroyed);
  t.is(harness.registry.of("Connected").length, 0);
  await Promise.all([harness.system.stop(), harness.settle()]);
  t.is(harness.transport.closed, 1);
});

test("a bind that succeeds after the stop is closed again", async (t) => {
  const harness = start();
  await harness.settle();
  harness.ref.tell({ type: "Stop" });
  await harness.settle();
  harness.transport.bind();
  await harness.settle();
  t.is(harness.transport.closed, 1);
  t.deepEqual(harness.outcome.received, []);
});

test("the end of the actor closes the listener", async (t) => {
  const harness = await listening();
  await Promise.all([harness.system.stop(), harness.settle()]);
  t.is(harness.transport.closed, 1);
});

test("an address that is bound only after its listener stopped or restarted is unbound", async (t) => {
  const harness = start();
  await harness.settle();
  const stopped = harness.system.stop();
  await harness.settle();
  await stopped;
  harness.transport.bind();
  await harness.settle();
  t.is(harness.transport.closed, 1);
});

test("a connection that still waits for its listener when that stops is closed", async (t) => {
  const harness = await listening();
  harness.scheduler.hold(harness.ref.path);
  const connection = new FakeConnection();
  harness.transport.handler!.onConnection(connection);
  const stopped = harness.system.stop();
  await harness.settle();
  await stopped;
  t.true(connection.destroyed);
});
