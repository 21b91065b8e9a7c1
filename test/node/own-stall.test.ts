// A node that slept (a long turn, a stopped process) must not take its own sleep for the silence
// of its peers: what they sent meanwhile waits in its sockets.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode } from "./nodes.js";

const STALL_MS = 3_000;

/** Nothing in this process runs meanwhile; the kernel goes on receiving. */
function stall(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
}

/** Resolves when the timers that were due and the sockets that had bytes had their turns. */
async function settled(ms = 200): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function impatient(t: ExecutionContext) {
  t.timeout(60_000);
  return startTestNode(t, {
    bindAddr: "tcp://127.0.0.1:0",
    liveness: { pingIntervalMs: 400, deadAfterMs: 1_000 },
    handshake: { timeoutMs: 1_000 },
  });
}

test.serial("after a stall of its own a node still has all its peers", async (t) => {
  const node = await impatient(t);
  const gone: string[] = [];
  node.subscribe(["PeerDisconnected"], ({ reason }) => gone.push(reason));
  for (let i = 0; i < 4; i++) {
    const joined = nextEvent(node, "PeerConnected");
    await startTestNode(t, { seedPeers: [node.listenAddress!] });
    await joined;
  }
  stall();
  await settled();
  t.deepEqual(gone, []);
  const peers = await node.peers();
  const pings = await Promise.all(peers.map(({ peerId }) => node.pingPeer(peerId)));
  t.true(pings.length === 4 && pings.every((pingMs) => pingMs !== undefined));
});

test.serial(
  "a handshake that arrived during a stall is read before its deadline is judged",
  async (t) => {
    const node = await impatient(t);
    const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(1) });
    t.teardown(() => peer.destroy());
    await peer.message("Handshake");
    const joined = nextEvent(node, "PeerConnected");
    peer.send(handshakeInfo(genesisOf(consensus).header.hash));
    stall();
    t.is((await joined).peerId, peer.peerId);
  },
);

test.serial(
  "a TLS handshake that arrived during a stall is finished before its deadline is judged",
  async (t) => {
    const node = await impatient(t);
    const peer = new RawPeer({ address: node.listenAddress!, identity: identityOf(1) });
    t.teardown(() => peer.destroy());
    await new Promise((resolve) => peer.socket.once("connect", resolve));
    await new Promise((resolve) => setImmediate(resolve));
    stall();
    await peer.secured;
    t.is((await peer.message("Handshake"))?.kind, "Handshake");
  },
);
