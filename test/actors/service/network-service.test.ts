import test from "ava";
import type { NetworkEvent } from "../../../src/actors/events/event-types.js";
import type { ProducedOutcome } from "../../../src/actors/handlers/block-origin.js";
import type { SubmitOutcome } from "../../../src/actors/handlers/transaction-handler-state.js";
import type { TransactionLocated } from "../../../src/actors/integration/storage-integration.js";
import type { Done, SentAway } from "../../../src/actors/peer/operator-messages.js";
import type { PeerReport } from "../../../src/actors/peer/peer-table.js";
import type { PingOutcome } from "../../../src/actors/peer/peer-handler-messages.js";
import type { PeerHistory } from "../../../src/actors/peer/peer-history.js";
import type { KindStatistics } from "../../../src/actors/service/message-router.js";
import type { DialOutcome } from "../../../src/actors/service/dial-messages.js";
import type { NodeStatus } from "../../../src/actors/service/node-status.js";
import type { BanRecord, WorkerPool } from "../../../src/ports.js";
import { parseAddress } from "../../../src/protocol/address.js";
import { makeChain, makeKey, makeTransaction, transactionId } from "../../support/chain.js";
import { createHarness, genesis, peerIdOf, SELF } from "../support.js";
import { BIND, startNetworkService as start } from "./whole-network.js";

const chain = makeChain(3);

test("it spawns every part of the network", async (t) => {
  const { paths } = await start({ config: { produce: true, bindAddr: BIND } });
  for (const name of [
    "reputation",
    "router",
    "registry",
    "consensus",
    "mempool",
    "storage",
    "system-router",
    "broadcaster",
    "sync",
    "transaction-handler",
    "block-handler",
    "sync-handler",
    "block-repair",
    "producer",
    "dialer",
    "listener",
  ]) {
    t.true(paths().includes(`/${name}`), name);
  }
});

test("without an address it does not listen, without the wish it does not produce", async (t) => {
  const { started, paths } = await start();
  t.deepEqual(started.received, [{ type: "Listening", endpoints: [] }]);
  t.false(paths().includes("/producer"));
});

test("where it listens, or why it cannot, is told", async (t) => {
  const good = await start({ config: { bindAddr: BIND } });
  const endpoints = [{ scheme: "tcp", host: "127.0.0.1", port: 41_000 }];
  t.deepEqual(good.started.received, [{ type: "Listening", endpoints }]);
  const bad = await start({ config: { bindAddr: BIND }, env: { transports: new Map() } });
  t.like(bad.started.received, [{ type: "ListenFailed" }]);
});

test("the status says who, where, how high and with whom", async (t) => {
  const harness = await start({ config: { bindAddr: BIND, nodeId: "me" }, chain });
  const remote = await harness.join();
  await harness.advance(25);
  remote.pong();
  await harness.settle();
  const status = await harness.ask<NodeStatus>((replyTo) => ({ type: "GetStatus", replyTo }));
  const { hash, height, totalDifficulty } = chain[2]!.header;
  t.like(status, {
    peerId: SELF,
    nodeId: "me",
    networkId: genesis.header.hash,
    height,
    headHash: hash,
    totalDifficulty: totalDifficulty.toString(),
    listenAddress: "tcp://127.0.0.1:41000",
    sync: {
      state: "waiting",
      strategy: null,
      targetHeight: null,
      waitingFor: "a peer whose headers can be checked",
    },
    pool: { queued: 0, running: 0 },
    mempool: { count: 0, bytes: 0 },
  });
  t.like(status?.peers[0], {
    id: peerIdOf(1),
    nodeId: "remote",
    agent: "remote/1",
    direction: "inbound",
    claimedHeight: "0",
    pingMs: 25,
  });
  t.deepEqual(structuredClone(status), status);
});

test("a part of the status that does not come in time is left out, and said so", async (t) => {
  const harness = await start();
  harness.scheduler.hold("/test/network/sync");
  const asker = harness.probe<NodeStatus>();
  harness.service.tell({ type: "GetStatus", replyTo: asker.ref });
  await harness.advance(4_999);
  t.is(asker.received.length, 0);
  await harness.advance(1);
  t.like(asker.last, {
    sync: { state: "waiting", waitingFor: "an answer of the sync service" },
    height: 0,
  });
});

test("questions are handed to whom they are for", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  await harness.join();
  const peerId = peerIdOf(1);
  const peers = await harness.ask<readonly PeerReport[]>((replyTo) => ({
    type: "GetPeers",
    replyTo,
  }));
  t.is(peers?.length, 1);
  const kinds = await harness.ask<KindStatistics>((replyTo) => ({
    type: "GetKindStatistics",
    replyTo,
  }));
  t.is(Object.keys(kinds!).length, 17);
  const bans = await harness.ask<readonly BanRecord[]>((replyTo) => ({ type: "GetBans", replyTo }));
  t.deepEqual(bans, []);
  const explained = await harness.ask<PeerHistory>((replyTo) => ({
    type: "ExplainPeer",
    peerId,
    replyTo,
  }));
  t.is(explained?.peerId, peerId);
  const pinged = await harness.ask<PingOutcome>((replyTo) => ({
    type: "PingPeer",
    peerId: peerIdOf(9),
    replyTo,
  }));
  t.deepEqual(pinged, { elapsedMs: undefined });
  const located = await harness.ask<TransactionLocated>((replyTo) => ({
    type: "LocateTransaction",
    id: "ab".repeat(32),
    replyTo,
  }));
  t.deepEqual(located, {});
});

test("a peer that misbehaves is banned; the operator can let it in again", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  const remote = await harness.join();
  for (let i = 0; i < 2; i++) {
    const again = i === 0 ? remote : await harness.join();
    again.connection.receive(new Uint8Array(32).fill(0xff));
    await harness.settle();
  }
  const banned = await harness.join();
  t.is(banned.heardOf("Disconnect")[0]?.message.reason, "Banned");
  const about = { peerId: peerIdOf(1), by: "the test" };
  const unbanned = await harness.ask<Done<boolean>>((replyTo) => ({
    type: "UnbanPeer",
    ...about,
    replyTo,
  }));
  t.deepEqual(unbanned, { ok: true, value: true });
  const welcome = await harness.join();
  t.is(welcome.heardOf("Handshake").length, 1);
  const gone = await harness.ask<Done<SentAway>>((replyTo) => ({
    type: "DisconnectPeer",
    ...about,
    awayMs: 60_000,
    replyTo,
  }));
  t.deepEqual(gone, { ok: true, value: { connections: 1, awayMs: 60_000 } });
  await harness.settle();
  t.like(welcome.heardOf("Disconnect")[0]?.message, {
    reason: "Banned",
    detail: "the operator sent it away, for 60 s",
  });
});

test("a submitted transaction is checked, kept and announced to the peers", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  const remote = await harness.join();
  const transaction = makeTransaction(makeKey(1), 0);
  const outcome = await harness.ask<SubmitOutcome>((replyTo) => ({
    type: "SubmitTransaction",
    transaction,
    replyTo,
  }));
  t.deepEqual(outcome, { ok: true, id: transactionId(transaction) });
  await harness.advance(2 * harness.config.gossip.announceIntervalMs);
  t.deepEqual(remote.heardOf("AnnounceTransactions")[0]?.message.ids, [transactionId(transaction)]);
});

test("a submitted block is connected and pushed to the peers", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  const remote = await harness.join();
  const heard = harness.probe<NetworkEvent>();
  const types = ["BlockConnected"] as const;
  harness.service.tell({ type: "Subscribe", subscriber: heard.ref, types });
  const submit = (block: Uint8Array): Promise<ProducedOutcome | undefined> =>
    harness.ask((replyTo) => ({ type: "SubmitBlock", block, replyTo }));
  t.like(await submit(chain[0]!.bytes), { ok: true });
  t.is(harness.stores.blocks.head().hash, chain[0]!.header.hash);
  t.deepEqual(remote.heardOf("NewBlock")[0]?.message.block, chain[0]!.bytes);
  t.like(heard.take(), [{ type: "BlockConnected", height: 1 }]);
  harness.service.tell({ type: "Unsubscribe", subscriber: heard.ref });
  t.like(await submit(chain[1]!.bytes), { ok: true });
  t.is(heard.received.length, 0);
});

test("an endpoint to dial reaches the registry, which answers", async (t) => {
  const harness = await start();
  const endpoint = parseAddress("10.0.0.1:1");
  const answer = await harness.ask<DialOutcome>((replyTo) => ({
    type: "Connect",
    endpoint,
    replyTo,
  }));
  t.like(answer, { ok: false });
});

test("to stop closes the doors, says goodbye, and answers when the last peer is gone", async (t) => {
  const harness = await start({ config: { bindAddr: BIND, seedPeers: ["10.0.0.1:1"] } });
  await harness.advance(5_000);
  const { dials } = harness.transport;
  t.true(dials > 1);
  const remote = await harness.join();
  t.true(harness.transport.listening);
  const answer = await harness.ask<"Stopped">((replyTo) => ({ type: "Stop", replyTo }));
  t.is(answer, "Stopped");
  t.false(harness.transport.listening);
  t.is(remote.heardOf("Disconnect")[0]?.message.reason, "Shutdown");
  const late = await harness.join(2);
  t.true(late.connection.destroyed);
  await harness.advance(60_000);
  t.is(harness.transport.dials, dials);
});

test("peers that do not go do not keep it from stopping", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  await harness.join();
  harness.scheduler.hold("/test/network/registry");
  const asker = harness.probe<"Stopped">();
  harness.service.tell({ type: "Stop", replyTo: asker.ref });
  await harness.advance(harness.config.shutdown.drainMs + 1_000);
  t.deepEqual(asker.received, ["Stopped"]);
});

test("a handler that crashes restarts alone, and the network goes on", async (t) => {
  const { workers } = createHarness().env;
  let crashes = 1;
  const failing: WorkerPool = {
    ...workers,
    validateTransactions(packed) {
      if (crashes-- > 0) throw new Error("planned");
      return workers.validateTransactions(packed);
    },
  };
  const harness = await start({ config: { bindAddr: BIND }, env: { workers: failing } });
  harness.expectFault({ path: "/test/network/transaction-handler" });
  const remote = await harness.join();
  const submit = (nonce: number): Promise<SubmitOutcome | undefined> =>
    harness.ask((replyTo) => ({
      type: "SubmitTransaction",
      transaction: makeTransaction(makeKey(1), nonce),
      replyTo,
    }));
  t.is(await submit(0), undefined);
  await harness.advance(1_000);
  t.deepEqual(
    harness.faults.map(({ path, action }) => [path, action]),
    [["/test/network/transaction-handler", "restarting"]],
  );
  t.like(await submit(1), { ok: true });
  remote.send({ kind: "NewTransaction", transaction: makeTransaction(makeKey(2), 0) });
  await harness.settle();
  t.is(harness.env.mempool.count, 2);
  t.is(harness.started.received.length, 1);
});

test("a part that the others registered with takes the network through a restart", async (t) => {
  const harness = await start({ config: { bindAddr: BIND } });
  for (const path of ["/test/network/registry", "/test/network"]) harness.expectFault({ path });
  const remote = await harness.join();
  const heard = harness.probe<NetworkEvent>();
  const types = ["PeerConnected"] as const;
  harness.service.tell({ type: "Subscribe", subscriber: heard.ref, types });
  await harness.settle();
  // When a dial that failed is tried again is drawn.
  const { random } = harness.env;
  const float = random.float.bind(random);
  random.float = () => {
    random.float = float;
    throw new Error("planned");
  };
  const endpoint = parseAddress("10.0.0.1:1");
  const replyTo = harness.probe<DialOutcome>().ref;
  harness.service.tell({ type: "Connect", endpoint, replyTo });
  await harness.advance(2_000);
  t.deepEqual(
    harness.faults.map(({ action }) => action),
    ["escalated", "restarting"],
  );
  t.true(remote.connection.destroyed, "the new registry does not know it");
  t.is(harness.started.received.length, 2);
  await harness.join(2);
  t.is(heard.of("PeerConnected").length, 1, "who subscribed stays subscribed");
});

test("peers that send, leave and come again hold no more than their part while nobody deals with it", async (t) => {
  const lanes = { windowGrowthBytesMax: 0 };
  const slots = { maxInbound: 2, maxOutbound: 1, trustedMax: 0, dial: { onlyConfigured: true } };
  const config = { bindAddr: BIND, ...slots, lanes };
  const never = { validateTransactions: () => new Promise(() => undefined) };
  const harness = await start({ config, env: { workers: never as unknown as WorkerPool } });
  let refused = 0;
  for (let number = 1; number <= 200; number++) {
    const remote = await harness.join(number);
    if (remote.heardOf("Disconnect")[0]?.message.reason === "TooManyConnections") refused++;
    for (const bytes of [100_000, 100_001]) {
      remote.send({ kind: "NewTransaction", transaction: new Uint8Array(bytes).fill(number) });
    }
    await harness.settle();
    remote.connection.end();
    await harness.settle();
  }
  t.true(refused > 0);
  t.true(refused < 100, "what has room is taken");
});

test("a mempool that crashes at each question is left alone before it has to give up", async (t) => {
  const broken = (): never => {
    throw new Error("it is torn");
  };
  const { mempool } = createHarness().env;
  const harness = await start({
    env: {
      mempool: Object.assign(mempool, { add: broken }),
      log: { write: (_level, event) => event === "the mempool failed" && broken() },
    },
  });
  harness.expectFault({ path: "/test/network/mempool" });
  const rules: string[] = [];
  for (let nonce = 1; nonce <= 60; nonce++) {
    const outcome = await harness.ask<SubmitOutcome>((replyTo) => ({
      type: "SubmitTransaction",
      transaction: makeTransaction(makeKey(1), nonce),
      replyTo,
    }));
    if (outcome?.ok === false) rules.push(outcome.rule);
    await harness.advance(1_000);
  }
  t.is(rules.length, 60, "each has an answer");
  const failed = rules.filter((rule) => rule === "failed").length;
  t.true(failed >= 4 && failed < 12, `it was asked ${failed} times`);
  const status = await harness.ask<NodeStatus>((replyTo) => ({ type: "GetStatus", replyTo }));
  t.deepEqual(status?.degraded, []);
});

test("a mempool that is gone refuses at once, is told of, and nothing else is missing", async (t) => {
  const broken = (): never => {
    throw new Error("it is torn");
  };
  const { mempool } = createHarness().env;
  const harness = await start({
    // Otherwise it is left alone before it has crashed too often.
    config: { bindAddr: BIND, subsystems: { failuresMax: 1_024 } },
    // The guard writes to the log, which takes the actor down: as a fault of its own would.
    env: {
      mempool: Object.assign(mempool, { add: broken }),
      log: { write: (_level, event) => event === "the mempool failed" && broken() },
    },
  });
  harness.expectFault({ path: "/test/network/mempool" });
  const submit = async (nonce: number): Promise<SubmitOutcome[]> => {
    const asker = harness.probe<SubmitOutcome>();
    const transaction = makeTransaction(makeKey(1), nonce);
    harness.service.tell({ type: "SubmitTransaction", transaction, replyTo: asker.ref });
    await harness.settle();
    return asker.received;
  };
  for (let nonce = 1; nonce <= 20; nonce++) {
    t.is((await submit(nonce)).length, 1, "each has an answer");
    await harness.advance(1_000);
  }
  t.like(await submit(30), [{ ok: false, rule: "busy" }]);
  const status = await harness.ask<NodeStatus>((replyTo) => ({ type: "GetStatus", replyTo }));
  t.deepEqual(status?.degraded, [{ actor: "mempool", reason: "it is torn" }]);
  t.is(status?.subsystems.find(({ name }) => name === "mempool")?.state, "absent");

  const remote = await harness.join();
  // A peer's transactions are dealt with too, its requests refused, and blocks connect.
  const transaction = makeTransaction(makeKey(2), 1);
  remote.send({ kind: "NewTransaction", transaction });
  remote.send({ kind: "RequestTransactions", ids: [transactionId(transaction)] }, 7);
  await harness.settle();
  t.is(remote.heardOf("RequestRefused").at(-1)?.message.reason, "Busy");
  const [block] = chain;
  remote.send({ kind: "NewBlock", block: block!.bytes });
  await harness.settle();
  t.is(harness.env.blocks.head().hash, block!.header.hash);
  const kinds = await harness.ask<KindStatistics>((replyTo) => ({
    type: "GetKindStatistics",
    replyTo,
  }));
  t.deepEqual(
    Object.entries(kinds!).filter(([, figures]) => (figures?.open ?? 0) > 0),
    [],
    "nothing waits for what is gone",
  );
});
