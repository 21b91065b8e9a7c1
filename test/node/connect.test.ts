// `connect` of a network, over real sockets: it answers with the peer, or with why there is none.

import test from "ava";
import { startTestNode } from "./nodes.js";

test("connect answers the id of the peer, and again while it is connected", async (t) => {
  const server = await startTestNode(t, { bindAddr: "127.0.0.1:0" });
  const node = await startTestNode(t);
  t.deepEqual(await node.connect(server.listenAddress!), [server.peerId]);
  t.deepEqual(await node.connect(server.listenAddress!), [server.peerId]);
  t.is((await node.peers()).length, 1);
});

test("connect says why it failed, and the next one does not wait for the backoff", async (t) => {
  // Nothing but `connect` itself dials again within the test.
  const dial = { backoffMinMs: 86_400_000, backoffMaxMs: 86_400_000 };
  const first = await startTestNode(t, { bindAddr: "127.0.0.1:0" });
  const address = first.listenAddress!;
  await first.stop();
  const node = await startTestNode(t, { dial });
  await t.throwsAsync(async () => node.connect(address), {
    code: "DIAL_FAILED",
    message: /ECONNREFUSED/,
  });
  const second = await startTestNode(t, { bindAddr: address });
  t.deepEqual(await node.connect(address), [second.peerId]);
});

test("connect says that the peer is full, and that it is ourselves", async (t) => {
  const server = await startTestNode(t, { bindAddr: "127.0.0.1:0", maxInbound: 1 });
  const [first, second] = [await startTestNode(t), await startTestNode(t)];
  await first.connect(server.listenAddress!);
  await t.throwsAsync(async () => second.connect(server.listenAddress!), {
    code: "DIAL_FAILED",
    message: /ended by the peer \(TooManyConnections\)/,
  });
  await t.throwsAsync(async () => server.connect(server.listenAddress!), {
    code: "DIAL_FAILED",
    message: /our own node/,
  });
});

test("a peer is explained: where it was dialed, how that ended, and its connection", async (t) => {
  const server = await startTestNode(t, { bindAddr: "127.0.0.1:0" });
  const node = await startTestNode(t);
  const [address] = server.listenAddresses as [string];
  await node.connect(address);
  const connected = await node.explainPeer(server.peerId);
  t.like(connected.endpoints, [{ address, source: "asked", state: "connected", end: null }]);
  t.like(connected.connections, [{ direction: "outbound", phase: "ready" }]);
  t.deepEqual(connected.told, [address]);
  const met = await server.explainPeer(node.peerId);
  t.like(met.connections, [{ direction: "inbound" }]);
  t.deepEqual([...met.endpoints, ...met.told], [], "it does not listen, and nobody dialed it");
  await server.stop();
  while ((await node.status()).peers.length > 0) await new Promise(setImmediate);
  const gone = await node.explainPeer(server.peerId);
  t.deepEqual(gone.connections, []);
  t.regex(gone.endpoints[0]!.end!, /ended by the peer \(Shutdown\)/);
  t.true(gone.readyWallMs! > 0);
});
