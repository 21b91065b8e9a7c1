import test from "ava";
import { dialer } from "../../../src/actors/service/dialer.js";
import type { DialEnd, DialerMessage } from "../../../src/actors/service/dial-messages.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import { CodedError, isCoded } from "../../../src/errors.js";
import { parseAddress, type Endpoint } from "../../../src/protocol/address.js";
import type { Connection, DialOptions, Transport } from "../../../src/ports.js";
import type { ActorRef } from "../../../src/runtime/actor.js";
import { createHarness, peerIdOf, refusing } from "../support.js";
import { FakeConnection } from "../remote-peer.js";

const ADDRESS = `tcp://${peerIdOf(1)}@10.0.0.1:8765`;

function start(registryRef?: ActorRef<RegistryMessage>) {
  const dials: {
    endpoint: Endpoint;
    options: DialOptions;
    end: (how: Connection | Error) => void;
  }[] = [];
  const transport: Transport = {
    scheme: "tcp",
    dial: (endpoint, options) =>
      new Promise((resolve, reject) => {
        const end = (how: Connection | Error): void =>
          how instanceof Error ? reject(how) : resolve(how);
        dials.push({ endpoint, options, end });
      }),
    listen: () => Promise.reject(new Error("not here")),
    close: async () => undefined,
  };
  const harness = createHarness({ env: { transports: new Map([["tcp", transport]]) } });
  const registry = harness.probe<RegistryMessage>();
  const ref: ActorRef<DialerMessage> = harness.spawn(dialer, {
    registry: registryRef ?? registry.ref,
  });
  const ends = harness.probe<DialEnd>();
  const dial = async (address = ADDRESS): Promise<void> => {
    ref.tell({ type: "Dial", endpoint: parseAddress(address), replyTo: ends.ref });
    await harness.settle();
  };
  const end = async (how: Connection | Error): Promise<void> => {
    dials.shift()!.end(how);
    await harness.settle();
  };
  return { ...harness, dials, registry, ref, ends, dial, end };
}

test("it says that it takes dials, at each of its starts", async (t) => {
  const harness = start();
  harness.expectFault(harness.ref);
  await harness.settle();
  t.deepEqual(
    harness.registry.take().map(({ type }) => type),
    ["DialerStarted"],
  );
  harness.ref.tell({ type: "None" } as unknown as DialerMessage);
  await harness.advance(2_000);
  t.is(harness.registry.of("DialerStarted").length, 1);
});

test("a connection goes to the registry with the endpoint as it was dialed", async (t) => {
  const harness = start();
  await harness.dial();
  t.deepEqual(harness.dials[0]?.endpoint, parseAddress(ADDRESS));
  t.is(harness.dials[0]?.options.timeoutMs, harness.config.dial.timeoutMs);
  const connection = new FakeConnection({ peerId: peerIdOf(1), direction: "outbound" });
  await harness.end(connection);
  const [connected] = harness.registry.of("Connected");
  t.is(connected?.connection, connection);
  t.deepEqual(connected?.dialed, parseAddress(ADDRESS));
  t.deepEqual(harness.ends.take(), [{ ok: true, peerId: peerIdOf(1) }]);
});

test("a connection that the registry cannot take is closed, and who asked is told", async (t) => {
  const harness = start(refusing<RegistryMessage>());
  await harness.dial();
  const connection = new FakeConnection({ direction: "outbound" });
  await harness.end(connection);
  t.true(connection.destroyed);
  const [end] = harness.ends.take();
  t.true(end?.ok === false && isCoded(end.error, "QUEUE_FULL"));
});

test("a dial that fails, or for which there is no transport, ends in why", async (t) => {
  const harness = start();
  await harness.dial();
  const refused = new CodedError("DIAL_FAILED", "refused");
  await harness.end(refused);
  t.deepEqual(harness.ends.take(), [{ ok: false, error: refused }]);
  await harness.dial("memory://node:1");
  const [end] = harness.ends.take();
  t.true(end?.ok === false && isCoded(end.error, "DIAL_FAILED"));
});
