// The processes of the connections bench: a node that accepts, bare TLS 1.3 that does, and the
// dialers of either, each connection with an identity of its own.

import type { TLSSocket } from "node:tls";
import { genesisOf, startNode } from "../../src/compose.js";
import { invariant } from "../../src/errors.js";
import type { Network } from "../../src/network.js";
import { handshakeInfo, identityOf, RawPeer } from "../../test/support/raw-peer.js";
import { connectBare, listenBare } from "./bare-tls.js";
import { serveParent, serveRole } from "./child.js";
import { acceptorMethods, dialConcurrently, type DialerMethods } from "./connection-load.js";
import { consensus } from "./sync-chain.js";

function acceptor(): void {
  let network: Network | undefined;
  const methods = acceptorMethods(async (connectionsMax, onAccepted) => {
    network = await startNode({
      bindAddr: "tcp://127.0.0.1:0",
      maxInbound: connectionsMax,
      // As fast as they come: what is measured is what they cost.
      inbound: { handshakesPerSecond: 1_000_000 },
      // What the limits of so many connections could hold; idle ones hold next to nothing.
      memoryBudgetBytes: 32 * 2 ** 30,
      // Nothing passes over an idle connection, here and at the others.
      liveness: { pingIntervalMs: 600_000, deadAfterMs: 1_200_000 },
    });
    network.subscribe(["PeerConnected"], onAccepted);
    return network.listenAddress!;
  });
  serveParent(methods, () => network?.stop());
}

function dialer(): void {
  const peers: RawPeer[] = [];
  const handshake = handshakeInfo(genesisOf(consensus).header.hash);
  const methods: DialerMethods = {
    prepare: () => Promise.resolve(),
    dial: ({ address, ...dials }) =>
      dialConcurrently(dials, async (number) => {
        const peer = await RawPeer.connect({ address, identity: identityOf(number) });
        peers.push(peer);
        peer.send(handshake);
        invariant((await peer.message("Ping")) !== undefined, "the node took the peer");
      }),
  };
  serveParent(methods, () => undefined);
}

function bareAcceptor(): void {
  const sockets: TLSSocket[] = [];
  const methods = acceptorMethods(async (_connectionsMax, onAccepted) => {
    const port = await listenBare(identityOf(0), (socket) => {
      sockets.push(socket);
      onAccepted();
    });
    return String(port);
  });
  serveParent(methods, () => undefined);
}

function bareDialer(): void {
  const sockets: TLSSocket[] = [];
  const methods: DialerMethods = {
    prepare: () => Promise.resolve(),
    dial: ({ address, ...dials }) =>
      dialConcurrently(dials, async (number) => {
        sockets.push(await connectBare(Number(address), identityOf(number)));
      }),
  };
  serveParent(methods, () => undefined);
}

serveRole({ acceptor, dialer, bareAcceptor, bareDialer });
