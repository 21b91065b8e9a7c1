// How many connections the HTTP interface holds, and whose give way: one that nobody uses must
// never keep out one that asks. Every socket of the server is told here.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { NetworkConfig } from "../config.js";

type Limits = Pick<NetworkConfig["http"], "connectionsMax" | "perAddressMax" | "loopbackReserve">;

interface Held {
  readonly address: string;
  /** Whether it comes from this machine. */
  readonly local: boolean;
  request: IncomingMessage | undefined;
}

/** Limits the connections of a server that does not listen yet. */
export function boundConnections(server: Server, limits: Limits): void {
  /** In the order of their last use. */
  const held = new Map<Socket, Held>();
  const { connectionsMax, perAddressMax, loopbackReserve } = limits;

  /** Room for one more of these: the one that waits longest gives way. */
  const makeRoom = (countMax: number, among: (one: Held) => boolean): boolean => {
    let count = 0;
    let idlest: Socket | undefined;
    for (const [socket, one] of held) {
      if (!among(one)) continue;
      count++;
      // A request that has not arrived whole is no better than none.
      if (one.request?.complete !== true) idlest ??= socket;
    }
    if (count < countMax) return true;
    if (idlest === undefined) return false;
    held.delete(idlest);
    idlest.destroy();
    return true;
  };

  server.on("connection", (socket) => {
    const address = socket.remoteAddress ?? "";
    const local = isLoopback(address);
    const fits =
      (local ||
        (makeRoom(perAddressMax, (one) => one.address === address) &&
          makeRoom(connectionsMax - loopbackReserve, (one) => !one.local))) &&
      makeRoom(connectionsMax, () => true);
    if (!fits) {
      socket.destroy();
      return;
    }
    held.set(socket, { address, local, request: undefined });
    socket.once("close", () => held.delete(socket));
  });
  server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const one = held.get(socket);
    if (one === undefined) return;
    one.request = request;
    response.once("close", () => {
      if (one.request !== request || !held.delete(socket)) return;
      one.request = undefined;
      held.set(socket, one);
    });
  });
}

export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\.|^::1$/.test(address);
}
