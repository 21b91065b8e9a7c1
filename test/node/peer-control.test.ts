// What a host may do about single peers, over real sockets and a data directory.

import { setImmediate as nextTurn } from "node:timers/promises";
import test from "ava";
import { startNetwork, type Network } from "../../src/index.js";
import { temporaryDirectory } from "../cli/child.js";
import { nextEvent, startTestNode } from "./nodes.js";

const listening = { bindAddr: "127.0.0.1:0" };
const DAY_MS = 86_400_000;

test("a peer that was sent away hears so, and stays away until it may come back", async (t) => {
  const lines: unknown[] = [];
  const log = {
    write: (level: string, event: string, fields = {}) => lines.push([level, event, fields]),
  };
  const node = await startTestNode(t, listening, { log });
  const peer = await startTestNode(t, listening);
  const [address] = node.listenAddresses as [string];
  await peer.connect(address);
  const [left, heard] = [nextEvent(node, "PeerDisconnected"), nextEvent(peer, "PeerDisconnected")];
  t.is((await node.disconnectPeer(peer.peerId, { awayMs: 3_600_000, by: "Ann" })).connections, 1);
  t.deepEqual(await node.peers(), [], "it holds no slot when the call is done");
  t.like(await left, { reason: "Operator", byPeer: false });
  t.like(await heard, {
    reason: "Banned",
    byPeer: true,
    detail: "the operator sent it away, for 3600 s",
  });
  await t.throwsAsync(async () => peer.connect(address), {
    code: "DIAL_FAILED",
    message: /Banned/,
  });
  t.like(await node.disconnectPeer(peer.peerId), { connections: 0, awayMs: 600_000 });
  t.deepEqual(await node.bans(), [], "it is no ban");
  const said = ["info", "a peer was sent away by the operator"];
  t.like(
    lines.filter((line) => (line as string[])[1] === said[1]),
    [[...said, { peerId: peer.peerId, by: "Ann", awayMs: 3_600_000, connections: 1 }]],
  );
  t.true(await node.unbanPeer(peer.peerId));
  t.false(await node.unbanPeer(peer.peerId));
  t.deepEqual(await peer.connect(address), [node.peerId]);
});

test("whoever asks for a connection to a peer that was sent away has it back", async (t) => {
  const node = await startTestNode(t);
  const peer = await startTestNode(t, listening);
  const [address] = peer.listenAddresses as [string];
  await node.connect(address);
  await node.disconnectPeer(peer.peerId);
  t.deepEqual(await node.connect(address), [peer.peerId]);
});

test("an operator's ban lasts as said, over a restart, and its reason stays at home", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const node = await startTestNode(t, { ...listening, dataDir });
  const peer = await startTestNode(t);
  await peer.connect(node.listenAddress!);
  const heard = nextEvent(peer, "PeerDisconnected");
  const told = nextEvent(node, "PeerBanned");
  const beforeMs = Date.now();
  const ban = await node.banPeer(peer.peerId, { forMs: 30 * DAY_MS, reason: "Bob's spare node" });
  t.like(ban, { by: "operator", reason: "Operator", detail: "Bob's spare node", count: 1 });
  t.true(Math.abs(ban.untilWallMs - beforeMs - 30 * DAY_MS) < 60_000);
  t.deepEqual(await node.peers(), []);
  t.like(await heard, { reason: "Banned", detail: "by the operator" });
  t.like(await told, { peerId: peer.peerId, by: "operator" });
  t.is((await node.explainPeer(peer.peerId)).class, "banned");
  await node.stop();

  const again = await startTestNode(t, { ...listening, dataDir });
  t.like(await again.bans(), [{ ...ban, untilWallMs: ban.untilWallMs }]);
  const refused = { code: "DIAL_FAILED", message: /Banned/ };
  await t.throwsAsync(async () => peer.connect(again.listenAddress!), refused);
  t.like(await again.banPeer(peer.peerId, { forMs: 1_000 }), { count: 2 }, "a shorter one, too");
  t.true(await again.unbanPeer(peer.peerId));
  t.deepEqual(await again.bans(), []);
  await peer.connect(again.listenAddress!);
  await again.stop();
});

test("trust at run time lifts a ban, gives a slot of its own, and outlives a restart", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const config = { ...listening, dataDir, maxInbound: 1, trustedMax: 1 };
  const node = await startTestNode(t, config);
  const [friend, other] = [await startTestNode(t), await startTestNode(t)];
  await node.banPeer(friend.peerId);
  t.true(await node.trustPeer(friend.peerId));
  t.false(await node.trustPeer(friend.peerId));
  t.deepEqual(await node.bans(), []);
  await other.connect(node.listenAddress!);
  await friend.connect(node.listenAddress!);
  t.deepEqual(trustOf(await node.peers()), { [friend.peerId]: true, [other.peerId]: false });
  await t.throwsAsync(node.banPeer(friend.peerId), { code: "REFUSED", message: /untrust it/ });
  await t.throwsAsync(node.trustPeer(other.peerId), {
    code: "REFUSED",
    message: /Only 1 .*trustedMax/,
  });
  await node.stop();

  const again = await startTestNode(t, config);
  t.deepEqual(await again.trustedPeers(), [{ peerId: friend.peerId, by: "operator" }]);
  await other.connect(again.listenAddress!);
  await friend.connect(again.listenAddress!);
  t.true(await again.untrustPeer(friend.peerId));
  t.deepEqual(Object.keys(trustOf(await again.peers())), [other.peerId], "there is no slot for it");
  t.false(await again.untrustPeer(friend.peerId));
  await again.stop();

  const last = await startTestNode(t, config);
  t.deepEqual(await last.trustedPeers(), []);
  await last.stop();
});

function trustOf(peers: Awaited<ReturnType<Network["peers"]>>): Readonly<Record<string, boolean>> {
  return Object.fromEntries(peers.map(({ peerId, trusted }) => [peerId, trusted]));
}

test("those whom the configuration trusts are its own", async (t) => {
  const peerId = "ab".repeat(32);
  const node = await startTestNode(t, { trustedPeers: [peerId] });
  t.deepEqual(await node.trustedPeers(), [{ peerId, by: "configuration" }]);
  t.false(await node.trustPeer(peerId));
  const refused = { code: "REFUSED", message: /configuration trusts this peer.*trustedPeers/ };
  await t.throwsAsync(node.untrustPeer(peerId), refused);
  await t.throwsAsync(node.banPeer(peerId), refused);
  for (const call of ["banPeer", "trustPeer"] as const) {
    await t.throwsAsync(node[call](node.peerId), { code: "REFUSED", message: /node itself/ });
  }
});

test("peers are found by how their ids begin, wherever they are known from", async (t) => {
  const node = await startTestNode(t, listening);
  const peer = await startTestNode(t);
  await peer.connect(node.listenAddress!);
  const [banned, trusted] = ["ab".repeat(32), "abc".padEnd(64, "0")];
  await node.banPeer(banned);
  await node.trustPeer(trusted);
  t.deepEqual((await node.findPeers("ab")).toSorted(), [banned, trusted].toSorted());
  t.deepEqual(await node.findPeers(peer.peerId.slice(0, 10)), [peer.peerId]);
  t.deepEqual(await node.findPeers("f".repeat(64)), []);
});

test("what cannot be said of a peer is refused where it is said", async (t) => {
  const node = await startTestNode(t);
  const id = "ab".repeat(32);
  const invalid = { code: "ARGUMENT_INVALID", message: /^[^\n]+\.$/ };
  const commands = ["banPeer", "unbanPeer", "trustPeer", "untrustPeer", "disconnectPeer"] as const;
  for (const command of commands) {
    for (const options of [null, 7, { by: 7 }, { by: "x".repeat(65) }, { by: "a\nb" }]) {
      t.throws(() => node[command](id, options as never), invalid, command);
    }
    // A misspelt time must not ban for a day.
    const unknown = { code: "ARGUMENT_INVALID", message: /no option "forMS" .*: it has by/ };
    t.throws(() => node[command](id, { forMS: 1_000 } as never), unknown, command);
    t.throws(() => node[command]("zz"), { code: "ID_INVALID" });
  }
  for (const forMs of [0, -1, 0.5, NaN, Infinity, "1h", 10 ** 15]) {
    t.throws(() => node.banPeer(id, { forMs: forMs as number }), invalid);
    t.throws(() => node.disconnectPeer(id, { awayMs: forMs as number }), invalid);
  }
  t.throws(() => node.banPeer(id, { reason: 7 as never }), invalid);
  t.throws(() => node.banPeer(id, { reason: "x".repeat(201) }), invalid);
  await t.throwsAsync(node.findPeers("xyz"), invalid);
  t.deepEqual(await node.bans(), []);
});

test("a command that nobody heeds does no harm when it fails", async (t) => {
  const failed: unknown[] = [];
  const onRejection = (error: unknown): void => void failed.push(error);
  process.on("unhandledRejection", onRejection);
  t.teardown(() => process.off("unhandledRejection", onRejection));
  const node = await startTestNode(t);
  void node.banPeer(node.peerId);
  void node.disconnectPeer("ab".repeat(32));
  await node.stop();
  await nextTurn();
  t.deepEqual(failed, []);
});

test("options that are none are refused with a code", async (t) => {
  const refused = { code: "CONFIG_INVALID", message: /must be/ };
  for (const options of [null, 7, "log", { log: 7 }, { log: {} }, { protocols: {} }]) {
    await t.throwsAsync(startNetwork({}, options as never), refused);
  }
});
