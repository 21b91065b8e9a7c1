// A peer that connects a second time with the same key, at the wire: the connection that works stays
// until the newer one works too.

import test from "ava";
import type { Network } from "../../src/network.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { startTestNode } from "./nodes.js";

const identity = identityOf(1);

async function join(network: Network): Promise<RawPeer> {
  const peer = await RawPeer.connect({ address: network.listenAddress!, identity });
  peer.send(handshakeInfo(network.head().hash));
  await peer.message("Handshake");
  return peer;
}

test("a second connection that never shakes hands leaves the first as it is", async (t) => {
  const network = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const first = await join(network);
  t.true(await first.ping());
  const second = await RawPeer.connect({ address: network.listenAddress!, identity });
  // Its own handshake tells that the node has judged the connection.
  await second.message("Handshake");
  t.true(await first.ping(), "the first connection goes on");
  second.destroy();
  await second.closed;
  t.true(await first.ping());
  t.is((await network.peers()).length, 1);
  first.destroy();
});

test("a second connection that becomes ready takes the place of the first", async (t) => {
  const network = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", maxInbound: 1 });
  const first = await join(network);
  t.true(await first.ping());
  const second = await join(network);
  t.is((await first.farewell())?.reason, "DuplicateConnection");
  t.true(await second.ping());
  t.is((await network.peers()).length, 1);
  second.destroy();
});
