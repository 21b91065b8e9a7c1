// Lets a node dial from an address of 127.0.0.0/8 that is not 127.0.0.1: it dials the relay, which
// passes bytes on from there. So honest peers of a drill are of different groups, and a node may be
// made to dial itself.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { parseAddress } from "../protocol/address.js";

export interface Relay {
  /** `tcp://host:port` */
  readonly address: string;
  /** That came to it so far. */
  readonly connections: number;
  close(): void;
}

/** Listens at `at`. */
export async function openRelay(
  to: string,
  localAddress: string,
  at = "127.0.0.1",
): Promise<Relay> {
  const { host, port } = parseAddress(to);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (near) => {
    connections++;
    const far = connect({ host, port, localAddress, noDelay: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, at);
  await once(server, "listening");
  return {
    address: `tcp://${at}:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
