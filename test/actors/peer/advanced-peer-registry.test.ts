import test from "ava";
import {
  advancedPeerRegistry,
  type RegistryArgs,
} from "../../../src/actors/peer/advanced-peer-registry.js";
import type { PeerReport, PeerTableEvent } from "../../../src/actors/peer/peer-table.js";
import type { PingOutcome } from "../../../src/actors/peer/peer-handler-messages.js";
import type { ReputationMessage } from "../../../src/actors/peer/peer-reputation.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import { parseAddress } from "../../../src/protocol/address.js";
import type { MessageRouterMessage } from "../../../src/actors/service/message-router.js";
import {
  createHarness,
  peerIdOf,
  published,
  SELF,
  START_WALL_MS,
  type HarnessOptions,
} from "../support.js";
import { FakeConnection, RemotePeer, type FakeConnectionOptions } from "../remote-peer.js";

function start(options: HarnessOptions = {}) {
  const harness = createHarness(options);
  const router = harness.probe<MessageRouterMessage>();
  const reputation = harness.probe<ReputationMessage>();
  const events = harness.probe<EventBusMessage>();
  const args: RegistryArgs = {
    router: router.ref,
    reputation: reputation.ref,
    events: events.ref,
  };
  const registry = harness.spawn(advancedPeerRegistry, args);
  const subscriber = harness.probe<PeerTableEvent>();
  registry.tell({ type: "Subscribe", subscriber: subscriber.ref });

  /** A connection that was just authenticated. */
  function connect(more: FakeConnectionOptions = {}, dialed?: string): RemotePeer {
    const post = (fn: () => void): void => harness.scheduler.post(fn);
    const connection = new FakeConnection({
      post,
      openedAtMs: harness.clock.monotonicMs(),
      ...more,
    });
    const endpoint = dialed === undefined ? {} : { dialed: parseAddress(dialed) };
    registry.tell({ type: "Connected", connection, ...endpoint });
    return new RemotePeer(connection);
  }
  async function join(more: FakeConnectionOptions = {}, dialed?: string): Promise<RemotePeer> {
    const remote = connect(more, dialed);
    await harness.settle();
    remote.handshake();
    await harness.settle();
    remote.pong();
    await harness.settle();
    return remote;
  }
  async function peers(): Promise<readonly PeerReport[]> {
    const asker = harness.probe<readonly PeerReport[]>();
    registry.tell({ type: "GetPeers", replyTo: asker.ref });
    await harness.settle();
    return asker.last!;
  }
  return { ...harness, registry, router, reputation, events, subscriber, connect, join, peers };
}

function disconnectOf(remote: RemotePeer): string | undefined {
  return remote.heardOf("Disconnect")[0]?.message.reason;
}

test("a peer whose handshake fits is announced, published, counted and reported", async (t) => {
  const harness = start();
  await harness.join({ peerId: peerIdOf(1), direction: "outbound" }, "tcp://10.0.0.1:9");
  const [ready] = harness.subscriber.of("PeerReady");
  t.is(ready?.peerId, peerIdOf(1));
  t.is(ready?.direction, "outbound");
  t.deepEqual([...ready!.capabilities].sort(), ["blocks/1", "sync/1", "transactions/1"]);
  t.is(ready?.head.claimed.height, 0n);
  const [connected] = published(harness.events);
  t.like(connected, { type: "PeerConnected", peerId: peerIdOf(1), agent: "remote/1" });
  t.deepEqual(harness.reputation.of("PeersCounted"), [{ type: "PeersCounted", ready: 1 }]);
  await harness.advance(1_000);
  const [report] = await harness.peers();
  t.like(report, { peerId: peerIdOf(1), nodeId: "remote", readyForMs: 1_000 });
  t.deepEqual(structuredClone(report), report);
});

test("only what both sides offer counts as a capability", async (t) => {
  const harness = start();
  const remote = harness.connect();
  await harness.settle();
  remote.handshake({ capabilities: ["sync/1", "magic/9"] });
  await harness.settle();
  t.deepEqual([...harness.subscriber.of("PeerReady")[0]!.capabilities], ["sync/1"]);
});

test("a connection that is refused hears why, takes no slot and is reported as gone", async (t) => {
  const harness = start({ config: { maxInbound: 1 } });
  await harness.join({ peerId: peerIdOf(1) });
  const refused = harness.connect({ peerId: peerIdOf(2) });
  await harness.settle();
  t.is(disconnectOf(refused), "TooManyConnections");
  t.true(refused.connection.closing);
  t.like(harness.subscriber.of("PeerGone")[0], {
    peerId: peerIdOf(2),
    reason: "TooManyConnections",
    wasReady: false,
    byPeer: false,
  });
  t.is((await harness.peers()).length, 1);
  t.is(published(harness.events).length, 1);
});

test("our own node is refused by its id", async (t) => {
  const harness = start();
  const own = harness.connect({ peerId: SELF, direction: "outbound" }, "tcp://10.0.0.1:9");
  await harness.settle();
  t.is(disconnectOf(own), "SelfConnection");
  t.like(harness.subscriber.last, { reason: "SelfConnection" });
});

test("a slot is free as soon as its connection begins to close", async (t) => {
  const harness = start({ config: { maxInbound: 1 } });
  const first = await harness.join({ peerId: peerIdOf(1) });
  first.send({ kind: "Disconnect", reason: "Shutdown", detail: "" });
  await harness.settle();
  t.like(harness.subscriber.of("PeerGone")[0], {
    reason: "Shutdown",
    byPeer: true,
    wasReady: true,
  });
  await harness.join({ peerId: peerIdOf(2) });
  t.is((await harness.peers())[0]?.peerId, peerIdOf(2));
});

test("of two connections of a peer the newer stays, and the end of the older is told first", async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const harness = start({ seed });
    const older = await harness.join();
    const newer = harness.connect();
    // It comes with its handshake: the two handlers race.
    newer.handshake();
    await harness.settle();
    t.is(disconnectOf(older), "DuplicateConnection");
    t.deepEqual(
      harness.subscriber.received.map(({ type }) => type).filter((type) => type !== "PeerMeasured"),
      ["PeerReady", "PeerGone", "PeerReady"],
    );
    t.is((await harness.peers()).length, 1);
    const counts = harness.reputation.of("PeersCounted").map(({ ready }) => ready);
    t.deepEqual(counts, [1, 0, 1]);
  }
});

test("in opposite directions the connection stays that the smaller id dialed", async (t) => {
  const harness = start();
  await harness.join({ peerId: peerIdOf(1), direction: "inbound" });
  const dialed = harness.connect(
    { peerId: peerIdOf(1), direction: "outbound" },
    "tcp://10.0.0.1:9",
  );
  await harness.settle();
  t.is(disconnectOf(dialed), "DuplicateConnection");
  t.is((await harness.peers())[0]?.direction, "inbound");
});

test("a handler that crashes costs its own connection and nothing else", async (t) => {
  const harness = start();
  await harness.join({ peerId: peerIdOf(1) });
  const victim = await harness.join({ peerId: peerIdOf(2) });
  const handler = harness.subscriber.of("PeerReady")[1]!.handler;
  harness.expectFault(handler);
  // A block over its limit is a mistake that its encoder refuses.
  const block = new Uint8Array(5 * 1024 * 1024);
  handler.tell({ type: "Send", message: { kind: "NewBlock", block } });
  await harness.settle();
  t.is(harness.faults.length, 1);
  t.true(victim.connection.destroyed);
  t.like(harness.subscriber.of("PeerGone")[0], { peerId: peerIdOf(2), reason: "Fault" });
  t.deepEqual(
    (await harness.peers()).map(({ peerId }) => peerId),
    [peerIdOf(1)],
  );
  t.true(harness.log.some(({ event }) => event === "a peer handler failed"));
  await harness.join({ peerId: peerIdOf(2) });
  t.is((await harness.peers()).length, 2);
});

test("a banned peer is disconnected, refused, and let in again when its ban ends", async (t) => {
  const harness = start();
  const remote = await harness.join();
  const ban = {
    peerId: peerIdOf(1),
    untilWallMs: START_WALL_MS + 60_000,
    reason: "InvalidBlock: root",
    count: 1,
  };
  harness.registry.tell({ type: "PeerBanned", ban });
  await harness.settle();
  t.is(disconnectOf(remote), "Banned");
  const again = harness.connect();
  await harness.settle();
  t.is(disconnectOf(again), "Banned");
  // Nobody tells it that the ban is over.
  await harness.advance(60_000);
  await harness.join();
  t.is((await harness.peers()).length, 1);
  const types = published(harness.events).map(({ type }) => type);
  t.deepEqual(types, [
    "PeerConnected",
    "PeerBanned",
    "PeerDisconnected",
    "PeerUnbanned",
    "PeerConnected",
  ]);
});

test("a ban that is lifted ends once, and is out of the store in the same turn", async (t) => {
  const harness = start();
  const until = START_WALL_MS + 60_000;
  const ban = { peerId: peerIdOf(1), untilWallMs: until, reason: "", count: 1 };
  harness.registry.tell({ type: "PeerBanned", ban });
  await harness.settle();
  t.is(harness.stores.peers.records().length, 1);
  for (const peerId of [peerIdOf(1), peerIdOf(1)]) {
    harness.registry.tell({ type: "BanForgotten", peerId });
  }
  await harness.advance(60_000);
  t.deepEqual(harness.stores.peers.records(), []);
  const types = published(harness.events).map(({ type }) => type);
  t.deepEqual(types, ["PeerBanned", "PeerUnbanned"]);
  t.like(published(harness.events)[0], { peerId: peerIdOf(1), untilWallMs: until });
});

test("a ban that ended while nobody could say so is said to be over at the start", async (t) => {
  const { peers } = createHarness().stores;
  for (const [number, leftMs] of [
    [1, -1],
    [2, 60_000],
  ] as const) {
    const ban = { untilWallMs: START_WALL_MS + leftMs, reason: "", count: 1 };
    await peers.put({ peerId: peerIdOf(number), ban });
  }
  const harness = start({ env: { peers } });
  await harness.settle();
  const ended = { type: "PeerUnbanned", peerId: peerIdOf(1) } as const;
  t.deepEqual(published(harness.events), [ended]);
  await harness.advance(60_000);
  t.deepEqual(published(harness.events), [ended, { ...ended, peerId: peerIdOf(2) }]);
});

test("a new subscriber hears of the ready peers", async (t) => {
  const harness = start();
  await harness.join({ peerId: peerIdOf(1), direction: "outbound" }, "tcp://10.0.0.1:9");
  harness.connect({ peerId: peerIdOf(2) });
  const late = harness.probe<PeerTableEvent>();
  harness.registry.tell({ type: "Subscribe", subscriber: late.ref });
  await harness.settle();
  t.deepEqual(
    late.of("PeerReady").map(({ peerId, direction }) => [peerId, direction]),
    [[peerIdOf(1), "outbound"]],
  );
  late.stop();
  await harness.settle();
  const lost = harness.system.deadLetters;
  await harness.join({ peerId: peerIdOf(3) });
  t.is(harness.system.deadLetters, lost);
});

test("claims and measurements reach the subscribers and the reports", async (t) => {
  const harness = start();
  const remote = await harness.join();
  const head = { height: 9n, hash: "ab".repeat(32), totalDifficulty: 99n };
  remote.send({ kind: "AnnounceBlock", ...head });
  await harness.settle();
  t.deepEqual(harness.subscriber.of("PeerClaimed")[0]?.head, { claimed: head });
  t.deepEqual((await harness.peers())[0]?.head, { claimed: head });
  harness.registry.tell({ type: "HeadClaimed", peerId: peerIdOf(9), head });
  await harness.settle();
  t.is(harness.subscriber.of("PeerClaimed").length, 1);
  await harness.advance(harness.config.liveness.pingIntervalMs);
  remote.pong();
  await harness.settle();
  t.true(harness.subscriber.of("PeerMeasured").length >= 2);
  t.is((await harness.peers())[0]?.performance.pingMs, 0);
});

test("a ping by hand is answered with its round trip, or at once when there is no such peer", async (t) => {
  const harness = start();
  const remote = await harness.join();
  const asker = harness.probe<PingOutcome>();
  harness.registry.tell({ type: "PingPeer", peerId: peerIdOf(7), replyTo: asker.ref });
  await harness.settle();
  t.deepEqual(asker.take(), [{ elapsedMs: undefined }]);
  harness.registry.tell({ type: "PingPeer", peerId: peerIdOf(1), replyTo: asker.ref });
  await harness.advance(40);
  t.deepEqual(asker.take(), []);
  remote.pong();
  await harness.settle();
  t.deepEqual(asker.take(), [{ elapsedMs: 40 }]);
});

test("a ping that is under way when the peer leaves is answered too", async (t) => {
  const harness = start();
  const remote = await harness.join();
  const asker = harness.probe<PingOutcome>();
  harness.registry.tell({ type: "PingPeer", peerId: peerIdOf(1), replyTo: asker.ref });
  await harness.settle();
  remote.connection.end();
  await harness.settle();
  t.deepEqual(asker.take(), [{ elapsedMs: undefined }]);
});

test("the operator can disconnect a peer", async (t) => {
  const harness = start();
  const remote = await harness.join();
  const detail = "asked for";
  harness.registry.tell({ type: "Disconnect", peerId: peerIdOf(1), reason: "Shutdown", detail });
  await harness.settle();
  t.is(disconnectOf(remote), "Shutdown");
  t.is((await harness.peers()).length, 0);
});

test("a shutdown says goodbye to everyone and is answered when the last one is gone", async (t) => {
  const harness = start();
  const remotes = [await harness.join({ peerId: peerIdOf(1) })];
  // One that does not take its goodbye.
  remotes.push(await harness.join({ peerId: peerIdOf(2), post: () => undefined }));
  const asker = harness.probe<"Drained">();
  harness.registry.tell({ type: "Shutdown", replyTo: asker.ref });
  await harness.settle();
  t.deepEqual(remotes.map(disconnectOf), ["Shutdown", "Shutdown"]);
  t.deepEqual(asker.received, []);
  const late = harness.connect({ peerId: peerIdOf(3) });
  await harness.settle();
  t.true(late.connection.destroyed);
  await harness.advance(harness.config.shutdown.drainMs);
  t.deepEqual(asker.received, ["Drained"]);
  t.true(remotes[1]!.connection.destroyed);
});

test("with nobody connected a shutdown is answered at once", async (t) => {
  const harness = start();
  const asker = harness.probe<"Drained">();
  harness.registry.tell({ type: "Shutdown", replyTo: asker.ref });
  await harness.settle();
  t.deepEqual(asker.received, ["Drained"]);
});

test("many peers come and go in any order, and the table holds", async (t) => {
  for (let seed = 0; seed < 5; seed++) {
    const harness = start({ seed, config: { maxInbound: 8, inbound: { perGroupMax: 100 } } });
    const remotes: RemotePeer[] = [];
    for (let i = 0; i < 60; i++) {
      const number = harness.env.random.uint32();
      const direction = number % 3 === 0 ? "outbound" : "inbound";
      const remote = harness.connect({ peerId: peerIdOf(number % 12), direction });
      remote.handshake();
      remotes.push(remote);
      if (number % 5 === 0) remotes[number % remotes.length]!.connection.end();
      if (number % 2 === 0) await harness.settle();
    }
    await harness.settle();
    const open = new Map<string, boolean>();
    for (const event of harness.subscriber.received) {
      if (event.type === "PeerReady") {
        t.not(open.get(event.peerId), true);
        open.set(event.peerId, true);
      } else if (event.type === "PeerGone" && event.wasReady) {
        t.is(open.get(event.peerId), true);
        open.set(event.peerId, false);
      }
    }
    const ready = [...open].filter(([, is]) => is).map(([id]) => id);
    const reported = (await harness.peers()).map(({ peerId }) => peerId);
    t.deepEqual(reported.sort(), ready.sort());
  }
});

test("refused connections that will not hang up do not pile up", async (t) => {
  const harness = start({ config: { maxInbound: 0, inbound: { pendingMax: 3 } } });
  const remotes = Array.from({ length: 5 }, (_, i) => {
    const remote = harness.connect({ peerId: peerIdOf(i + 1) });
    remote.connection.close = () => undefined;
    return remote;
  });
  await harness.settle();
  const told = remotes.map(disconnectOf);
  t.deepEqual(told, [...Array(3).fill("TooManyConnections"), undefined, undefined]);
  t.deepEqual(
    remotes.map(({ connection }) => connection.destroyed),
    [false, false, false, true, true],
  );
  await harness.advance(500);
  t.true(remotes.every(({ connection }) => connection.destroyed));
});
