// Whom the peer exchange asks, answers and believes: by what it tells its neighbours.

import test from "ava";
import { peerExchange, type ExchangeStatus } from "../../../src/actors/handlers/peer-exchange.js";
import type { PeerHandlerMessage } from "../../../src/actors/peer/peer-handler-messages.js";
import type { RegistryMessage } from "../../../src/actors/peer/peer-table.js";
import type { Answer } from "../../../src/actors/peer/dealt.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import type { Direction } from "../../../src/ports.js";
import type { PeerEndpoint } from "../../../src/protocol/kinds/peers.js";
import type { NetworkConfigInput } from "../../../src/config.js";
import { createHarness, peerIdOf } from "../support.js";
import { handshakeInfo } from "../../support/raw-peer.js";

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

function places(count: number, first = 0): readonly PeerEndpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    scheme: "tcp",
    host: `9.9.${(first + index) >> 8}.${(first + index) & 255}`,
    port: 8_765,
  }));
}

async function start(config: NetworkConfigInput = {}) {
  const harness = createHarness({ config });
  const router = harness.probe<MessageRouterMessage>();
  const registry = harness.probe<RegistryMessage>();
  const ref = harness.spawn(peerExchange, { router: router.ref, registry: registry.ref });
  await harness.settle();
  let requestId = 1;
  const join = async (number: number, direction: Direction, host = `8.8.${number}.1`) => {
    const handler = harness.probe<PeerHandlerMessage>();
    const peerId = peerIdOf(number);
    const info = handshakeInfo("ab".repeat(32));
    ref.tell({
      type: "PeerReady",
      peerId,
      handler: handler.ref,
      direction,
      address: `tcp://${host}:8765`,
      info,
      head: { claimed: info.head },
      capabilities: new Set(["peers/1"]),
    });
    await harness.settle();
    return { peerId, handler };
  };
  /** What a peer is answered. */
  const asks = async (number: number, countMax = 256) => {
    const answers = harness.probe<Answer>();
    ref.tell({
      type: "Incoming",
      peerId: peerIdOf(number),
      from: harness.probe<PeerHandlerMessage>().ref,
      message: { kind: "GetPeers", countMax },
      lane: "transaction",
      bytes: 14,
      requestId: requestId++,
      replyTo: answers.ref,
    });
    await harness.settle();
    return answers;
  };
  /** The registry answers what it was asked for last. */
  const known = async (endpoints: readonly PeerEndpoint[]) => {
    registry.of("SampleAddresses").at(-1)!.replyTo.tell(endpoints);
    await harness.settle();
  };
  return { ...harness, ref, registry, router, join, asks, known };
}

test("who was dialed is asked at once and ever less often, who dialed is not asked then", async (t) => {
  const harness = await start();
  const { handler } = await harness.join(1, "outbound");
  const inbound = await harness.join(2, "inbound");
  const [request] = handler.of("Request");
  t.deepEqual(request?.message, { kind: "GetPeers", countMax: 256 });
  await harness.advance(DAY_MS);
  const asked = handler.of("Request").length;
  t.true(asked >= 10 && asked <= 14, `${asked} times`);
  await harness.advance(DAY_MS);
  t.true(handler.of("Request").length <= asked + 2);
  t.is(inbound.handler.of("Request").length, 0);
});

test("who dialed is asked after a while when nobody was dialed", async (t) => {
  const harness = await start();
  const { handler } = await harness.join(1, "inbound");
  await harness.advance(10_000);
  t.is(handler.of("Request").length, 0);
  await harness.advance(10_000);
  t.is(handler.of("Request").length, 1);
});

test("all who ask are told the same, each once", async (t) => {
  const harness = await start();
  for (const number of [1, 2, 3]) await harness.join(number, "inbound");
  await harness.join(4, "outbound");
  const first = await harness.asks(1);
  await harness.known(places(256));
  const second = await harness.asks(2);
  t.deepEqual(first.received, [{ kind: "Peers", endpoints: places(256) }]);
  t.deepEqual(second.received, first.received);
  t.deepEqual((await harness.asks(1)).received, [
    { kind: "RequestRefused", reason: "RateLimited" },
  ]);
  t.deepEqual((await harness.asks(4)).received, first.received);
  t.deepEqual((await harness.asks(3, 2)).received, [{ kind: "Peers", endpoints: places(2) }]);
  t.is(harness.registry.of("SampleAddresses").length, 1);
});

test("what an answer tells goes to the registry with who told it, the rest is counted", async (t) => {
  const harness = await start();
  const { peerId, handler } = await harness.join(1, "outbound");
  const good = places(2);
  handler.of("Request")[0]!.replyTo.tell({
    ok: true,
    message: { kind: "Peers", endpoints: [...good, ...good, { ...good[0]!, port: 80 }] },
    elapsedMs: 1,
  });
  await harness.settle();
  t.deepEqual(harness.registry.of("AddressesLearned"), [
    { type: "AddressesLearned", from: peerId, endpoints: good },
  ]);
  const status = harness.probe<ExchangeStatus>();
  harness.ref.tell({ type: "GetExchangeStatus", replyTo: status.ref });
  await harness.settle();
  const dropped = { local: 0, port: 1, repeated: 2 };
  t.deepEqual(status.received, [{ heard: 2, told: 0, dropped }]);
});

test("a day later another sample is drawn, and told once more", async (t) => {
  const harness = await start();
  await harness.join(1, "inbound");
  await harness.asks(1);
  await harness.known(places(256));
  await harness.advance(1.2 * DAY_MS);
  const again = await harness.asks(1);
  await harness.known(places(256, 1_000));
  t.deepEqual(again.received, [{ kind: "Peers", endpoints: places(256, 1_000) }]);
});

test("public peers are told public places, and local ones also those of their network", async (t) => {
  const harness = await start();
  await harness.join(1, "inbound");
  await harness.join(2, "inbound", "10.0.0.7");
  const all = ["9.9.9.9", "10.0.0.1", "127.0.0.1"].map((host) => ({
    scheme: "tcp",
    host,
    port: 8_765,
  }));
  const [told, toldLocal] = [await harness.asks(1), await harness.asks(2)];
  await harness.known(all);
  t.deepEqual(told.received, [{ kind: "Peers", endpoints: all.slice(0, 1) }]);
  t.deepEqual(toldLocal.received, [{ kind: "Peers", endpoints: all.slice(0, 2) }]);
});

test("without local addresses nobody is told of them", async (t) => {
  const harness = await start({ exchange: { localAddresses: false } });
  await harness.join(1, "inbound", "127.0.0.1");
  const told = await harness.asks(1);
  await harness.known([{ scheme: "tcp", host: "127.0.0.1", port: 8_765 }]);
  t.deepEqual(told.received, [{ kind: "Peers", endpoints: [] }]);
});
