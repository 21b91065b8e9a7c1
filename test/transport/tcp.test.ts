// The transport contract over TCP with TLS 1.3 on loopback.

import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { ExecutionContext } from "ava";

import { parseAddress, type Endpoint } from "../../src/protocol/address.js";
import { transportContract } from "./contract.js";
import { identityOf, tcpTransport } from "./support.js";

transportContract("tcp", (t) => {
  const server = tcpTransport(1);
  const client = tcpTransport(2);
  return {
    server,
    client,
    serverId: identityOf(1).peerId,
    clientId: identityOf(2).peerId,
    anywhere: parseAddress("tcp://127.0.0.1:0"),
    // The discard port: nothing listens there on a machine of this century.
    nobody: parseAddress("tcp://127.0.0.1:9"),
    silent: () => silent(t),
    liveCount: () =>
      [server, client].reduce((sum, transport) => {
        const { connections, pendingDials, pendingInbound } = transport.figures();
        return sum + connections + pendingDials + pendingInbound;
      }, 0),
  };
});

async function silent(t: ExecutionContext): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { scheme: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}
